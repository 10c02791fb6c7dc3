import type { CacheControl } from './cache-control.js'
import { cacheControlOf, directivesOf, type ResponseHead } from './directives.js'
import { fieldText, listMembers, type HeaderFields } from './header-fields.js'
import { parseVary } from './vary.js'

// Statuses whose caching requirements this cache implements, as the directive `must-understand` demands (RFC 9111 §3, §5.2.2.3).
const UNDERSTOOD = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 421, 451, 500, 501, 502, 503, 504])
// Methods whose responses are stored. The content of a QUERY is part of its cache key (RFC 10008 §2.7).
const STORED_METHODS = new Set(['GET', 'HEAD', 'QUERY'])
/** Content codings that use a dictionary of the client (RFC 9842 §4, §5). */
const DICTIONARY_CODINGS = new Set(['dcb', 'dcz'])
// Statuses that are never stored: 206 has a part of a body, 304 has none (RFC 9111 §3.3, §3.4). The other statuses describe a fault of one
// request; a stored response with such a status would also be sent for faultless requests.
const NEVER_STORED = new Set([206, 304, 400, 413, 414, 431])

/**
 * Lower-case names of request headers that contain credentials: those of HTTP (RFC 9110 §11), those of common API keys, and those in which
 * a TLS proxy forwards a client certificate (RFC 9440; Envoy, ingress-nginx, AWS load balancers, Azure App Service).
 */
export const CREDENTIAL_HEADERS = [
  'authorization', 'proxy-authorization', 'x-api-key', 'api-key', 'apikey', 'x-auth-token', 'x-access-token',
  'client-cert', 'x-client-cert', 'x-ssl-client-cert', 'x-forwarded-client-cert', 'ssl-client-cert', 'x-amzn-mtls-clientcert', 'x-amzn-mtls-clientcert-leaf', 'x-arr-clientcert'
]

/** The reason why a shared cache does not store a response. */
export type NotStoredReason = 'method' | 'request-body' | 'request-no-store' | 'status' | 'partial' | 'must-understand' |
  'no-store' | 'private' | 'set-cookie' | 'vary' | 'content-encoding' | 'authorization' | 'no-lifetime'

/** The part of a route's cache policy that decides whether its responses are stored. */
export interface StorageRule {
  /** Whether the response is the same for all clients, whatever their credentials are. */
  readonly sameForAll: boolean
  readonly statuses: ReadonlySet<number>
  /** Whether the route's policy has a lifetime for responses without one. */
  readonly hasPolicyLifetime: boolean
  /** The lower-case names of the request headers that may select a variant. */
  readonly keyed: Pick<ReadonlySet<string>, 'has'>
}

/**
 * Returns the reason why a shared cache must not store a response (RFC 9111 §3); `undefined` if it may. `no-store` counts even beside
 * `must-understand`, although §5.2.2.3 would let a cache ignore it.
 */
export function notStored (
  request: { readonly method: string; readonly headers: HeaderFields; readonly hasBody: boolean },
  response: ResponseHead,
  rule: StorageRule
): NotStoredReason | undefined {
  const { status, headers } = response
  if (!STORED_METHODS.has(request.method)) return 'method'
  if (request.hasBody) return 'request-body'
  if (cacheControlOf(request.headers).noStore) return 'request-no-store'
  if (status === 206 || fieldText(headers, 'content-range') !== undefined) return 'partial'
  if (!rule.statuses.has(status) || NEVER_STORED.has(status)) return 'status'

  const { control, isTargeted, surrogateMaxAge } = directivesOf(headers)
  if (control.noStore) return 'no-store'
  if (control.isPrivate) return 'private'
  if (control.mustUnderstand && !UNDERSTOOD.has(status)) return 'must-understand'
  // RFC 9111 §7.3: `Set-Cookie` does not forbid storing, but a stored response would send the cookie to every client.
  if (fieldText(headers, 'set-cookie') !== undefined) return 'set-cookie'
  const reason = notSelectable(headers, rule) ?? notAuthorised(request.headers, control, rule)
  if (reason !== undefined) return reason
  const isExplicit = control.sMaxAge !== undefined || control.maxAge !== undefined || surrogateMaxAge !== undefined ||
    (!isTargeted && fieldText(headers, 'expires') !== undefined)
  // A `public` response without a lifetime is stored, and validated before each use.
  return isExplicit || rule.hasPolicyLifetime || control.isPublic ? undefined : 'no-lifetime'
}

/**
 * The storage rule that is assumed for a route without a policy: that of a policy with `store: true` and a lifetime. Its option `vary` is
 * assumed to name each header of the response's `Vary`, except credentials, which the option does not accept.
 */
export const PLAIN_RULE: StorageRule = {
  sameForAll: false, statuses: new Set([200]), hasPolicyLifetime: true, keyed: { has: (name) => name !== 'cookie' && !CREDENTIAL_HEADERS.includes(name) }
}

/**
 * Returns a reason if later requests cannot select the right variant (RFC 9111 §4.1). Three cases: `Vary` has a header that is not in
 * `keyed`; the body is coded and `Vary` lacks `Accept-Encoding`; the coding uses a dictionary and `Vary` lacks `Available-Dictionary`.
 */
function notSelectable (headers: HeaderFields, { keyed }: StorageRule): NotStoredReason | undefined {
  const vary = parseVary(fieldText(headers, 'vary'))
  if (vary === '*' || !vary.every((name) => keyed.has(name))) return 'vary'
  const coding = fieldText(headers, 'content-encoding')
  const codings = coding === undefined ? [] : listMembers(coding).map((name) => name.toLowerCase()).filter((name) => name !== '' && name !== 'identity')
  if (codings.length > 0 && !vary.includes('accept-encoding')) return 'content-encoding'
  // Only a client that has the dictionary can decode these content codings, so such a response needs `Vary: Available-Dictionary` (RFC 9842
  // §6.2).
  return codings.some((name) => DICTIONARY_CODINGS.has(name)) && !vary.includes('available-dictionary') ? 'content-encoding' : undefined
}

/**
 * Returns a reason if the request has `Authorization`, unless the response has a directive of RFC 9111 §3.5 and `sameForAll` is set. The
 * directives alone do not suffice, since apps may set them without considering credentials.
 */
function notAuthorised (headers: HeaderFields, control: CacheControl, rule: StorageRule): NotStoredReason | undefined {
  if (fieldText(headers, 'authorization') === undefined) return undefined
  const isAllowed = control.isPublic || control.mustRevalidate || control.sMaxAge !== undefined
  return rule.sameForAll && isAllowed ? undefined : 'authorization'
}
