import { variantOf } from '@x/cache-core/suite'
import type { FastifyCache, Result, TagSnapshot } from '@x/cache-core'
import { shareNow, type SharedEntry } from '@x/cache-core/implementing'
import type { IncomingHttpHeaders } from 'node:http'
import { stateOf } from '../rules/stored-state.js'
import { variantKey } from './cache-key.js'
import { KnownHeads } from './known-heads.js'
import { RequestCounts } from './request-counts.js'
import { encodeIndex, encodeResponse, KnownHead, type StoredHead, type StoredResponse, type VariantIndex } from './stored-response.js'

/** A response that can be sent to a client: a stored one, or one that the handler has just sent. */
export interface Servable {
  readonly head: StoredHead
  /** The time of the read in milliseconds of the epoch, by the clock of the cache; see `timeOf`. Default: the wall clock. */
  readonly readAt?: number
  /** Returns a copy of the response's body, which the caller may change. */
  body (): Buffer
  /**
   * Returns the body in the form that costs least to send. A returned `Buffer` is no copy of the stored bytes, so neither the caller nor
   * code that the caller gives it to may change it.
   */
  sendable (): string | Buffer
  text (): string
}

/** A stored response that was read and that the request selects. `isStale`: the cache reports the response as invalidated or expired. */
export class SelectedVariant implements Servable {
  readonly head: StoredHead
  readonly isStale: boolean
  readonly readAt: number
  readonly #known: KnownHead
  readonly #stored: Uint8Array
  readonly #isShared: boolean

  constructor (known: KnownHead, stored: Uint8Array, entry: { readonly fresh: boolean; readonly age: number }, isShared: boolean) {
    this.head = known.head
    this.isStale = !entry.fresh
    this.readAt = readAtOf(known.head, entry)
    this.#known = known
    this.#stored = stored
    this.#isShared = isShared
  }

  body (): Buffer {
    const body = this.#known.bodyIn(this.#stored)
    return this.#isShared ? Buffer.from(body) : body
  }

