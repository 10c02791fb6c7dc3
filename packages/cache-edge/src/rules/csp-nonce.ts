import { fieldText, type HeaderFields } from '@x/cache-core/suite'

const NONCE = /'nonce-([^']+)'/gi
const JSON_TYPE = /^application\/(?:[^;]*\+)?json\b/i

/** The nonces of `Content-Security-Policy` and of its report-only twin (CSP 3 §2.3.1), each of which is meant for one response. */
export function noncesOf (headers: HeaderFields): string[] {
  const fields = ['content-security-policy', 'content-security-policy-report-only'].map((name) => fieldText(headers, name) ?? '')
  return [...fields.join().matchAll(NONCE)].map(([, nonce]) => nonce!)
}

/**
 * Whether a body may hold one of the nonces, perhaps in an escaped form. In JSON only the nonce itself counts, as a plugin that gives each
 * response a nonce does not make JSON depend on it.
 */
export function isUsedIn (
  nonces: readonly string[], { headers, body }: { readonly headers: HeaderFields; readonly body: Buffer }
): boolean {
  if (nonces.length === 0) return false
  return !JSON_TYPE.test(fieldText(headers, 'content-type') ?? '') || nonces.some((nonce) => body.includes(nonce))
}
