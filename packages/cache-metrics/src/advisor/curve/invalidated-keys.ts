const SLOTS = 512

/**
 * The keys that were removed, or whose tag was invalidated, since their last read. A read of such a key is a miss for each ttl and cache
 * size. A later key may replace one in its slot; a read of the replaced key is not counted here.
 */
export class InvalidatedKeys {
  /** The number of reads of invalidated keys. */
  reads = 0
  /** The hashes of the keys, each at one slot; created with the first key. The hash 0 means that the slot is free. */
  #hashes = new Uint32Array(0)

  get bytes (): number { return this.#hashes.byteLength }

  add (hash: number): void {
    if (this.#hashes.length === 0) this.#hashes = new Uint32Array(SLOTS)
    this.#hashes[hash & SLOTS - 1] = hash
  }

  /** Whether a key was invalidated since its last read; it is then counted as read. */
  read (hash: number): boolean {
    if (this.#hashes.length === 0 || hash === 0 || this.#hashes[hash & SLOTS - 1] !== hash) return false
    this.#hashes[hash & SLOTS - 1] = 0
    this.reads++
    return true
  }
}
