import { formatHttpDate, parseEntityTag, strongMatch, variantOf, weakMatch } from '@x/cache-core/suite'
import type { Before, RecordedResponse } from './recorded-response.js'
import { isDigest } from '../rules/conditional.js'
import { isUsedIn, noncesOf } from '../rules/csp-nonce.js'
import { chosenBy, freshnessBy, storableHeaders, selectingHeaders, tagsWithGroups, whyNotStored, type Exchange } from './judge-response.js'
import type { StoredHead } from '../store/stored-response.js'

const NO_BODY = Buffer.alloc(0)

/** The headers that the handler set with its 304, which renews a stored response, and those that hooks had set before it. */
export interface Update { readonly own: RecordedResponse['headers']; readonly before: Before }

/** A stored response with the fields of a 304, and the reason why it must not be stored any more; `undefined`: it may be stored. */
export interface Renewal { readonly head: StoredHead; readonly reason: string | undefined }

/**
 * Renews a stored response by a 304 of its handler. The fields of the 304 replace those of the same name (RFC 9111 §3.2, §4.3.4). `Vary` is
 * matched with the request that the 304 answers. `undefined`: the 304 is for another representation, so the stored response must be neither
 * updated nor served. `requestedAt`: milliseconds of the epoch.
 */
export function renew (exchange: Exchange, stale: StoredHead, update: Update, requestedAt: number): Renewal | undefined {
  const { policy } = exchange
  const match = matchOf(stale, update.own)
  if (match === 'none' || (match !== 'strong' && isRelabelled(stale, update.own))) return undefined
  const receivedAt = Date.now()
  const fields = Object.entries(storableHeaders(update.own)).filter(([name]) => name !== 'content-range' && (match === 'strong' || !isDigest(name)))
  const headers: Record<string, string | string[]> = { ...stale.headers, date: formatHttpDate(receivedAt), ...Object.fromEntries(fields) }
  // With `store: true` the header names that hooks put in `Vary` are not stored, so they are read from the current reply. With
  // `store: 'by-response'` the stored `Vary` contains these names already.
  const before = update.own.vary === undefined && policy.store === 'by-response' ? {} : update.before
  const vary = selectingHeaders({ headers, before }, undefined, policy)
  if (vary === '*') headers.vary = '*'
  else if (policy.store === 'by-response' && vary.length > 0) headers.vary = vary.join(', ')
  // `Age` and `Set-Cookie` of the 304 decide whether the response may be stored, but they are not stored themselves.
  const deciding = Object.fromEntries(['age', 'set-cookie'].filter((name) => update.own[name] !== undefined).map((name) => [name, update.own[name]!]))
  const head = { status: stale.status, headers: { ...headers, ...deciding, ...vary !== '*' && { vary: vary.join(', ') } } }
  const isForOne = isUsedIn(noncesOf({ ...update.before, ...update.own }), { headers, body: NO_BODY })
  const names = vary === '*' ? [] : chosenBy(vary, policy)
  const { isTagOfBody, ...rest } = stale
  return {
    head: {
      ...rest,
      ...update.own.etag === undefined ? { ...isTagOfBody === true && { isTagOfBody } } : { etag: String(update.own.etag) },
      headers,
      freshness: freshnessBy(head, policy, requestedAt),
      receivedAt,
      vary: names,
      variant: variantOf(names, exchange.headers),
      tags: tagsWithGroups(exchange, headers)
    },
    reason: isForOne ? 'csp-nonce' : whyNotStored(exchange, head, policy)
  }
}

/**
 * The match between the validators of a 304 and those of the stored response (RFC 9111 §4.3.4). `'unnamed'`: the 304 has no validator, so
 * it is for the requested representation. An `ETag` that is no entity tag is compared as text.
 */
function matchOf (stale: StoredHead, { etag, 'last-modified': modified }: RecordedResponse['headers']): 'strong' | 'weak' | 'unnamed' | 'none' {
  if (etag !== undefined) {
    const own = stale.etag === undefined ? undefined : parseEntityTag(stale.etag)
    const other = parseEntityTag(String(etag))
    if (other === undefined) return String(etag) === stale.etag ? 'weak' : 'none'
    if (own === undefined) return 'none'
    if (strongMatch(own, other)) return 'strong'
    return other.weak && weakMatch(own, other) ? 'weak' : 'none'
  }
  if (modified === undefined) return 'unnamed'
  return String(modified) === String(stale.headers['last-modified']) ? 'weak' : 'none'
}

/**
 * Whether a 304 names another language or coding than the stored response. Without a strong match of ETags, such a 304 is for another body.
 */
function isRelabelled (stale: StoredHead, own: RecordedResponse['headers']): boolean {
  return ['content-language', 'content-encoding'].some((name) => own[name] !== undefined && String(own[name]) !== String(stale.headers[name]))
}
