import { HASHES } from '../advisor/hash.js'

/**
 * The maximum number of keys in the sample of one key pattern. With this maximum, the estimated number of held entries is within a fifth of
 * the real number, with 95 % certainty.
 */
const MAX_KEYS = 128

/**
 * Estimates the number of entries that a cache holds of one key pattern, from a sample of the stored keys by hash: at most 128 keys, each
 * with the end of its entry's lifetime. The estimate does not include evictions, and an entry that was invalidated by a tag counts until
 * the end of its lifetime.
 */
export class HeldKeys {
  /** The limit of the sample: it has the stored keys whose hash is below this number. */
  #limit = HASHES
  readonly #ends = new Map<number, number>()

  /** Whether a key with this hash belongs to the sample once it is stored. */
  has (hash: number): boolean {
    return hash < this.#limit
  }

  /** Records that a key was stored: its hash, and the end of its entry in milliseconds of the clock that gave `now`. */
  store (hash: number, end: number, now: number): void {
    if (!this.has(hash)) return
    this.#ends.set(hash, end)
    if (this.#ends.size > MAX_KEYS) this.#shrink(now)
  }

  remove (hash: number): void {
    this.#ends.delete(hash)
  }

  clear (): void {
    this.#ends.clear()
    this.#limit = HASHES
  }

  /** Returns the estimated number of entries that the cache holds at the time `now`. */
  count (now: number): number {
    this.#dropEnded(now)
    return Math.round(this.#ends.size * HASHES / this.#limit)
  }

  #shrink (now: number): void {
    this.#dropEnded(now)
    while (this.#ends.size > MAX_KEYS) {
      this.#limit /= 2
      for (const hash of this.#ends.keys()) if (hash >= this.#limit) this.#ends.delete(hash)
    }
  }

  #dropEnded (now: number): void {
    for (const [hash, end] of this.#ends) if (end <= now) this.#ends.delete(hash)
    if (this.#ends.size === 0) this.#limit = HASHES
  }
}
