import { Credentials } from './credentials.js'
import { PolicyInvalid } from './policy-invalid.js'

/** `Cache-Control` of a response that may depend on credentials: the client may store the response, and validates it at each use. */
export const PRIVATE = 'private, no-cache'
/** The `Cache-Control` of an error response. */
export const NO_STORE = 'no-store'

/** The members of a policy that give a lifetime. `store: 'by-response'` reads the lifetime from the response instead. */
const LIFETIMES = ['maxAge', 'sMaxAge', 'cdnMaxAge', 'staleWhileRevalidate', 'staleIfError', 'mustRevalidate', 'immutable'] as const
const DEFAULT_MAX_AGE = 60
const DEFAULT_STALE_AFTER_MS = 5000

/** A function of the app that returns the tags for the response to a request. */
type TagsOf<R> = (request: R) => readonly string[]

/** The members of a policy as the app writes them; see `policy-options.ts` for the meaning of each. `R`: the request of the framework. */
export interface PolicyMembers<R> {
  readonly scope?: 'shared' | 'private'
  readonly maxAge?: number
  readonly sMaxAge?: number
  readonly cdnMaxAge?: number
  readonly staleWhileRevalidate?: number
  readonly staleIfError?: number
  readonly mustRevalidate?: boolean
  readonly immutable?: boolean
  readonly vary?: readonly string[]
  readonly query?: readonly string[]
  readonly tags?: readonly string[] | TagsOf<R>
  readonly store?: boolean | 'by-response'
  readonly early?: boolean
  readonly noVarySearch?: boolean
  readonly sameForAll?: boolean
  readonly statuses?: readonly number[]
  readonly currentTag?: (request: R) => string | undefined | Promise<string | undefined>
  readonly staleAfterMs?: number
}

/** The policy of a route with its defaults, resolved once per route. `R`: the request of the framework. */
export interface Policy<R = never> {
  readonly isShared: boolean
  readonly store: false | 'by-policy' | 'by-response'
  /** The `Cache-Control` that responses get; `undefined`: the policy sets none. */
  readonly cacheControl: string | undefined
  readonly cdnCacheControl: string | undefined
  /** Seconds for which a stored response is fresh. */
  readonly lifetime: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly staleAfterMs: number
  readonly mustRevalidate: boolean
  /** Request headers that select the response, in lower case. A route that is declared later on the same URL may add names. */
  vary: readonly string[]
  /** The query parameters that the URL of a stored response may have; `undefined`: any parameter. */
  readonly query: ReadonlySet<string> | undefined
  /** Whether `No-Vary-Search` of a response decides which parts of the query are in the key. */
  readonly noVarySearch: boolean
  /** Whether stored responses are sent before the hooks of the app. */
  readonly early: boolean
  readonly sameForAll: boolean
  readonly statuses: ReadonlySet<number>
  readonly tagsOf: TagsOf<R>
  readonly currentTag: PolicyMembers<R>['currentTag']
  /** Whether a validator may have changed the headers of a request before the handler runs. */
  hasHeaderSchema: () => boolean
}

/** The rule of a route: its policy, or `'personal'`, which takes precedence over every policy; `undefined`: the route has no rule. */
export type RouteRule<R = never> = Policy<R> | 'personal' | undefined

/**
 * Resolves the policy of a route.
 * @param route the name of the route, for the message
 * @throws `CACHE_ERR_POLICY_INVALID` where the members contradict each other
 */
export function toPolicy<R> (route: string, given: PolicyMembers<R>, credentials = new Credentials()): Policy<R> {
  const { scope = 'shared', store = false, sMaxAge, cdnMaxAge, staleWhileRevalidate = 0, staleIfError = 0 } = given
  const isShared = scope === 'shared'
  const hasWindow = staleWhileRevalidate > 0 || staleIfError > 0
  const vary = [...new Set((given.vary ?? []).map((name) => name.toLowerCase()))]
  const contradiction = contradictionIn(given, { isShared, hasWindow, vary })
  if (contradiction !== undefined) throw new PolicyInvalid(route, contradiction)
  if (store !== false) credentials.refuseIn(route, vary)
  const maxAge = given.maxAge ?? (isShared ? DEFAULT_MAX_AGE : undefined)
  const mustRevalidate = given.mustRevalidate ?? !hasWindow
  const { tags = [] } = given
  return {
    isShared,
    store: store === true ? 'by-policy' : store,
    cacheControl: store === 'by-response' ? undefined : cacheControlField({ ...given, maxAge, mustRevalidate }, isShared),
    cdnCacheControl: cdnMaxAge === undefined ? undefined : cdnCacheControlField(cdnMaxAge, { ...given, mustRevalidate }),
    lifetime: store === 'by-response' ? 0 : cdnMaxAge ?? sMaxAge ?? maxAge ?? 0,
    staleWhileRevalidate,
    staleIfError,
    staleAfterMs: given.staleAfterMs ?? DEFAULT_STALE_AFTER_MS,
    mustRevalidate,
    vary,
    query: given.query === undefined ? undefined : new Set(given.query),
    noVarySearch: given.noVarySearch === true,
    early: given.early === true,
    sameForAll: given.sameForAll === true,
    statuses: new Set([200, ...given.statuses ?? []]),
    tagsOf: typeof tags === 'function' ? tags : () => tags,
    currentTag: given.currentTag,
    hasHeaderSchema: () => false
  }
}

