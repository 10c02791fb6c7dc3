import type { CacheControl } from './cache-control.js'
import { cacheControlOf, directivesOf, type ResponseHead } from './directives.js'
import { fieldText, listMembers, type HeaderFields } from './header-fields.js'
import { parseVary } from './vary.js'

// RFC 9111 §3: statuses whose caching requirements we know, which is all that must-understand asks.
const UNDERSTOOD = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 421, 451, 500, 501, 502, 503, 504])
// Part of a body and none at all (RFC 9111 §3.3, §3.4), and what an unusual request brings about for everybody.
const NEVER_STORED = new Set([206, 304, 400, 413, 414, 431])

/**
 * Lower-case names of request headers that carry credentials: those of HTTP (RFC 9110 §11), those of common API keys, and those in which
 * a TLS proxy forwards a client certificate (RFC 9440; Envoy, ingress-nginx, AWS load balancers, Azure App Service).
 */
export const CREDENTIAL_HEADERS = [
  'authorization', 'proxy-authorization', 'x-api-key', 'api-key', 'apikey', 'x-auth-token', 'x-access-token',
  'client-cert', 'x-client-cert', 'x-ssl-client-cert', 'x-forwarded-client-cert', 'ssl-client-cert', 'x-amzn-mtls-clientcert', 'x-amzn-mtls-clientcert-leaf', 'x-arr-clientcert'
]

/** The reason why a shared cache does not store a response. */
export type NotStoredReason = 'method' | 'request-body' | 'request-no-store' | 'status' | 'partial' | 'must-understand' |
  'no-store' | 'private' | 'set-cookie' | 'vary' | 'content-encoding' | 'authorization' | 'no-lifetime'

/** The part of a route's policy that decides whether its responses are stored. */
export interface StorageRule {
  /** Whether credentials make no difference to the response. */
  readonly sameForAll: boolean
  readonly statuses: ReadonlySet<number>
  /** Whether the route names a lifetime where the response does not. */
  readonly hasPolicyLifetime: boolean
  /** Whether a header, by its lower-case name, may select a variant. */
  readonly keyed: Pick<ReadonlySet<string>, 'has'>
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
  // A `public` response without a lifetime is stored, and validated at each use.
  return isExplicit || rule.hasPolicyLifetime || control.isPublic ? undefined : 'no-lifetime'
}

/**
 * The storage rule of a route that has no policy yet: the one which the plainest policy with `store` would give it. Its `vary` would name
 * each header in the response's `Vary`, except credentials, which such a policy may not name.
 */
export const PLAIN_RULE: StorageRule = {
  sameForAll: false, statuses: new Set([200]), hasPolicyLifetime: true, keyed: { has: (name) => name !== 'cookie' && !CREDENTIAL_HEADERS.includes(name) }
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
