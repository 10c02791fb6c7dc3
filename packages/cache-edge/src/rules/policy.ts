import { Credentials } from './credentials.js'
import { PolicyInvalid } from '../errors.js'
import type { EdgePolicy } from '../options.js'

/** What an answer that credentials may have touched says; the client may keep it, and asks each time. */
export const PRIVATE = 'private, no-cache'
/** What a failure says. */
export const NO_STORE = 'no-store'

const DEFAULT_MAX_AGE = 60
const DEFAULT_STALE_AFTER_MS = 5000

/** A policy with all that follows from it, worked out once per route. */
export interface Policy {
  readonly isShared: boolean
  readonly store: false | 'by-policy' | 'by-response'
  /** `undefined`: the route's answers get no header from here. */
  readonly cacheControl: string | undefined
  readonly cdnCacheControl: string | undefined
  /** Seconds that this process's cache takes an answer for fresh. */
  readonly lifetime: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly staleAfterMs: number
  readonly mustRevalidate: boolean
  /** In lower case. Grows while routes are declared that a request header chooses in place of this one. */
  vary: readonly string[]
  /** Query parameters that stored responses may have; `undefined`: any. */
  readonly query: ReadonlySet<string> | undefined
  readonly sameForAll: boolean
  readonly statuses: ReadonlySet<number>
  readonly tagsOf: Extract<EdgePolicy['tags'], (...args: never) => unknown>
  readonly currentTag: EdgePolicy['currentTag']
  /** Whether a validator may have changed the headers of a request before the handler is asked. */
  hasHeaderSchema: () => boolean
}

/** Throws `CACHE_ERR_POLICY_INVALID` where the members contradict each other; `route` is for the message. */
export function toPolicy (route: string, given: EdgePolicy, credentials = new Credentials()): Policy {
  const refuse = (why: string): never => { throw new PolicyInvalid(route, why) }
  const { scope = 'shared', store = false, sMaxAge, cdnMaxAge, staleWhileRevalidate = 0, staleIfError = 0, immutable = false } = given
  const isShared = scope === 'shared'
  const hasWindow = staleWhileRevalidate > 0 || staleIfError > 0
  if (!isShared && store !== false) refuse('what only the client may keep (scope: "private") cannot be kept here (store)')
  if (!isShared && (sMaxAge !== undefined || cdnMaxAge !== undefined)) refuse('sMaxAge and cdnMaxAge speak to shared caches, and scope is "private"')
  if (!isShared && given.sameForAll === true) refuse('an answer that is the same for all (sameForAll) is not private')
  if (hasWindow && sMaxAge !== undefined) refuse('sMaxAge forbids shared caches to serve stale answers (RFC 9111 5.2.2.10), and staleWhileRevalidate or staleIfError allows it')
  if (hasWindow && given.mustRevalidate === true) refuse('mustRevalidate forbids stale answers, and staleWhileRevalidate or staleIfError allows them')
  if (immutable && (given.maxAge ?? 0) === 0) refuse('immutable needs a maxAge above 0')
  const vary = [...new Set((given.vary ?? []).map((name) => name.toLowerCase()))]
  if (vary.includes('*')) refuse('vary: "*" says that no request may share the answer; name the headers that choose between representations')
  if (store !== false) credentials.refuseIn(route, vary)
  if (store === 'by-response') {
    const own = (['maxAge', 'sMaxAge', 'cdnMaxAge', 'staleWhileRevalidate', 'staleIfError', 'mustRevalidate', 'immutable'] as const).find((name) => given[name] !== undefined)
    if (own !== undefined) refuse(`store: "by-response" goes by the headers of the answer, and ${own} is a lifetime of the policy's own`)
  }
  const maxAge = given.maxAge ?? (isShared ? DEFAULT_MAX_AGE : undefined)
  const mustRevalidate = given.mustRevalidate ?? !hasWindow
  const { tags = [] } = given
  return {
    isShared,
    store: store === true ? 'by-policy' : store,
    cacheControl: store === 'by-response' ? undefined : cacheControlOf({ ...given, maxAge, mustRevalidate }, isShared),
    cdnCacheControl: cdnMaxAge === undefined ? undefined : cdnCacheControlOf(cdnMaxAge, { ...given, mustRevalidate }),
    lifetime: store === 'by-response' ? 0 : cdnMaxAge ?? sMaxAge ?? maxAge ?? 0,
    staleWhileRevalidate,
    staleIfError,
    staleAfterMs: given.staleAfterMs ?? DEFAULT_STALE_AFTER_MS,
    mustRevalidate,
    vary,
    query: given.query === undefined ? undefined : new Set(given.query),
    sameForAll: given.sameForAll === true,
    statuses: new Set([200, ...given.statuses ?? []]),
    tagsOf: typeof tags === 'function' ? tags : () => tags,
    currentTag: given.currentTag,
    hasHeaderSchema: () => false
  }
}

function cacheControlOf ({ maxAge, sMaxAge, mustRevalidate, immutable, ...given }: Omit<EdgePolicy, 'maxAge'> & { maxAge: number | undefined }, isShared: boolean): string {
  if (maxAge === undefined) return PRIVATE
  const parts = [isShared ? 'public' : 'private', `max-age=${maxAge}`]
  if (sMaxAge !== undefined) parts.push(`s-maxage=${sMaxAge}`)
  if (mustRevalidate === true) parts.push('must-revalidate')
  if (immutable === true) parts.push('immutable')
  return parts.join(', ') + windowsOf(given)
}

/** Whoever reads this field reads `Cache-Control` no more (RFC 9213 §2.2): what matters of it is said again. */
function cdnCacheControlOf (maxAge: number, { sameForAll, mustRevalidate, ...given }: EdgePolicy): string {
  const parts = [`max-age=${maxAge}`]
  // RFC 9111 §3.5: without it the answer to a request with Authorization is not shared.
  if (sameForAll === true) parts.unshift('public')
  if (mustRevalidate === true) parts.push('must-revalidate')
  return parts.join(', ') + windowsOf(given)
}

function windowsOf ({ staleWhileRevalidate = 0, staleIfError = 0 }: EdgePolicy): string {
  return (staleWhileRevalidate > 0 ? `, stale-while-revalidate=${staleWhileRevalidate}` : '') +
    (staleIfError > 0 ? `, stale-if-error=${staleIfError}` : '')
}
