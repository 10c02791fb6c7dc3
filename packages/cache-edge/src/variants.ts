import type { FastifyCache } from '@x/cache-core'
import type { IncomingHttpHeaders } from 'node:http'
import { variantKey } from './key.js'
import { decode, encodeIndex, encodeResponse, KnownResponse, type StoredResponse } from './stored-response.js'
import { variantOf } from './vary.js'

/** What lies under a key: the response, and whether the cache takes it for invalidated or over. */
export interface Found { readonly response: StoredResponse; readonly isStale: boolean }

/** What a look-up came upon. `isOther`: the URL has representations, but none for this request. */
export interface Lookup { readonly found: Found | undefined; readonly isOther: boolean }

const MAX_KNOWN = 1000

/** Keeps the representations of URLs in a cache, a bounded number each (RFC 9111 §4.1). */
export class Variants {
  readonly #max: number
  readonly #onCorrupt: (key: string) => void
  readonly #known = new Map<string, KnownResponse>()

  constructor (max: number, onCorrupt: (key: string) => void) {
    this.#max = max
    this.#onCorrupt = onCorrupt
  }

  /** @param tags of the entry, as far as they are known: all in one round trip */
  async find (cache: FastifyCache, key: string, headers: IncomingHttpHeaders, tags: string[]): Promise<Lookup> {
    const first = await this.#read(cache, key, tags)
    if (first === undefined) return { found: undefined, isOther: false }
    if ('response' in first) return toLookup(first, headers)
    const variant = variantOf(first.index.vary, headers)
    const second = await this.#read(cache, variantKey(key, variant), tags)
    return second !== undefined && 'response' in second ? toLookup(second, headers) : { found: undefined, isOther: true }
  }

  /** Keeps a response; `false` if its URL has as many representations as it may, or the cache refuses. */
  async keep (cache: FastifyCache, key: string, response: StoredResponse, options: Parameters<FastifyCache['set']>[2] & object): Promise<boolean> {
    if (response.vary.length === 0) return (await cache.set(key, encodeResponse(response), options)).ok
    const own = variantKey(key, response.variant)
    const first = await this.#read(cache, key, [...response.tags])
    // Other names than before: the old representations can no longer be told apart from the new ones.
    const variants = first !== undefined && 'index' in first && first.index.vary.join() === response.vary.join() ? first.index.variants : []
    if (!variants.includes(own)) {
      if (variants.length >= this.#max) return false
      const index = encodeIndex({ vary: response.vary, variants: [...variants, own] })
      if (!(await cache.set(key, index, options)).ok) return false
    }
    return (await cache.set(own, encodeResponse(response), options)).ok
  }

  /** What lies under a key, decoded; what was read before is not parsed again. */
  #decode (key: string, stored: unknown): ReturnType<typeof decode> {
    const known = this.#known.get(key)
    const response = known?.read(stored)
    if (response !== undefined) return { response }
    const kept = decode(stored)
    if (kept === undefined || !('response' in kept)) return kept
    if (this.#known.size >= MAX_KNOWN) this.#known.delete(this.#known.keys().next().value!)
    this.#known.set(key, new KnownResponse(stored as Uint8Array, kept.response))
    return kept
  }

  async #read (cache: FastifyCache, key: string, tags: string[]): Promise<Found | { readonly index: { vary: readonly string[]; variants: readonly string[] } } | undefined> {
    const result = await cache.getEntry<unknown>(key, { tags })
    if (!result.ok || result.value === null) return undefined
    const kept = this.#decode(key, result.value.value)
    if (kept === undefined) {
      this.#onCorrupt(key)
      return undefined
    }
    return 'index' in kept ? kept : { response: kept.response, isStale: !result.value.fresh }
  }
}

/** A hash is no proof: what is served was stored for exactly these headers. */
function toLookup (found: Found, headers: IncomingHttpHeaders): Lookup {
  const isRight = matches(found.response, headers)
  return { found: isRight ? found : undefined, isOther: !isRight }
}

/** Whether a request chooses this representation. */
export function matches (response: StoredResponse, headers: IncomingHttpHeaders): boolean {
  if (response.vary.length === 0) return true
  return response.variant === variantOf(response.vary, headers)
}
