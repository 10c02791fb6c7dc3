const SLOTS = 512

/**
 * The keys that were removed, or whose tag was invalidated, since their last read. A read of such a key is a miss for each ttl and cache
 * size. A later key may replace a key in the same slot of the table; a read of the replaced key is not counted.
 */
export class InvalidatedKeys {
  /** The number of reads of keys that were invalidated since their last read. */
  reads = 0
  /**
   * The upper 16 bits of the keys' hashes, each in the slot that the lower bits select; the table is created for the first key. 0: the slot
   * is free.
   */
  #keys = new Uint16Array(0)

  get bytes (): number { return this.#keys.byteLength }

  add (hash: number): void {
    if (this.#keys.length === 0) this.#keys = new Uint16Array(SLOTS)
    this.#keys[hash & SLOTS - 1] = upper(hash)
  }

  /** Returns whether a key was invalidated since its last read. Such a read is counted in `reads`, unless `isCounting` is false. */
  read (hash: number, isCounting: boolean): boolean {
    if (this.#keys.length === 0 || this.#keys[hash & SLOTS - 1] !== upper(hash)) return false
    this.#keys[hash & SLOTS - 1] = 0
    if (isCounting) this.reads++
    return true
  }
}

/** Returns the upper 16 bits of a key's hash, or 1 in place of 0, since 0 means "free". */
function upper (hash: number): number {
  return hash >>> 16 || 1
}
