/** The number of different hashes of a cache key, 2^32. */
export const HASHES = 2 ** 32

/**
 * The hash of a key, by which keys are sampled: a whole number from 0 to 2^32 - 1, the same in every process, not secret. It is FNV-1a
 * (Fowler, Noll, Vo) over UTF-16 code units, which needs no Buffer, followed by MurmurHash3's `fmix32` (Appleby). Samples
 * depend on the upper bits, which FNV-1a alone mixes badly for short keys.
 */
export function hashKey (key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return mix(hash)
}

/** MurmurHash3's `fmix32`: spreads each of 32 bits over all 32 bits; the result is unsigned. */
export function mix (hash: number): number {
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b)
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35)
  return (hash ^ hash >>> 16) >>> 0
}

/** Hashes the keys of an app. The last hash is cached, since one operation needs the hash of its key several times. */
export class KeyHasher {
  #key = ''
  #hash = hashKey('')

  of (key: string): number {
    if (key !== this.#key) {
      this.#key = key
      this.#hash = hashKey(key)
    }
    return this.#hash
  }
}
