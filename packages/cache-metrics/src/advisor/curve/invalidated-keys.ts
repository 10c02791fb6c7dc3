const SLOTS = 512

/**
 * The keys that were removed, or whose tag was invalidated, since their last read. A read of such a key is a miss for each ttl and cache
 * size. A later key may replace one in its slot; a read of the replaced key is not counted here.
 */
export class InvalidatedKeys {
  /** The number of reads of invalidated keys. */
  reads = 0
  /** The upper 16 bits of the keys' hashes, each at the slot of its lower bits; created with the first key. 0: the slot is free. */
  #keys = new Uint16Array(0)

  get bytes (): number { return this.#keys.byteLength }

  add (hash: number): void {
    if (this.#keys.length === 0) this.#keys = new Uint16Array(SLOTS)
    this.#keys[hash & SLOTS - 1] = upper(hash)
  }

  /** Whether a key was invalidated since its last read; it is then counted as read if `isCounting`. */
  read (hash: number, isCounting: boolean): boolean {
    if (this.#keys.length === 0 || this.#keys[hash & SLOTS - 1] !== upper(hash)) return false
    this.#keys[hash & SLOTS - 1] = 0
    if (isCounting) this.reads++
    return true
  }
}

/** The upper 16 bits of a hash, or 1 in place of 0. */
function upper (hash: number): number {
  return hash >>> 16 || 1
}