  sendable (): string | Buffer { return this.#known.sendableIn(this.#stored, this.#isShared) }

  text (): string { return this.#known.textIn(this.#stored, this.#isShared) }
}

/** A request for which a stored response is selected. `tags`: the known tags of the entry, whose state is read in the same round trip. */
interface Selecting { readonly headers: IncomingHttpHeaders; readonly tags: string[] }

type Read = SelectedVariant | VariantIndex | undefined

/** The result of reading the stored responses of a URL. `isOther`: the URL has representations, but the request selects none of them. */
export interface Lookup { readonly found: SelectedVariant | undefined; readonly isOther: boolean }

/** A cache with an optional synchronous read, which returns the value without a copy. */
type Reads = FastifyCache & { [shareNow]? (key: string): Result<SharedEntry | null> | undefined }

/** The options of a stored entry: its lifetime in seconds, the tags that invalidate it, and their snapshot. */
export interface VariantOptions {
  readonly ttl: number; readonly staleIfError: number; readonly tags: string[]; readonly snapshot: TagSnapshot
}

const NOTHING: Lookup = { found: undefined, isOther: false }
const OTHER: Lookup = { found: undefined, isOther: true }

/** The variants (stored responses) of URLs in a cache, with a maximum number per URL (RFC 9111 §4.1). */
export class Variants {
  readonly #max: number
  readonly #requests = new RequestCounts()
  readonly #heads: KnownHeads

  constructor (max: number, onCorrupt: (key: string) => void) {
    this.#max = max
    this.#heads = new KnownHeads(onCorrupt)
  }

  /** Reads the stored response of a URL that a request selects. */
  find (cache: FastifyCache, key: string, request: Selecting): Lookup | Promise<Lookup> {
    const first = this.#read(cache, key, request)
    // If the value is no promise, it is used at once, so that a hit in memory does not wait.
    if (!(first instanceof Promise)) return this.#select(cache, key, request, first)
    return first.then((read) => this.#select(cache, key, request, read))
  }

  #select (cache: FastifyCache, key: string, request: Selecting, first: Read): Lookup | Promise<Lookup> {
    if (first === undefined) return NOTHING
    const { headers } = request
    if (first instanceof SelectedVariant) return toLookup(first, headers)
    const own = variantKey(key, variantOf(first.vary, headers))
    this.#requests.add(own)
    const second = this.#read(cache, own, request)
    return second instanceof Promise ? second.then((read) => ofVariant(read, headers)) : ofVariant(second, headers)
  }

  /**
   * Stores a response as a variant of its URL. `false`: the cache refuses the response, or the URL has the maximum number of
   * representations, and each of them was requested more often than the new one.
   * @param uriTag the tag that all representations of the URL have
   */
  async store (cache: FastifyCache, key: string, response: StoredResponse, uriTag: string, options: VariantOptions): Promise<boolean> {
    if (response.vary.length === 0) return (await cache.set(key, encodeResponse(response), options)).ok
    const own = variantKey(key, response.variant)
    const first = await this.#read(cache, key, { tags: [...response.tags] })
    const now = Date.now()
    // An index whose names of `Vary` differ from those of this response is dropped, since its variants were selected by other headers.
    const before = first !== undefined && 'variants' in first && first.vary.join() === response.vary.join() ? first : undefined
    // If the URL has no index, the look-up has not counted this request yet.
    if (before === undefined) this.#requests.add(own)
    const places = before === undefined ? new Map<string, number>() : placesOf(before, key, now)
    const until = now + (options.ttl + options.staleIfError) * 1000
    const replaced = places.has(own) ? [] : this.#toReplace(places, own)
    if (replaced === undefined) return false
    for (const other of replaced) places.delete(other)
    places.set(own, until)
    const index = toIndex(response.vary, places)
    // The lifetime of the index is that of its last variant. The index has only the tag that all variants have, so that no other tag
    // invalidates it.
    const { snapshot } = options
    if (!(await cache.set(key, encodeIndex(index), { ttl: (index.until - now) / 1000, tags: [uriTag], snapshot })).ok) return false
    await Promise.all(replaced.map((other) => cache.del(other)))
    return (await cache.set(own, encodeResponse(response), options)).ok
  }

  /**
   * The keys of the representations that a new one replaces: those with the fewest requests, and, among equal numbers, those that expire
   * first. `undefined`: each stored representation was requested more often than the new one. A header value that is sent once therefore
   * replaces no representation in use.
   */
  #toReplace (places: ReadonlyMap<string, number>, own: string): string[] | undefined {
    const excess = places.size + 1 - this.#max
    if (excess <= 0) return []
    const ranked = [...places].map(([key, until]) => ({ key, until, requests: this.#requests.of(key) }))
    const replaced = ranked.sort((a, b) => a.requests - b.requests || a.until - b.until).slice(0, excess)
    // A representation with an equal count may be replaced; otherwise the first variants could never be replaced.
    return replaced.at(-1)!.requests > this.#requests.of(own) ? undefined : replaced.map(({ key }) => key)
  }

  /** Counts a request for a variant, if the variant was read without `find`, which counts the request itself. */
  countRequest (own: string): void {
    this.#requests.add(own)
  }

  #read (cache: Reads, key: string, request: Pick<Selecting, 'tags'>): Read | Promise<Read> {
    const shared = cache[shareNow]?.(key)
    if (shared !== undefined) return this.#decode(key, shared, true)
    return cache.getEntry(key, { tags: request.tags }).then((result) => this.#decode(key, result, false))
  }

  /** Removes the decoded heads of stored responses, since the cache was cleared. */
  clear (): void {
    this.#heads.clear()
  }

  #decode (key: string, result: Result<SharedEntry | null>, isShared: boolean): Read {
    if (!result.ok || result.value === null) return undefined
    const { value: stored } = result.value
    const known = this.#heads.read(key, stored, isShared)
    return known instanceof KnownHead ? new SelectedVariant(known, stored as Uint8Array, result.value, isShared) : known
  }
}

/** The time at which a stored response was read, in milliseconds of the epoch, by the clock of the cache. */
export function readAtOf ({ receivedAt }: Pick<StoredHead, 'receivedAt'>, { age }: { readonly age: number }): number {
  // An age that is not known (`NaN`) counts as 0.
  return receivedAt + (age > 0 ? age * 1000 : 0)
}

/**
 * The time at which a response is used, in milliseconds of the epoch: the later one of the wall clock and the clock of the cache. A
 * response therefore becomes no younger if the wall clock is set back.
 */
export function timeOf ({ readAt = -Infinity }: Pick<Servable, 'readAt'>): number {
  return Math.max(Date.now(), readAt)
}

/**
 * A response that the handler has just sent, in a form that can be served. `body` gives a copy each time, since an onSend hook may change
 * it in place while other requests wait for the response; `sendable` gives the recorded bytes.
 */
export function servable (response: StoredResponse): Servable {
  return { head: response, body: () => Buffer.from(response.body), sendable: () => response.body, text: () => response.body.toString() }
}

/** Whether a stored response may be served in place of a failed response (stale-if-error). */
export function isStaleAllowed (found: SelectedVariant): boolean {
  return stateOf(found.head, found.isStale, timeOf(found)) !== 'to-validate'
}

/**
 * The variants in an index that have not expired, with their expiry in milliseconds of the epoch. Keys of other URLs, which foreign
 * software may have written, are ignored, since the entries of those URLs would be deleted.
 */
function placesOf ({ variants, untils, until }: VariantIndex, key: string, now: number): Map<string, number> {
  const places = variants.map((variant, at): [string, number] => [variant, untils?.[at] ?? until])
  return new Map(places.filter(([variant, until]) => until > now && variant.startsWith(`${key}:`)))
}

function toIndex (vary: readonly string[], places: ReadonlyMap<string, number>): VariantIndex {
  const untils = [...places.values()]
  return { vary, variants: [...places.keys()], untils, until: Math.max(...untils) }
}

/**
 * The result of a look-up that found this stored response. The header values are compared, since two different values may have the same
 * hash.
 */
function toLookup (found: SelectedVariant, headers: IncomingHttpHeaders): Lookup {
  return matches(found.head, headers) ? { found, isOther: false } : OTHER
}

/** The result of a look-up whose second read, by the key of a variant, gave this value. */
function ofVariant (read: Read, headers: IncomingHttpHeaders): Lookup {
  return read instanceof SelectedVariant ? toLookup(read, headers) : OTHER
}

/** Whether the headers of a request select this stored response. */
export function matches (head: StoredHead, headers: IncomingHttpHeaders): boolean {
  if (head.vary.length === 0) return true
  return head.variant === variantOf(head.vary, headers)
}
