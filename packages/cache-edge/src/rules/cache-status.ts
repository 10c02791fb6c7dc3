import { joinLines } from '@x/cache-core/suite'

const TOKEN = /^[A-Za-z*][!#$%&'*+\-.^_`|~:/\dA-Za-z]*$/
// The largest integer of a structured field (RFC 9651 §3.3.1).
const MAX_INTEGER = 999_999_999_999_999

/** The reason why a request is forwarded to the handler (RFC 9211 §2.2). */
export type Forwarded = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'miss' | 'request' | 'stale' | 'partial'

/** The member of one cache in `Cache-Status`: `hit` and `fwd` exclude each other. */
export type CacheStatus = CacheHit | CacheForward

interface Remarks {
  /** Seconds for which the stored response stays fresh; negative: seconds since it became stale. */
  readonly ttl?: number
  /** The cache key. The edge does not set this member, since its keys are internal. */
  readonly key?: string
  /** The reason in words, which helps people to debug the cache. */
  readonly detail?: string
}

export interface CacheHit extends Remarks { readonly hit: true; readonly fwd?: undefined }

export interface CacheForward extends Remarks {
  readonly fwd: Forwarded
  readonly hit?: undefined
  /** The status of the handler's response; absent if no handler ran. */
  readonly fwdStatus?: number
  readonly stored?: boolean
  /** Whether the request waited for the response to another request. */
  readonly collapsed?: boolean
}

/** Returns the member of one cache in `Cache-Status` (RFC 9211 §2), for the cache with this name. */
export function cacheStatus (name: string, status: CacheStatus): string {
  const parameters = [textItem(name)]
  if (status.hit) {
    parameters.push('hit')
  } else {
    parameters.push(`fwd=${status.fwd}`, ...integer('fwd-status', status.fwdStatus))
  }
  parameters.push(...integer('ttl', status.ttl))
  if (!status.hit && status.stored) parameters.push('stored')
  if (!status.hit && status.collapsed) parameters.push('collapsed')
  if (status.key !== undefined) parameters.push(`key=${quoted(status.key)}`)
  if (status.detail !== undefined) parameters.push(`detail=${textItem(status.detail)}`)
  return parameters.join('; ')
}

/** The `Cache-Status` field with the member of this cache after those of the caches nearer to the origin (RFC 9211 §2). */
export function appendCacheStatus (existing: string | readonly string[] | undefined, own: string): string {
  const upstream = joinLines(existing)
  return upstream === undefined || upstream.trim() === '' ? own : `${upstream}, ${own}`
}

/** A parameter of `Cache-Status` with an integer (RFC 9651 §3.3.1): fractions are truncated; a parameter without a number is omitted. */
function integer (name: string, value: number | undefined): string[] {
  if (value === undefined || Number.isNaN(value)) return []
  return [`${name}=${Math.trunc(Math.min(Math.max(value, -MAX_INTEGER), MAX_INTEGER))}`]
}

function textItem (text: string): string {
  return TOKEN.test(text) ? text : quoted(text)
}

/** A quoted string for `Cache-Status` (RFC 9651 §3.3.3), which may have only printable ASCII characters. */
function quoted (text: string): string {
  return `"${text.replace(/[^ -~]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
