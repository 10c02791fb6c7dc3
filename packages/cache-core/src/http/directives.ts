import { parseCacheControl, toCacheControl, type CacheControl } from './cache-control.js'
import { fieldText, listMembers, type HeaderFields } from './header-fields.js'
import { parseDictionary } from './structured-dictionary.js'

/** The status and the header fields of a response. */
export interface ResponseHead { readonly status: number; readonly headers: HeaderFields }

/** The directives of a response that apply to a shared cache at the edge. */
interface Directives {
  readonly control: CacheControl
  /** Whether `CDN-Cache-Control` replaces `Cache-Control` and `Expires`. */
  readonly isTargeted: boolean
  /** The `max-age` of `Surrogate-Control` in seconds; `undefined`: that field has no lifetime. */
  readonly surrogateMaxAge: number | undefined
}

/**
 * Returns the directives that a shared cache at the edge obeys: those of `CDN-Cache-Control` if that field is a dictionary with members,
 * else those of `Cache-Control` (RFC 9213 §2.2). The directives of `Surrogate-Control` count as well, and the stricter ones apply. Fields
 * for the CDN of one vendor are ignored.
 */
export function directivesOf (headers: HeaderFields): Directives {
  const targeted = fieldText(headers, 'cdn-cache-control')
  const members = targeted === undefined ? undefined : parseDictionary(targeted)
  const isTargeted = members !== undefined && members.size > 0
  const control = isTargeted
    ? toCacheControl([...members].map(([name, value]) => ({ name, argument: value === '?1' ? undefined : value })))
    : cacheControlOf(headers)
  const text = fieldText(headers, 'surrogate-control')
  if (text === undefined) return { control, isTargeted, surrogateMaxAge: undefined }
  const surrogate = parseCacheControl(listMembers(text).map(withoutParameters).join(', '))
  return {
    control: {
      ...control,
      noStore: control.noStore || surrogate.noStore,
      noCache: control.noCache || surrogate.noCache,
      isPrivate: control.isPrivate || surrogate.isPrivate
    },
    isTargeted,
    surrogateMaxAge: surrogate.maxAge
  }
}

/**
 * Removes the parameters of a member of `Surrogate-Control` (Edge Architecture 1.0): the name of the surrogate and the stale seconds of
 * `max-age=60+30`.
 */
function withoutParameters (member: string): string {
  return /^(?:[^";]|"(?:[^"\\]|\\.)*"?)*/.exec(member)![0].replace(/^(max-age=\d+)\+\d+[\t ]*$/i, '$1')
}

/** Parses the `Cache-Control` fields of a request or a response, line by line. */
export function cacheControlOf (headers: HeaderFields): CacheControl {
  const field = Object.hasOwn(headers, 'cache-control') ? headers['cache-control'] : undefined
  return parseCacheControl(typeof field === 'number' ? String(field) : field)
}
