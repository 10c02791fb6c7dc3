import { parseCacheControl, toCacheControl, type CacheControl } from './cache-control.js'
import { fieldText, listMembers, type HeaderFields } from './header-fields.js'
import { parseHttpDate } from './http-date.js'
import { parseDictionary } from './structured-dictionary.js'
import { parseVary } from './vary.js'

const MAX_SECONDS = 2 ** 31
// RFC 9111 §3: statuses whose caching requirements we know, which is all that must-understand asks.
const UNDERSTOOD = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 421, 451, 500, 501, 502, 503, 504])
// Part of a body and none at all (RFC 9111 §3.3, §3.4), and what an unusual request brings about for everybody.
const NEVER_STORED = new Set([206, 304, 400, 413, 414, 431])

/** How long a shared cache may answer with a response (RFC 9111 §4.2). Seconds, with fractions. */
export interface Freshness {
  /** `0` if none is explicit: there are no heuristics. */
  readonly lifetime: number
  /** Whether the response names a lifetime, be it `0`. */
  readonly isExplicit: boolean
  /** How old it was when it was received: the corrected initial age of §4.2.3. Round it down for `Age`. */
  readonly initialAge: number
  /** Windows of RFC 5861; `0`: none, as always if `mustRevalidate`. */
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  /** Whether it must not be served stale. `s-maxage` says so as well (§5.2.2.10). */
  readonly mustRevalidate: boolean
  /** Whether it must not be served at all without being validated. */
  readonly noCache: boolean
}

export interface ResponseHead { readonly status: number; readonly headers: HeaderFields }

/** The freshness of a response; `times` are milliseconds since the epoch, when it was asked for and when it came. */
export function freshnessOf (response: ResponseHead, times: { readonly requestedAt: number; readonly receivedAt: number }): Freshness {
  const { headers } = response
  const { requestedAt, receivedAt } = times
  const { control, isTargeted, surrogateMaxAge } = directivesOf(headers)
  const dateText = fieldText(headers, 'date')
  // RFC 9110 §6.6.1: without a usable date, it is the time of receipt.
  const date = (dateText === undefined ? undefined : parseHttpDate(dateText, receivedAt)) ?? receivedAt
  const own = control.sMaxAge ?? control.maxAge ?? (isTargeted ? undefined : untilExpiry(headers, date))
  const lifetime = own === undefined || surrogateMaxAge === undefined ? own ?? surrogateMaxAge : Math.min(own, surrogateMaxAge)
  const mustRevalidate = control.mustRevalidate || control.proxyRevalidate || control.noCache || control.sMaxAge !== undefined
  const apparentAge = Math.max(0, receivedAt - date) / 1000
  const correctedAge = ageOf(headers) + Math.max(0, receivedAt - requestedAt) / 1000
  return {
    lifetime: lifetime ?? 0,
    isExplicit: lifetime !== undefined,
    initialAge: Math.max(apparentAge, correctedAge),
    staleWhileRevalidate: mustRevalidate ? 0 : control.staleWhileRevalidate ?? 0,
    staleIfError: mustRevalidate ? 0 : control.staleIfError ?? 0,
    mustRevalidate,
    noCache: control.noCache
  }
}

/** The directives of a response that a shared cache at the edge obeys. */
interface Directives {
  readonly control: CacheControl
  /** Whether `CDN-Cache-Control` stands in place of `Cache-Control` and `Expires`. */
  readonly isTargeted: boolean
  /** Seconds; `undefined`: `Surrogate-Control` names no lifetime. */
  readonly surrogateMaxAge: number | undefined
}

/**
 * The directives that a shared cache at the edge obeys: those of `CDN-Cache-Control` if that is a dictionary with members,
 * else those of `Cache-Control` (RFC 9213 §2.2); and beside either, those of `Surrogate-Control`, of which the stricter counts.
 * Fields that are targeted at the CDN of one vendor are not for this cache.
 */
export function directivesOf (headers: HeaderFields): Directives {
  const targeted = fieldText(headers, 'cdn-cache-control')
  const members = targeted === undefined ? undefined : parseDictionary(targeted)
  const isTargeted = members !== undefined && members.size > 0
  const control = isTargeted
    ? toCacheControl([...members].map(([name, value]) => ({ name, argument: value === '?1' ? undefined : value })))
    : cacheControlOf(headers)
  const text = fieldText(headers, 'surrogate-control')
  if (text === undefined) return { control, isTargeted, surrogateMaxAge: undefined }
  const surrogate = parseCacheControl(listMembers(text).map(withoutParameters).join(', '))
  return {
    control: {
      ...control,
      noStore: control.noStore || surrogate.noStore,
      noCache: control.noCache || surrogate.noCache,
      isPrivate: control.isPrivate || surrogate.isPrivate
    },
    isTargeted,
    surrogateMaxAge: surrogate.maxAge
  }
}

