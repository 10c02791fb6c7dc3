import { fieldText, type HeaderFields } from '@x/cache-core/suite'

const NONCE = /'nonce-([^']+)'/gi
const HTML_TYPE = /^text\/html\b/i
// An attribute of such a tag may be escaped. No part of these expressions can match at two lengths, so that each takes linear time.
const META = /<meta\b[^<>]*>/gi
const OF_POLICY = /\bhttp-equiv\s*=\s*(?:["']\s*)?content-security-policy\b/i
const NONCE_IN_META = /(?:'|&apos;|&#0*39;|&#x0*27;)nonce-/i
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

/**
 * Whether a page has a `Content-Security-Policy` with a nonce in a `<meta>` tag (CSP 3 §3.3). The tags are only looked for in HTML that has
 * the text of a nonce at all, which a search in the bytes finds at a small part of the cost.
 */
export function hasNonceInMeta ({ headers, body }: { readonly headers: HeaderFields; readonly body: Buffer }): boolean {
  if (!HTML_TYPE.test(fieldText(headers, 'content-type') ?? '') || (!body.includes('nonce-') && !body.includes('NONCE-'))) return false
  return [...body.toString().matchAll(META)].some(([tag]) => OF_POLICY.test(tag) && NONCE_IN_META.test(tag))
}