/** The contradiction between members of a policy; `undefined`: the members agree. */
function contradictionIn (
  given: PolicyMembers<never>,
  { isShared, hasWindow, vary }: { readonly isShared: boolean; readonly hasWindow: boolean; readonly vary: readonly string[] }
): string | undefined {
  const { store = false, sMaxAge, cdnMaxAge } = given
  if (!isShared && store !== false) return 'a response with scope "private" may be stored by its client only, so store must be false'
  if (!isShared && (sMaxAge !== undefined || cdnMaxAge !== undefined)) return 'sMaxAge and cdnMaxAge are for shared caches, and scope is "private"'
  if (!isShared && given.sameForAll === true) return 'sameForAll: true is for shared responses, and scope is "private"'
  if (hasWindow && sMaxAge !== undefined) return 'sMaxAge forbids shared caches to serve stale responses (RFC 9111 5.2.2.10), and staleWhileRevalidate or staleIfError allows it'
  if (hasWindow && given.mustRevalidate === true) return 'mustRevalidate forbids stale responses, and staleWhileRevalidate or staleIfError allows them'
  if (given.immutable === true && (given.maxAge ?? 0) === 0) return 'immutable needs a maxAge above 0'
  if (vary.includes('*')) return 'vary: "*" means that no request may share the response; name the headers that select between representations'
  if (given.noVarySearch === true && store === false) return 'noVarySearch: true is for the key of stored responses, and store is false'
  const early = given.early === true ? earlyContradictionIn(given) : undefined
  if (early !== undefined) return early
  const lifetime = store === 'by-response' ? LIFETIMES.find((name) => given[name] !== undefined) : undefined
  return lifetime === undefined ? undefined : `store: "by-response" uses the lifetime in the headers of the response, so ${lifetime} must not be set`
}

/** The contradiction between `early` and another member of a policy; `undefined`: the members agree. */
function earlyContradictionIn ({ store = false, sameForAll, currentTag }: PolicyMembers<never>): string | undefined {
  if (store === false) return 'early: true is for stored responses, and store is false'
  // With `sameForAll`, all clients that a login hook has accepted share a response; an early answer would reach clients that no hook has
  // checked.
  if (sameForAll === true) return 'early: true sends responses before the hooks that check credentials, and sameForAll: true is for requests with credentials'
  return currentTag === undefined ? undefined : 'early: true sends the stored entity tag, and currentTag asks for the current one first'
}

/** Returns the text of `Cache-Control` for a route's responses. */
function cacheControlField ({ maxAge, sMaxAge, mustRevalidate, immutable, ...given }: Omit<PolicyMembers<never>, 'maxAge'> & { readonly maxAge: number | undefined }, isShared: boolean): string {
  if (maxAge === undefined) return PRIVATE
  const parts = [isShared ? 'public' : 'private', `max-age=${maxAge}`]
  if (sMaxAge !== undefined) parts.push(`s-maxage=${sMaxAge}`)
  if (mustRevalidate === true) parts.push('must-revalidate')
  if (immutable === true) parts.push('immutable')
  return parts.join(', ') + windowsOf(given)
}

/**
 * The text of `CDN-Cache-Control` for a route's responses. It repeats the directives of `Cache-Control`, which a cache that obeys this
 * field ignores (RFC 9213 §2.2).
 */
function cdnCacheControlField (maxAge: number, { sameForAll, mustRevalidate, ...given }: PolicyMembers<never>): string {
  const parts = [`max-age=${maxAge}`]
  // Without `public`, the response to a request with `Authorization` is not shared (RFC 9111 §3.5).
  if (sameForAll === true) parts.unshift('public')
  if (mustRevalidate === true) parts.push('must-revalidate')
  return parts.join(', ') + windowsOf(given)
}

function windowsOf ({ staleWhileRevalidate = 0, staleIfError = 0 }: PolicyMembers<never>): string {
  return (staleWhileRevalidate > 0 ? `, stale-while-revalidate=${staleWhileRevalidate}` : '') +
    (staleIfError > 0 ? `, stale-if-error=${staleIfError}` : '')
}
