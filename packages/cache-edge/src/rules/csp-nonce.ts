import { fieldText, type HeaderFields } from '@x/cache-core/suite'

const NONCE = /'nonce-([^']+)'/gi
const JSON_TYPE = /^application\/(?:[^;]*\+)?json\b/i

/**
 * The nonces of `Content-Security-Policy` and of `Content-Security-Policy-Report-Only` (CSP 3 §2.3.1). A nonce is valid for one response
 * only.
 */
export function noncesOf (headers: HeaderFields): string[] {
  const fields = ['content-security-policy', 'content-security-policy-report-only'].map((name) => fieldText(headers, name) ?? '')
  return [...fields.join().matchAll(NONCE)].map(([, nonce]) => nonce!)
}

/**
 * Whether a body may contain one of the nonces. Every body that is not JSON counts, since it may contain the nonce in an escaped form. A
 * JSON body counts only if it contains the exact nonce: a plugin may send a nonce with each response, although JSON does not use it.
 */
export function isUsedIn (
  nonces: readonly string[], { headers, body }: { readonly headers: HeaderFields; readonly body: Buffer }
): boolean {
  if (nonces.length === 0) return false
  return !JSON_TYPE.test(fieldText(headers, 'content-type') ?? '') || nonces.some((nonce) => body.includes(nonce))
}