/**
 * A member of `Surrogate-Control` (Edge Architecture 1.0) without the surrogate that it is for and, in `max-age=60+30`, without
 * the seconds that it may be stale.
 */
function withoutParameters (member: string): string {
  return /^(?:[^";]|"(?:[^"\\]|\\.)*"?)*/.exec(member)![0].replace(/^(max-age=\d+)\+\d+[\t ]*$/i, '$1')
}

/** The reason why a shared cache does not store a response. */
export type NotStoredReason = 'method' | 'request-body' | 'request-no-store' | 'status' | 'partial' | 'must-understand' |
  'no-store' | 'private' | 'set-cookie' | 'vary' | 'content-encoding' | 'authorization' | 'no-lifetime'

/** What the route says of storing its responses. */
export interface StorageRule {
  /** Whether credentials make no difference to the response. */
  readonly sameForAll: boolean
  readonly statuses: ReadonlySet<number>
  /** Whether the route names a lifetime where the response does not. */
  readonly hasPolicyLifetime: boolean
  /** Lower-case names of the headers that may select a variant. */
  readonly keyed: ReadonlySet<string>
}

/**
 * The reason why a shared cache must not store a response (RFC 9111 §3), `undefined` if it may. `no-store` counts even
 * beside `must-understand`, which §5.2.2.3 would let a cache ignore.
 */
export function notStored (
  request: { readonly method: string; readonly headers: HeaderFields; readonly hasBody: boolean },
  response: ResponseHead,
  rule: StorageRule
): NotStoredReason | undefined {
  const { status, headers } = response
  if (request.method !== 'GET' && request.method !== 'HEAD') return 'method'
  if (request.hasBody) return 'request-body'
  if (cacheControlOf(request.headers).noStore) return 'request-no-store'
  if (status === 206 || fieldText(headers, 'content-range') !== undefined) return 'partial'
  if (!rule.statuses.has(status) || NEVER_STORED.has(status)) return 'status'

  const { control, isTargeted, surrogateMaxAge } = directivesOf(headers)
  if (control.noStore) return 'no-store'
  if (control.isPrivate) return 'private'
  if (control.mustUnderstand && !UNDERSTOOD.has(status)) return 'must-understand'
  // RFC 9111 §7.3: does not forbid it by itself, and is replayed to everybody.
  if (fieldText(headers, 'set-cookie') !== undefined) return 'set-cookie'
  const reason = notSelectable(headers, rule) ?? notAuthorised(request.headers, control, rule)
  if (reason !== undefined) return reason
  const isExplicit = control.sMaxAge !== undefined || control.maxAge !== undefined || surrogateMaxAge !== undefined ||
    (!isTargeted && fieldText(headers, 'expires') !== undefined)
  // What is public without a lifetime is kept to be validated.
  return isExplicit || rule.hasPolicyLifetime || control.isPublic ? undefined : 'no-lifetime'
}

/** Whether a request can be told to select this response by the keyed headers (RFC 9111 §4.1). */
function notSelectable (headers: HeaderFields, { keyed }: StorageRule): NotStoredReason | undefined {
  const vary = parseVary(fieldText(headers, 'vary'))
  if (vary === '*' || !vary.every((name) => keyed.has(name))) return 'vary'
  const coding = fieldText(headers, 'content-encoding')
  const isCoded = coding !== undefined && listMembers(coding).some((name) => name !== '' && name.toLowerCase() !== 'identity')
  return isCoded && !vary.includes('accept-encoding') ? 'content-encoding' : undefined
}

/** RFC 9111 §3.5. The directives alone do not do: they are set by those who have not thought of credentials. */
function notAuthorised (headers: HeaderFields, control: CacheControl, rule: StorageRule): NotStoredReason | undefined {
  if (fieldText(headers, 'authorization') === undefined) return undefined
  const isAllowed = control.isPublic || control.mustRevalidate || control.sMaxAge !== undefined
  return rule.sameForAll && isAllowed ? undefined : 'authorization'
}

function cacheControlOf (headers: HeaderFields): CacheControl {
  const field = Object.hasOwn(headers, 'cache-control') ? headers['cache-control'] : undefined
  return parseCacheControl(typeof field === 'number' ? String(field) : field)
}

/** Seconds from `Date` to `Expires`; what is no date, or more than one, has expired (RFC 9111 §5.3). */
function untilExpiry (headers: HeaderFields, date: number): number | undefined {
  const text = fieldText(headers, 'expires')
  if (text === undefined) return undefined
  const expires = parseHttpDate(text, date) ?? date
  return Math.min(Math.max(0, expires - date) / 1000, MAX_SECONDS)
}

/** The first member of `Age`; `0`: it has none or is no number of seconds (RFC 9111 §5.1). */
function ageOf (headers: HeaderFields): number {
  const text = fieldText(headers, 'age')
  const first = text === undefined ? '' : listMembers(text)[0]!
  return /^\d+$/.test(first) ? Math.min(Number(first), MAX_SECONDS) : 0
}
