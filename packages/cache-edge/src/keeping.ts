import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Captured, Final } from './capture.js'
import { wasFoundPersonal } from './exchange/personal-requests.js'
import { maySelect } from './exchange/visible-headers.js'
import { freshnessOf, notStored, type Freshness } from './freshness.js'
import { withoutWritten } from './headers.js'
import { formatHttpDate } from './http-date.js'
import type { Policy } from './policy.js'
import { NOT_KEPT, type StoredHead, type StoredResponse } from './stored-response.js'
import { parseVary, variantOf } from './vary.js'

/** An answer, and what it answers. */
export interface Exchange {
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly policy: Policy
  readonly tags: readonly string[]
}

/** Status and headers of an answer. */
interface Head { readonly status: number; readonly headers: Record<string, string | string[]> }

/** Seconds for which an entry that can be validated is kept beyond its freshness, at least. */
const KEEP_TO_VALIDATE = 60

/** What of an answer is kept; `undefined` if nothing may be (RFC 9111 §3). `requestedAt`: milliseconds of the epoch. */
export function toStored ({ request, reply, policy, tags }: Exchange, captured: Captured, final: Final, requestedAt: number): StoredResponse | undefined {
  // Another answer went out in the end, such as that of an error handler. A 304 or 412 is ours.
  if (final.status !== captured.status && final.status !== 304 && final.status !== 412) return undefined
  const vary = ownVary(captured, policy)
  const headers: Record<string, string | string[]> = { ...withoutWritten(reply, final.headers) }
  // Whatever encodes the body on its way out does so again for what is served from here.
  if (captured.headers['content-encoding'] === undefined) delete headers['content-encoding']
  if (vary === '*') headers.vary = '*'
  else if (vary.length > 0) headers.vary = vary.join(', ')
  else delete headers.vary
  const head = { status: captured.status, headers }
  if (vary === '*' || whyNotStored(request, head, policy) !== undefined) return undefined
  const names = chosenBy(vary, policy)
  const receivedAt = Date.now()
  const response: StoredResponse = {
    status: captured.status,
    // RFC 9110 §6.6.1: what is kept has the date at which it was made, not the one at which it is served.
    headers: { date: formatHttpDate(receivedAt), ...keptOf(captured.headers) },
    body: captured.body,
    isText: captured.isText,
    ...storedTag(captured, final),
    receivedAt,
    freshness: freshnessBy(head, policy, requestedAt),
    vary: names,
    variant: variantOf(names, request.raw.headers),
    tags
  }
  return secondsToKeep(response) > 0 ? response : undefined
}

/** Why an answer may not be kept; `undefined`: it may. */
export function whyNotStored (request: FastifyRequest, head: Head, policy: Policy): string | undefined {
  // The handler may have looked at what is in no key.
  if (wasFoundPersonal(request)) return 'personal'
  const names = parseVary(head.headers.vary)
  // An answer without a Cache-Control goes out with that of the policy, which may say `public`.
  const headers = policy.cacheControl === undefined || head.headers['cache-control'] !== undefined ? head.headers : { ...head.headers, 'cache-control': policy.cacheControl }
  const keyed = policy.store === 'by-policy' ? policy.vary : names === '*' ? [] : names.filter((name) => maySelect(name, policy))
  return notStored({ method: request.method, headers: request.raw.headers, hasBody: false }, { status: head.status, headers }, {
    sameForAll: policy.sameForAll, statuses: policy.statuses, hasPolicyLifetime: policy.store === 'by-policy', keyed: new Set(keyed)
  })
}

/** The answer's own lifetimes, else those of the policy. */
export function freshnessBy (head: Head, policy: Policy, requestedAt: number): Freshness {
  const own = freshnessOf(head, { requestedAt, receivedAt: Date.now() })
  if (own.isExplicit || policy.store !== 'by-policy') return own
  const { lifetime, staleWhileRevalidate, staleIfError, mustRevalidate } = policy
  const isStrict = mustRevalidate || own.mustRevalidate
  return { ...own, lifetime, mustRevalidate: isStrict, staleWhileRevalidate: isStrict ? 0 : staleWhileRevalidate, staleIfError: isStrict ? 0 : staleIfError }
}

/** Seconds for which an entry is of use: fresh, in a stale window, or to be validated. */
export function secondsToKeep ({ freshness, etag, headers }: StoredHead): number {
  const { lifetime, initialAge, staleWhileRevalidate, staleIfError, noCache } = freshness
  const fresh = noCache ? 0 : Math.max(0, lifetime - initialAge)
  const canBeValidated = etag !== undefined || headers['last-modified'] !== undefined
  return fresh + Math.max(staleWhileRevalidate, staleIfError, canBeValidated ? Math.max(KEEP_TO_VALIDATE, lifetime) : 0)
}

/** The headers by which an answer of a by-response route varies, and which its handler does not see. */
export function hiddenVary ({ headers, before }: Pick<Captured, 'headers' | 'before'>, policy: Policy): string[] {
  const names = policy.store === 'by-response' ? ownVary({ headers, before }, policy) : []
  return names === '*' ? [] : names.filter((name) => !maySelect(name, policy))
}

/** What of an answer's headers is kept (RFC 9111 §3.1): not those of the connection, nor what `Connection` names. */
export function keptOf (headers: Readonly<Record<string, string | string[]>>): Record<string, string | string[]> {
  const named = new Set(String(headers.connection ?? '').toLowerCase().split(',').map((name) => name.trim()))
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_KEPT.has(name) && !named.has(name)))
}

/** The request headers that the handler says it looked at. One that sees nearly all may have looked at what a hook named, too. */
export function ownVary ({ headers, before }: Pick<Captured, 'headers' | 'before'>, { store }: Policy): '*' | string[] {
  const names = parseVary(store === 'by-response' ? [headers.vary ?? [], before.vary ?? []].flat() : headers.vary)
  if (store === 'by-response') return names
  const hooks = parseVary(before.vary)
  return names === '*' || hooks === '*' ? names : names.filter((name) => !hooks.includes(name))
}

/** The request headers that a stored response is selected by: those of the policy, which `Vary` names to the caches in front as well. */
export function chosenBy (vary: readonly string[], { store, vary: own }: Policy): string[] {
  return [...new Set(store === 'by-policy' ? own : [...vary, ...own])]
}

/** The tag of the app's own as it was before any onSend hook, else the one that was computed of just this body. */
function storedTag ({ etag, body }: Captured, { headers, tagged }: Final): Pick<StoredHead, 'etag' | 'isTagOfBody'> {
  if (etag !== undefined) return { etag }
  const isOfBody = tagged !== undefined && headers.etag === tagged.etag && body.equals(Buffer.from(tagged.body as string))
  return isOfBody ? { etag: tagged.etag, isTagOfBody: true } : { etag: undefined }
}
