import { createHash } from 'node:crypto'

/** Stands before the colon of each key of a stored response. */
export const KEY_PREFIX = 'edge'
/** Stands before the colon of each tag of a target URI. */
export const TAG_PREFIX = 'edge-uri'

/** The target URI of a request: `url` is the raw request target, with its query. */
export interface TargetUri { readonly scheme: string; readonly host: string; readonly url: string }

/**
 * The cache key of a target URI (RFC 9111 §4), of any length and any characters. Scheme and host are compared in lower
 * case; path and query as sent, since which of them are equal is up to the application; a fragment is cut.
 */
export function responseKey (target: TargetUri): string {
  return `${KEY_PREFIX}:${digest(parts(target))}`
}

/** The key of one variant (see `variantOf`) of the response with this key. */
export function variantKey (key: string, variant: string): string {
  return `${key}:${digest(variant)}`
}

/** A tag that all variants of a target URI have, so that an unsafe method invalidates them (RFC 9111 §4.4). 52 characters. */
export function uriTag (target: TargetUri): string {
  return `${TAG_PREFIX}:${digest(parts(target))}`
}

function parts ({ scheme, host, url }: TargetUri): string[] {
  const hash = url.indexOf('#')
  return [scheme.toLowerCase(), host.toLowerCase(), hash < 0 ? url : url.slice(0, hash)]
}

// Of JSON: no two lists have the same text, whatever separators a client puts into the parts.
function digest (value: string | readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url')
}

/** Characters of a URI whose names are remembered. */
const MAX_REMEMBERED = 1000

/** The names of one target URI. */
export interface TargetNames { readonly key: string; readonly tag: string }

/** Names that were worked out before: a hash takes longer than all else that a hit does. The oldest are forgotten. */
export class Names {
  static readonly MAX = 5000
  readonly #known = new Map<string, TargetNames>()

  of (target: TargetUri): TargetNames {
    const { scheme, host, url } = target
    // None of the three can hold a line break in HTTP; what has one all the same is not remembered.
    const text = `${scheme}\n${host}\n${url}`
    let names = this.#known.get(text)
    if (names === undefined) {
      names = { key: responseKey(target), tag: uriTag(target) }
      if (text.length > MAX_REMEMBERED || text.split('\n').length > 3) return names
      if (this.#known.size >= Names.MAX) this.#known.delete(this.#known.keys().next().value!)
      this.#known.set(text, names)
    }
    return names
  }
}
