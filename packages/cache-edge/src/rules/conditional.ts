import { fieldText, parseEntityTag, parseEntityTags, parseHttpDate, strongMatch, weakMatch, type EntityTag, type HeaderFields } from '@x/cache-core/suite'
import { isRead } from './methods.js'

/** The result of a request's preconditions, such as `If-None-Match`: the response is sent as without preconditions, as 304, or as 412. */
export type PreconditionResult = 'send' | 'not-modified' | 'precondition-failed'

/** The selected representation, as the response without preconditions would show it. */
export interface Selected {
  /** Status of the response without preconditions; before the handler of an unsafe method, the expected status. */
  readonly status: number
  /** The value of the field `ETag`; a value that is not an entity tag is ignored. */
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  /**
   * Suffixes that a proxy in front adds to the ETags of compressed responses; `If-None-Match` matches with and without one. Default: none.
   */
  readonly etagSuffixes?: readonly string[] | undefined
  /** The present time in milliseconds of the epoch. Default: the time of `Date.now`. */
  readonly now?: number
}

// Methods whose preconditions are ignored, since they neither select nor modify a representation (RFC 9110 §13.2.1).
const METHODS_WITHOUT_CONDITIONS = new Set(['CONNECT', 'OPTIONS', 'TRACE'])

/**
 * Evaluates the preconditions of RFC 9110 §13.1 in the order of §13.2.2. Call it after the handler for GET, HEAD and QUERY, and before the
 * handler for an unsafe method. The handler of an unsafe method must not run if the result is `precondition-failed`; otherwise a change
 * that was made would be reported as failed. The condition `*` means that a representation exists. For GET, HEAD and QUERY this is always
 * assumed, for other methods if `etag` or `lastModified` is given.
 */
export function evaluate (request: { readonly method: string; readonly headers: HeaderFields }, response: Selected): PreconditionResult {
  const { method, headers } = request
  const { status } = response
  if (METHODS_WITHOUT_CONDITIONS.has(method)) return 'send'
  // Preconditions are ignored if the response is an error, which is then sent as it is (RFC 9110 §13.2.1).
  if ((status < 200 || status > 299) && status !== 412) return 'send'

  const now = response.now ?? Date.now()
  const isReading = isRead(method)
  const tag = response.etag === undefined ? undefined : parseEntityTag(response.etag)
  const modified = response.lastModified === undefined ? undefined : parseHttpDate(response.lastModified, now)
  const exists = isReading || response.etag !== undefined || response.lastModified !== undefined
  const matches = (field: string, isEqual: (one: EntityTag, other: EntityTag) => boolean): boolean => {
    const tags = parseEntityTags(field)
    return tags === '*' ? exists : tag !== undefined && tags.some((other) => isEqual(tag, other))
  }

  const ifMatch = fieldText(headers, 'if-match')
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, strongMatch)) return 'precondition-failed'
  } else {
    const since = dateOf(headers, 'if-unmodified-since', now)
    if (since !== undefined && modified !== undefined && modified > since) return 'precondition-failed'
  }

  const ifNoneMatch = fieldText(headers, 'if-none-match')
  if (ifNoneMatch !== undefined) {
    // `If-Match`, the precondition of a change, refers to exact bytes, so it is compared with the ETag without suffixes.
    const { etagSuffixes = [] } = response
    if (!matches(ifNoneMatch, etagSuffixes.length === 0 ? weakMatch : (own, other) => weakMatch(own, other) || hasSuffix(own, other, etagSuffixes))) return 'send'
    return isReading ? 'not-modified' : 'precondition-failed'
  }
  if (!isReading) return 'send'
  const since = dateOf(headers, 'if-modified-since', now)
  // An `If-Modified-Since` in the future is ignored: no response of this server has such a date, and it would hide each change until then.
  if (since === undefined || modified === undefined || since > now) return 'send'
  return modified <= since ? 'not-modified' : 'send'
}

/** Whether the client's ETag equals the ETag of the response plus one of the suffixes. */
function hasSuffix (own: EntityTag, { opaque }: EntityTag, suffixes: readonly string[]): boolean {
  return opaque.startsWith(own.opaque) && suffixes.includes(opaque.slice(own.opaque.length))
}

/** Whether a request has a precondition, such as `If-None-Match`. */
export function isConditional (headers: HeaderFields): boolean {
  return headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined || headers['if-match'] !== undefined || headers['if-unmodified-since'] !== undefined
}

const DIGESTS = new Set(['content-digest', 'repr-digest', 'digest', 'content-md5'])
/** The headers of the 200 that a 304 omits; see {@link isDroppedFrom304}. */
export const DROPPED_FROM_304: ReadonlySet<string> = new Set([
  'content-length', 'content-type', 'content-encoding', 'content-language', 'content-range', 'accept-ranges', 'transfer-encoding', 'trailer', ...DIGESTS
])

/**
 * Whether a 304 omits this header of the 200, since it describes a body that is not sent (RFC 9110 §15.4.5). `Last-Modified` is not omitted
 * here: the caller sends it only without an `ETag`.
 */
export function isDroppedFrom304 (name: string): boolean {
  return DROPPED_FROM_304.has(name.toLowerCase())
}

/** Whether a lower-case field name is that of a digest, which is valid for one sequence of bytes only. */
export function isDigest (name: string): boolean {
  return DIGESTS.has(name)
}

/**
 * The date in a header field, in milliseconds of the epoch. An invalid date or a list of dates counts as absent (RFC 9110 §13.1.3,
 * §13.1.4).
 */
function dateOf (headers: HeaderFields, name: string, now: number): number | undefined {
  const text = fieldText(headers, name)
  return text === undefined ? undefined : parseHttpDate(text, now)
}
