import { directivesOf, type ResponseHead } from './directives.js'
import { fieldText, listMembers, type HeaderFields } from './header-fields.js'
import { parseHttpDate } from './http-date.js'

const MAX_SECONDS = 2 ** 31

/** The times for which a shared cache may serve a response (RFC 9111 §4.2), in seconds with fractions. */
export interface Freshness {
  /** The freshness lifetime of the response; `0` if it has no explicit one, since heuristic lifetimes are not used. */
  readonly lifetime: number
  /** Whether the response has an explicit lifetime, even one of `0`. */
  readonly isExplicit: boolean
  /**
   * The age of the response when it was received: the corrected initial age of RFC 9111 §4.2.3. Round the number down for the header field
   * `Age`.
   */
  readonly initialAge: number
  /** The stale windows of RFC 5861; `0`: the response has none, or `mustRevalidate` is set. */
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  /** Whether the response must not be served stale. `s-maxage` sets it like `must-revalidate` (RFC 9111 §5.2.2.10). */
  readonly mustRevalidate: boolean
  /** Whether the response must not be served without being validated. */
  readonly noCache: boolean
}

/** Returns the freshness of a response; `times` are in milliseconds since the epoch: of the request, and of the receipt of the response. */
export function freshnessOf (response: ResponseHead, times: { readonly requestedAt: number; readonly receivedAt: number }): Freshness {
  const { headers } = response
  const { requestedAt, receivedAt } = times
  const { control, isTargeted, surrogateMaxAge } = directivesOf(headers)
  const dateText = fieldText(headers, 'date')
  // RFC 9110 §6.6.1: without a valid `Date`, the time of receipt is the date of the response.
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

/** Returns the seconds from `Date` to `Expires`; an `Expires` that is no date, or has several lines, counts as expired (RFC 9111 §5.3). */
function untilExpiry (headers: HeaderFields, date: number): number | undefined {
  const text = fieldText(headers, 'expires')
  if (text === undefined) return undefined
  const expires = parseHttpDate(text, date) ?? date
  return Math.min(Math.max(0, expires - date) / 1000, MAX_SECONDS)
}

/** Returns the first member of `Age`; `0`: the field is absent, or that member is no number of seconds (RFC 9111 §5.1). */
function ageOf (headers: HeaderFields): number {
  const text = fieldText(headers, 'age')
  const first = text === undefined ? '' : listMembers(text)[0]!
  return /^\d+$/.test(first) ? Math.min(Number(first), MAX_SECONDS) : 0
}
