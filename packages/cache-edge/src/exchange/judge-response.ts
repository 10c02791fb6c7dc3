import { MAX_TAGS } from '@x/cache-core/implementing'
import { formatHttpDate, freshnessOf, notStored, parseVary, variantOf, type Freshness, type NotStoredReason } from '@x/cache-core/suite'
import type { IncomingHttpHeaders } from 'node:http'
import { labelsIn, type RecordedResponse, type Final } from './recorded-response.js'
import { maySelect } from '../rules/visibility.js'
import { hasNonceInMeta, isUsedIn, noncesOf } from '../rules/csp-nonce.js'
import { groupsIn } from '../rules/cache-groups.js'
import type { Policy } from '../rules/policy.js'
import { groupTag, type TargetUri } from '../store/cache-key.js'
import { NOT_STORED, type StoredHead, type StoredResponse } from '../store/stored-response.js'

/** The request that a response answers, and the policy of its route. */
export interface Exchange {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  /** Whether the response to the request is for this client alone, so that it is not stored. */
  readonly isPersonal: boolean
  readonly policy: Policy
  readonly target: TargetUri
  readonly tags: readonly string[]
  /** The cache groups that each response to the request has, beside those in its `Cache-Groups`. */
  readonly groups: readonly string[]
}

/** The status and the header fields of a response. */
interface Head { readonly status: number; readonly headers: Record<string, string | string[]> }

/** Minimum number of seconds for which a response with a validator is stored after its freshness ends. */
const KEEP_TO_VALIDATE = 60

/** The reason why a response is not stored, in the words of the parameter `detail` of `Cache-Status`. */
export type UnstoredReason = NotStoredReason | 'personal' | 'csp-nonce' | 'serializer' | 'serialized-text' | 'too-large' | 'endless-stream' | 'unsupported-payload' | 'hijacked' | 'cache-groups'

/** A response that is not stored. `reason`: why; `undefined`: another response was sent in its place. */
export interface Unstored {
  readonly reason: UnstoredReason | undefined
  /** The header names in the response's `Vary` that are not part of the cache key. */
  readonly vary?: readonly string[]
  readonly response?: undefined
}

/** The result of judging a response: its stored form, or the reason why it is not stored. */
export type Judgement = { readonly response: StoredResponse; readonly reason?: undefined } | Unstored

/** Judges whether a response may be stored (RFC 9111 §3). `requestedAt`: milliseconds of the epoch. */
export function judge (exchange: Exchange, recorded: RecordedResponse, final: Final, requestedAt: number): Judgement {
  const { policy } = exchange
  // A different status means that another response was sent, such as that of an error handler. The statuses 304 and 412 are excepted, since
  // this plugin sets them itself.
  if (final.status !== recorded.status && final.status !== 304 && final.status !== 412) return { reason: undefined }
  const vary = selectingHeaders(recorded, final.headers.vary, policy)
  const headers: Record<string, string | string[]> = { ...final.headers }
  // A `Content-Encoding` that an onSend hook added is not stored, since the hook encodes the stored body again at each hit.
  if (recorded.headers['content-encoding'] === undefined) delete headers['content-encoding']
  if (vary === '*') headers.vary = '*'
  else if (vary.length > 0) headers.vary = vary.join(', ')
  else delete headers.vary
  const head = { status: recorded.status, headers }
  // The reasons `serializer` (a hook serialised the body for this client) and `csp-nonce` are checked first, since only a change of the app
  // can remove their cause, whatever the lifetime of the response is.
  if (recorded.isSerialisedByHook && !policy.vary.includes('accept')) return { reason: 'serializer' }
  if (isUsedIn(noncesOf(headers), recorded) || hasNonceInMeta(recorded)) return { reason: 'csp-nonce' }
  const reason = whyNotStored(exchange, head, policy)
  if (vary === '*') return { reason: reason ?? 'vary', vary: ['*'] }
  if (reason !== undefined) return { reason, vary: vary.filter((name) => policy.store === 'by-policy' ? !policy.vary.includes(name) : !maySelect(name, policy)) }
  const tags = tagsWithGroups(exchange, headers)
  // Each cache group needs a tag of the entry. A response with more tags than an entry may have is not stored: an invalidation of a group
  // without a tag would miss the response.
  if (tags.length > MAX_TAGS) return { reason: 'cache-groups' }
  const names = chosenBy(vary, policy)
  const receivedAt = Date.now()
  const response: StoredResponse = {
    status: recorded.status,
    // `Date` is the time at which the response was made, not the time at which it is served (RFC 9110 §6.6.1).
    headers: { date: formatHttpDate(receivedAt), ...storableHeaders(recorded.headers) },
    body: recorded.body,
    isText: recorded.isText,
    ...storedTag(recorded, final),
    ...labelsOf(recorded),
    receivedAt,
    freshness: freshnessBy(head, policy, requestedAt),
    vary: names,
    variant: variantOf(names, exchange.headers),
    tags
  }
  return secondsToKeep(response) > 0 ? { response } : { reason: 'no-lifetime' }
}

