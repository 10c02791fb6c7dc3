import { directivesOf, type ResponseHead } from './directives.js'
import { fieldText, listMembers, type HeaderFields } from './header-fields.js'
import { parseHttpDate } from './http-date.js'

const MAX_SECONDS = 2 ** 31

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
