import { cacheControlOf, type CacheControl, type HeaderFields } from '@x/cache-core/suite'
import type { CacheStatus } from './cache-status.js'
import { isRead } from './methods.js'
import { stateOf, type Dated } from './stored-state.js'

/** The decision on a request to a route that stores its responses, with its reason. */
export type Decision =
  | { readonly kind: 'bypass'; readonly why: CacheStatus }
  | { readonly kind: 'hit'; readonly why: 'fresh' }
  | { readonly kind: 'stale-while-revalidate' | 'stale-if-error'; readonly why: 'stale' }
  | { readonly kind: 'revalidate'; readonly why: 'stale' }
  | { readonly kind: 'miss'; readonly why: 'vary-miss' | 'uri-miss' }
  | { readonly kind: 'range'; readonly why: 'stale' | 'vary-miss' | 'uri-miss' }
  | { readonly kind: 'gateway-timeout'; readonly why: 'stale' | 'vary-miss' | 'uri-miss' }

/** A decision to answer a request without reading a stored response. */
export type Bypass = Extract<Decision, { kind: 'bypass' }>
/** A decision on a request once the stored responses of its URL were read. */
export type AfterLookup = Exclude<Decision, Bypass>
type Forward = Extract<Decision, { kind: 'revalidate' | 'miss' }>

/**
 * The rules of a route and its app by which a request bypasses the stored responses. Each rule runs only if no rule before it
 * applies.
 */
export interface BypassRules<R, P> {
  /** Returns the reason why the response is for this client alone; `null`: it may be shared. */
  personalReason (request: R, policy: P): string | null
  /** Whether the query of the request has a parameter that the policy does not name. */
  hasOtherParameter (request: R, policy: P): boolean
  /** Whether the host of the request is not listed in option `hosts` of the app. */
  isOtherHost (request: R): boolean
}

/** A request whose stored responses were read; see `decide`. */
export interface DecidedRequest {
  readonly method: string
  readonly headers: HeaderFields
  /** The cache key of the request's URL. */
  readonly key: string
  /** The object of a background refresh; `undefined`: the request came from a client. */
  readonly refresh: object | undefined
}

/** A stored response that the request selects; `isStale`: the response was invalidated softly, or the ttl of its entry has ended. */
export interface FoundResponse<H extends Dated> { readonly head: H; readonly isStale: boolean }

/** The result of reading the stored responses of a URL. `isOther`: the URL has stored responses, but the request selects none of them. */
export interface LookedUp<H extends Dated> { readonly found: FoundResponse<H> | undefined; readonly isOther: boolean }

/** Recent failures of a stored response's handler and refresh, on which the decision depends. */
export interface RecentFailures<H> {
  /** Whether the handler failed in the last second for this stored response. */
  hasFailed (key: string, head: H): boolean
  /** Whether a hook before the handler refused the last refresh of this stored response. */
  isRefreshRefused (key: string, head: H): boolean
}

// Each decision is a constant, so that a hit allocates no object.
const HIT: AfterLookup = { kind: 'hit', why: 'fresh' }
const WHILE_REVALIDATING: AfterLookup = { kind: 'stale-while-revalidate', why: 'stale' }
const IF_ERROR: AfterLookup = { kind: 'stale-if-error', why: 'stale' }
const REVALIDATE: Forward = { kind: 'revalidate', why: 'stale' }
const VARY_MISS: Forward = { kind: 'miss', why: 'vary-miss' }
const URI_MISS: Forward = { kind: 'miss', why: 'uri-miss' }

/** The reason why a request is answered without reading a stored response; `undefined`: the stored responses are read. */
export function bypassOf<P, R extends { readonly method: string; readonly raw: { readonly headers: HeaderFields } }> (
  request: R, policy: P, rules: BypassRules<R, P>
): Bypass | undefined {
  const { method } = request
  if (!isRead(method)) return { kind: 'bypass', why: { fwd: 'method' } }
  const reason = rules.personalReason(request, policy)
  if (reason !== null) return bypassFor(reason)
  const { headers } = request.raw
  if (rules.hasOtherParameter(request, policy)) return bypassFor('query')
  if (rules.isOtherHost(request)) return bypassFor('host')
  return requestDirectives(headers)?.noStore === true ? { kind: 'bypass', why: { fwd: 'request', detail: 'no-store' } } : undefined
}

/**
 * The decision on a request that does not bypass the stored responses (RFC 9111 §4).
 * @param now milliseconds of the epoch; not read without a found response
 */
export function decide<H extends Dated> (
  request: DecidedRequest, { found, isOther }: LookedUp<H>, failures: RecentFailures<H>, now: number
): AfterLookup {
  // A background refresh always runs the handler, whatever the state of the stored response is.
  if (found !== undefined && request.refresh === undefined) {
    const { head } = found
    const state = stateOf(head, found.isStale, now)
    if (state === 'fresh') return HIT
    if (state !== 'to-validate' && failures.hasFailed(request.key, head)) return IF_ERROR
    // A QUERY is not refreshed in the background, since its content is not stored.
    if (state === 'while-revalidating' && request.method !== 'QUERY' && !failures.isRefreshRefused(request.key, head)) return WHILE_REVALIDATING
  }
  const forwarded = found !== undefined ? REVALIDATE : isOther ? VARY_MISS : URI_MISS
  if (requestDirectives(request.headers)?.onlyIfCached === true) return { kind: 'gateway-timeout', why: forwarded.why }
  // The handler of a miss may answer with the range itself; a response with a range is not stored (RFC 9111 §3.3).
  return request.method === 'GET' && request.headers.range !== undefined ? { kind: 'range', why: forwarded.why } : forwarded
}

function bypassFor (detail: string): Bypass {
  return { kind: 'bypass', why: { fwd: 'bypass', detail } }
}

/** The `Cache-Control` directives of a request; `undefined`: the request has no `Cache-Control`, so there is nothing to parse. */
function requestDirectives (headers: HeaderFields): CacheControl | undefined {
  return headers['cache-control'] === undefined ? undefined : cacheControlOf(headers)
}
