import { RESPONSE_KEYS } from '@x/cache-core/suite'
import { createHash } from 'node:crypto'
import { pathOf } from './path.js'

/** The prefix of each internal tag that is made of a target URI, before its colon. */
export const TAG_PREFIX = 'edge-uri'

/** The target URI of a request. */
export interface TargetUri {
  readonly scheme: string
  readonly host: string
  /** The raw request target that the router read, with its query. */
  readonly url: string
  /** The raw request target that the client sent, if `rewriteUrl` replaced it. */
  readonly originalUrl?: string
}

/**
 * Returns the cache key of a target URI (RFC 9111 §4), which may have any length and any characters. Scheme and host are compared in lower
 * case, the rest byte for byte, since the router and the handler see it unchanged. `app` makes the keys of apps that share a store
 * different. Their tags are the same, so that a write to a target invalidates its responses in all apps.
 */
export function responseKey (target: TargetUri, app?: string): string {
  const own = parts(target)
  // The hashed list has three or four parts without an app, and five or six with one, so that the two kinds of keys are never equal.
  return `${RESPONSE_KEYS}:${digest(app === undefined ? own : [app, ...own, 'app'])}`
}

/** Returns the cache key of one variant of a URL; `variant` is a text of `variantOf`, `key` the cache key of the URL. */
export function variantKey (key: string, variant: string): string {
  return `${key}:${digest(variant)}`
}

/**
 * Returns the tag that all variants of a target URI have, so that an unsafe method invalidates them (RFC 9111 §4.4). The tag has 52
 * characters.
 */
export function uriTag ({ scheme, host, url }: TargetUri): string {
  return `${TAG_PREFIX}:${digest(parts({ scheme, host, url }))}`
}

/**
 * A tag of the responses that may answer other URLs of their path (`No-Vary-Search`): an unsafe method to any URL of the path invalidates
 * them.
 */
export function pathTag (target: TargetUri): string {
  return `${TAG_PREFIX}:${digest([...originOf(target), pathOf(target.url), 'path'])}`
}

/** Returns the tags of a target URI: one tag, or two if `rewriteUrl` replaced the URL: one for each of the two URLs. */
export function uriTags (target: TargetUri): string[] {
  const tag = uriTag(target)
  return target.originalUrl === undefined ? [tag] : [tag, uriTag({ ...target, url: target.originalUrl })]
}

/** The prefix of each internal tag that is made of a cache group, before its colon. */
export const GROUP_PREFIX = 'edge-group'

/** A tag of the responses of one origin in a cache group (RFC 9875 §2.1): the same group of another origin has another tag. */
export function groupTag (target: TargetUri, group: string): string {
  return `${GROUP_PREFIX}:${digest([...originOf(target), group])}`
}

/**
 * A tag that each invalidation of a cache group of this origin invalidates first. The groups of a response are known only once its handler
 * has run, so the snapshot of a handler run contains this tag to detect that a group was invalidated during the run. No stored response has
 * this tag.
 */
export function anyGroupTag (target: TargetUri): string {
  return `${GROUP_PREFIX}:${digest(originOf(target))}`
}

function parts (target: TargetUri): string[] {
  const { url, originalUrl } = target
  const own = [...originOf(target), url]
  return originalUrl === undefined ? own : [...own, originalUrl]
}

/** Returns scheme and host of a target URI in lower case, since both are compared without regard to case (RFC 9110 §4.2.3). */
function originOf ({ scheme, host }: TargetUri): string[] {
  return [scheme.toLowerCase(), host.toLowerCase()]
}

// The hash is computed of JSON text: two different lists never have the same text, whatever characters their parts have.
function digest (value: string | readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url')
}

/** The maximum length of a URI, in characters, whose cache key and tags are remembered. */
const MAX_CACHED_LENGTH = 1000

/** The cache key of one target URI, and its internal tags. */
export interface TargetNames { readonly key: string; readonly tags: readonly string[] }

/** The cache keys and tags of the targets at one origin, by their URL. */
interface OriginNames { readonly scheme: string; readonly host: string; readonly names: Map<string, TargetNames> }

/**
 * A bounded cache of keys and tags, since a hash takes longer than the rest of a hit. When the cache is full, the origins lose their oldest
 * entries in turn. The table has two levels, origin and URL: to join both to one text would take longer than two look-ups.
 */
export class Names {
  static readonly MAX = 5000
  readonly #origins = new Map<string, OriginNames>()
  readonly #app: string | undefined
  #last: OriginNames | undefined
  #size = 0

  constructor (app?: string) {
    this.#app = app
  }

  of (target: TargetUri): TargetNames {
    const { scheme, host, url, originalUrl } = target
    const origin = this.#originOf(scheme, host)
    // A line break separates the two URLs, since HTTP allows no line break in a URL. A target with a line break is not cached.
    const text = originalUrl === undefined ? url : `${url}\n${originalUrl}`
    const known = origin?.names.get(text)
    if (known !== undefined) return known
    const names = { key: responseKey(target, this.#app), tags: uriTags(target) }
    const whole = `${scheme}\n${host}\n${text}`
    if (whole.length <= MAX_CACHED_LENGTH && whole.split('\n').length === (originalUrl === undefined ? 3 : 4)) this.#add(scheme, host, text, names)
    return names
  }

  #originOf (scheme: string, host: string): OriginNames | undefined {
    if (this.#last?.host === host && this.#last.scheme === scheme) return this.#last
    const origin = this.#origins.get(`${scheme}\n${host}`)
    if (origin !== undefined) this.#last = origin
    return origin
  }

  #add (scheme: string, host: string, text: string, names: TargetNames): void {
    if (this.#size >= Names.MAX) this.#evict()
    let origin = this.#originOf(scheme, host)
    if (origin === undefined) this.#origins.set(`${scheme}\n${host}`, origin = { scheme, host, names: new Map() })
    origin.names.set(text, names)
    this.#size++
  }

  /** Removes the oldest entry of one origin: the origin for which the last such removal was longest ago. */
  #evict (): void {
    const [name, origin] = this.#origins.entries().next().value!
    origin.names.delete(origin.names.keys().next().value!)
    this.#size--
    this.#origins.delete(name)
    if (origin.names.size > 0) this.#origins.set(name, origin)
    else if (this.#last === origin) this.#last = undefined
  }
}