/** The reason why a response may not be stored; `undefined`: the response may be stored. */
export function whyNotStored (request: Pick<Exchange, 'method' | 'headers'> & Partial<Pick<Exchange, 'isPersonal'>>, head: Head, policy: Policy): UnstoredReason | undefined {
  // A personal request is not stored, since its handler may have read a part of the request that is not in the cache key.
  if (request.isPersonal === true) return 'personal'
  // A response without `Cache-Control` is judged by the `Cache-Control` of the policy, which is sent with the response and may be `public`.
  const headers = policy.cacheControl === undefined || head.headers['cache-control'] !== undefined ? head.headers : { ...head.headers, 'cache-control': policy.cacheControl }
  const keyed = { has: (name: string) => policy.store === 'by-policy' ? policy.vary.includes(name) : maySelect(name, policy) }
  return notStored({ method: request.method, headers: request.headers, hasBody: false }, { status: head.status, headers }, {
    sameForAll: policy.sameForAll, statuses: policy.statuses, hasPolicyLifetime: policy.store === 'by-policy', keyed
  })
}

/** The tags of a stored response: those of its request, and one for each of its cache groups (RFC 9875 §2.1). */
export function tagsWithGroups ({ tags, groups, target }: Exchange, headers: Head['headers']): string[] {
  const all = new Set([...groups, ...groupsIn(headers['cache-groups'])])
  return [...tags, ...[...all].map((group) => groupTag(target, group))]
}

/** The freshness of a response: by the lifetimes in its own headers, otherwise by those of the policy. */
export function freshnessBy (head: Head, policy: Policy, requestedAt: number): Freshness {
  const own = freshnessOf(head, { requestedAt, receivedAt: Date.now() })
  if (own.isExplicit || policy.store !== 'by-policy') return own
  const { lifetime, staleWhileRevalidate, staleIfError, mustRevalidate } = policy
  const isStrict = mustRevalidate || own.mustRevalidate
  return {
    ...own,
    lifetime,
    mustRevalidate: isStrict,
    staleWhileRevalidate: isStrict ? 0 : staleWhileRevalidate,
    staleIfError: isStrict ? 0 : staleIfError
  }
}

/** Seconds for which a stored response is usable: while fresh, in a stale window, or for validation. */
export function secondsToKeep ({ freshness, etag, headers }: StoredHead): number {
  const { lifetime, initialAge, staleWhileRevalidate, staleIfError, noCache } = freshness
  const fresh = noCache ? 0 : Math.max(0, lifetime - initialAge)
  const canBeValidated = etag !== undefined || headers['last-modified'] !== undefined
  return fresh + Math.max(staleWhileRevalidate, staleIfError, canBeValidated ? Math.max(KEEP_TO_VALIDATE, lifetime) : 0)
}

/** The headers of a response that are stored (RFC 9111 §3.1): all except those of the connection and those that `Connection` names. */
export function storableHeaders (headers: Readonly<Record<string, string | string[]>>): Record<string, string | string[]> {
  const named = new Set(String(headers.connection ?? '').toLowerCase().split(',').map((name) => name.trim()))
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_STORED.has(name) && !named.has(name)))
}

/**
 * The request headers that select a response: those that the handler names in `Vary`, and those that hooks before and after the handler
 * name. A hook may have changed what the handler receives, depending on these headers.
 * @param after `Vary` as it was after the last onSend hook
 */
export function selectingHeaders ({ headers, before }: Pick<RecordedResponse, 'headers' | 'before'>, after: Vary, policy: Policy): '*' | string[] {
  const handler = parseVary(headers.vary)
  const inFront = parseVary(before.vary)
  const behind = parseVary(after)
  if (handler === '*' || inFront === '*' || behind === '*') return '*'
  const own = new Set(policy.store === 'by-response' ? [...handler, ...inFront] : handler.filter((name) => !inFront.includes(name)))
  const ofHooks = [...inFront, ...behind].filter((name) => !isOfWrapping(name, headers['content-encoding'] !== undefined))
  return [...new Set([...own, ...ofHooks])].sort()
}

type Vary = string | readonly string[] | undefined

/**
 * Whether a hook names this header in `Vary` for a change that it makes to every response, stored or not: an encoding of the body, or
 * headers of CORS (Fetch, "CORS protocol and HTTP caches"). With `store: true` the handler sees `Origin` and `Accept-Encoding` only if the
 * policy's `vary` names them. Otherwise the handler's response does not depend on these two headers.
 */
function isOfWrapping (name: string, isEncoded: boolean): boolean {
  return name === 'origin' || (name === 'accept-encoding' && !isEncoded)
}

/**
 * The labels of a stored response: `Content-Type` and `Content-Language` as hooks set them before the handler ran. A request whose hooks
 * set other labels does not receive this response.
 */
function labelsOf ({ before }: RecordedResponse): Pick<StoredHead, 'labels'> {
  const given = labelsIn(before)
  return given.length === 0 ? {} : { labels: Object.fromEntries(given.map(([name, value]) => [name, String(value)])) }
}

/** The request headers that select a stored response: those of the policy, and on a by-response route also those in `Vary`. */
export function chosenBy (vary: readonly string[], { store, vary: own }: Policy): string[] {
  return [...new Set(store === 'by-policy' ? own : [...vary, ...own])]
}

/**
 * Returns the ETag of a stored response: the ETag that the app set before any onSend hook, otherwise an ETag that was computed of exactly
 * this body.
 */
function storedTag ({ etag, body }: RecordedResponse, { headers, tagged }: Final): Pick<StoredHead, 'etag' | 'isTagOfBody'> {
  if (etag !== undefined) return { etag }
  const isOfBody = tagged !== undefined && headers.etag === tagged.etag && body.equals(Buffer.from(tagged.body as string))
  return isOfBody ? { etag: tagged.etag, isTagOfBody: true } : { etag: undefined }
}
