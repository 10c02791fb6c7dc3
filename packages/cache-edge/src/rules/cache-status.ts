import { joinLines } from '@x/cache-core/suite'

const TOKEN = /^[A-Za-z*][!#$%&'*+\-.^_`|~:/\dA-Za-z]*$/
// RFC 8941 §3.3.1.
const MAX_INTEGER = 999_999_999_999_999

/** Why a request went on to the handler (RFC 9211 §2.2). */
export type Forwarded = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'miss' | 'request' | 'stale' | 'partial'

/** The member of one cache in `Cache-Status`: `hit` and `fwd` exclude each other. */
export type CacheStatus = CacheHit | CacheForward

interface Remarks {
  /** Seconds that the response stays fresh; below `0`: since when it is stale. */
  readonly ttl?: number
  /** For people; `key` shows internals. */
  readonly key?: string
  readonly detail?: string
}

export interface CacheHit extends Remarks { readonly hit: true; readonly fwd?: undefined }

export interface CacheForward extends Remarks {
  readonly fwd: Forwarded
  readonly hit?: undefined
  /** Status of the handler's response. */
  readonly fwdStatus?: number
  readonly stored?: boolean
  /** Whether the request waited for the response to another one. */
  readonly collapsed?: boolean
}

/** One member of `Cache-Status` (RFC 9211 §2), for the cache of this name. */
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

/** The field with a member behind those of the caches nearer to the origin (RFC 9211 §2). */
export function appendCacheStatus (existing: string | readonly string[] | undefined, own: string): string {
  const upstream = joinLines(existing)
  return upstream === undefined || upstream.trim() === '' ? own : `${upstream}, ${own}`
}

/** RFC 8941 §3.3.1: fractions are cut; what is no number is left out. */
function integer (name: string, value: number | undefined): string[] {
  if (value === undefined || Number.isNaN(value)) return []
  return [`${name}=${Math.trunc(Math.min(Math.max(value, -MAX_INTEGER), MAX_INTEGER))}`]
}

function textItem (text: string): string {
  return TOKEN.test(text) ? text : quoted(text)
}

/** A string of RFC 8941 §3.3.3, which has no other characters than those of ASCII that print. */
function quoted (text: string): string {
  return `"${text.replace(/[^ -~]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
