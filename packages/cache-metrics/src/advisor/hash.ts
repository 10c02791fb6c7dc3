import { createHash } from 'node:crypto'

/** The number of possible hashes of a cache key, 2^32. */
export const HASHES = 2 ** 32

/**
 * The hash of a key, by which keys are sampled: a whole number from 0 to 2^32 - 1, which is the same in every process and not secret. It is
 * FNV-1a (Fowler, Noll, Vo) over UTF-16 code units, which needs no Buffer, followed by MurmurHash3's `fmix32` (Appleby). Samples depend on
 * the upper bits, which FNV-1a alone mixes badly for short keys.
 */
export function hashKey (key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return mix(hash)
}

/** Applies `fmix32` of MurmurHash3: each of the 32 bits affects all bits of the result, which is unsigned. */
export function mix (hash: number): number {
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b)
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35)
  return (hash ^ hash >>> 16) >>> 0
}

/** The secret key of HalfSipHash, 64 bits as two words of 32 bits. */
export type Salt = readonly [number, number]

/** Derives the key of HalfSipHash from a secret text. */
export function saltOf (secret: string): Salt {
  const digest = createHash('sha256').update(secret).digest()
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)]
}

/**
 * HalfSipHash-2-4 of a hash (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012), 32 bits, unsigned. Without the salt, the
 * cache key cannot be found from the result by hashing all possible keys, such as all user ids.
 */
export function saltedHash (hash: number, [k0, k1]: Salt): number {
  let v0 = k0
  let v1 = k1
  let v2 = 0x6c796765 ^ k0
  let v3 = 0x74656462 ^ k1
  // HalfSipHash-2-4 has eight rounds here: two for the hash, two for the block with the length of 4 bytes, and four to finish.
  for (let round = 0; round < 8; round++) {
    if (round === 0) v3 ^= hash
    else if (round === 2) {
      v0 ^= hash
      v3 ^= 4 << 24
    } else if (round === 4) {
      v0 ^= 4 << 24
      v2 ^= 0xff
    }
    v0 = v0 + v1 | 0
    v1 = (v1 << 5 | v1 >>> 27) ^ v0
    v0 = v0 << 16 | v0 >>> 16
    v2 = v2 + v3 | 0
    v3 = (v3 << 8 | v3 >>> 24) ^ v2
    v0 = v0 + v3 | 0
    v3 = (v3 << 7 | v3 >>> 25) ^ v0
    v2 = v2 + v1 | 0
    v1 = (v1 << 13 | v1 >>> 19) ^ v2
    v2 = v2 << 16 | v2 >>> 16
  }
  return (v1 ^ v3) >>> 0
}

/** Hashes the keys and tags of an app. The last hash is remembered, since one operation needs the hash of its key several times. */
export class KeyHasher {
  readonly #salt: Salt | undefined
  #key = ''
  #hash: number

  /**
   * Makes a hasher.
   * @param salt the salt of the hashes; without a salt the hashes are those of `hashKey`
   */
  constructor (salt?: Salt) {
    this.#salt = salt
    this.#hash = this.hash('')
  }

  of (key: string): number {
    if (key !== this.#key) {
      this.#key = key
      this.#hash = this.hash(key)
    }
    return this.#hash
  }

  /** Returns the hash of a text without the use of the remembered hash. */
  hash (text: string): number {
    const hash = hashKey(text)
    return this.#salt === undefined ? hash : saltedHash(hash, this.#salt)
  }
}
