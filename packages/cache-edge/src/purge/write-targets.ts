import { pathTag, uriTags, type TargetUri } from '../store/cache-key.js'

/** The header fields of a response to a write that refer to further changed targets. */
export interface WriteReferences { readonly location: unknown; readonly contentLocation: unknown }

/**
 * The internal tags of the target URIs that a write has changed (RFC 9111 §4.4): the target of the request itself, and those in `Location`
 * and `Content-Location`.
 * @param own the targets of the request: one, or two if a hook rewrote the URL
 * @param hasPathTags whether stored responses may answer other URLs of their path
 */
export function tagsOfWrite (own: readonly TargetUri[], { location, contentLocation }: WriteReferences, hasPathTags: boolean): Set<string> {
  const named = own.flatMap((target) => [location, contentLocation].flatMap((reference) => {
    const url = sameOrigin(target, reference)
    return url === undefined ? [] : [{ ...target, url }]
  }))
  const targets = [...own, ...named]
  return new Set([...targets.flatMap(uriTags), ...hasPathTags ? targets.map(pathTag) : []])
}

/** The path and query of a reference to the same origin; `undefined`: the reference has another origin, or is no URL. */
function sameOrigin ({ scheme, host, url }: TargetUri, reference: unknown): string | undefined {
  if (typeof reference !== 'string' && !(reference instanceof URL)) return undefined
  // The base URL may be invalid: the host may be empty (HTTP/1.0), or contain characters that no URL may have.
  const base = toUrl(`${scheme}://${host}`)
  if (base === undefined) return undefined
  const own = toUrl(url.startsWith('/') ? base.origin + url : url) ?? base
  const resolved = toUrl(String(reference), own.href)
  return resolved?.origin === base.origin ? resolved.pathname + resolved.search : undefined
}

function toUrl (text: string, base?: string): URL | undefined {
  return URL.canParse(text, base) ? new URL(text, base) : undefined
}
