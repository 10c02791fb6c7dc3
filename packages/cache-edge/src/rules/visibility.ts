import type { HeaderFields } from '@x/cache-core/suite'
import type { Policy } from './policy.js'

/**
 * The target URI of a request as its handler sees it. `isProxied`: the app trusts a proxy, which names the target in `X-Forwarded-Host` and
 * `X-Forwarded-Proto`.
 */
export interface VisibleTarget { readonly scheme: string; readonly host: string; readonly isProxied: boolean }

/** The validators of a stored response, which its handler may see; see `StoredHead`. */
export interface StoredValidators {
  readonly etag: string | undefined
  readonly isTagOfBody?: boolean
  readonly headers: Readonly<Record<string, string | string[]>>
}

/** Headers that make a request conditional, or a request for a range. */
export const CONDITIONAL = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range']

/**
 * The request headers that the handler of a by-response route sees beside those of `vary`. These fields are used for content negotiation
 * and to describe a client (RFC 9110 §10.1, §12.5; client hints; Fetch). An upstream that uses them must name them in its `Vary`. Other
 * headers are hidden: they could change the response of an upstream that does not name them in `Vary`.
 */
const NEGOTIATING = new Set([
  'accept', 'accept-charset', 'accept-datetime', 'accept-encoding', 'accept-language', 'cache-control', 'dnt', 'from', 'max-forwards', 'origin', 'pragma', 'prefer', 'priority',
  'referer', 'save-data', 'te', 'upgrade-insecure-requests', 'user-agent', 'via', 'device-memory', 'downlink', 'dpr', 'ect', 'rtt', 'viewport-width', 'width',
  'sec-fetch-dest', 'sec-fetch-mode', 'sec-fetch-site', 'sec-fetch-user', 'sec-gpc', 'sec-purpose'
])
/** The headers that determine the target URI. */
const OF_TARGET = new Set(['host', 'x-forwarded-host', 'x-forwarded-proto'])
const CLIENT_HINT = /^sec-ch-[a-z-]{1,40}$/

/** The headers that identify the client or the request. The handler of a route with `sameForAll` sees them. */
const IDENTIFYING = ['authorization', 'cookie', 'traceparent', 'tracestate', 'x-request-id']

/** The names of the request headers that the handler of a stored route may see, with the values that were sent. */
export function shownNames (headers: HeaderFields, { store, vary, sameForAll }: Policy): string[] {
  const names = store === 'by-policy' ? [...vary] : [...vary, ...Object.keys(headers).filter(isNegotiating)]
  if (sameForAll) names.push(...IDENTIFYING)
  return names
}

/**
 * Whether a request header may select responses of a by-response route: the handler sees the header, or the target URI is derived from it.
 */
export function maySelect (name: string, { vary, sameForAll }: Policy): boolean {
  if (name === 'cookie' || name === 'authorization') return false
  return vary.includes(name) || isNegotiating(name) || OF_TARGET.has(name) || (sameForAll && IDENTIFYING.includes(name))
}

function isNegotiating (name: string): boolean {
  return NEGOTIATING.has(name) || CLIENT_HINT.test(name)
}

/**
 * The request headers that the handler of a stored route sees: those in the cache key, those that name the target URI, and the validators
 * of the stored response.
 * @param headers of the request as the client sent it
 * @param stale the stored response that the handler may validate
 * @param also further names of headers that the handler may see
 */
export function visibleHeaders (
  headers: HeaderFields, policy: Policy, target: VisibleTarget, stale: StoredValidators | undefined, also: readonly string[] = []
): Record<string, string | string[]> {
  const shown: Record<string, string | string[]> = {}
  for (const name of [...shownNames(headers, policy), ...also]) {
    const value = Object.hasOwn(headers, name) ? headers[name] : undefined
    if (value !== undefined) shown[name] = value as string | string[]
  }
  // `host` is set in every request, also if the client sent `:authority` instead, so that the handler sees the same in all requests with
  // one key.
  shown.host = target.host
  if (target.isProxied) {
    shown['x-forwarded-host'] = target.host
    shown['x-forwarded-proto'] = target.scheme
  }
  const modified = stale?.headers['last-modified']
  // A computed ETag is not sent together with a date. The handler does not know the computed ETag, and would have to ignore its own date
  // because of it (RFC 9110 §13.1.3).
  if (stale?.etag !== undefined && (stale.isTagOfBody !== true || modified === undefined)) shown['if-none-match'] = stale.etag
  if (typeof modified === 'string') shown['if-modified-since'] = modified
  return shown
}
