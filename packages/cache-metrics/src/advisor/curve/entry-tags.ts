/** The number of tags that an entry of a simulated cache can have; further tags are ignored. */
export const MAX_TAGS = 4

/** One table of tags: 24 bits of a hash for each entry; 0 is no tag. */
interface Column { readonly low: Uint16Array; readonly high: Uint8Array }

/**
 * The tags of simulated cache entries, as 24 bits of their hashes. With fewer bits, tags of other keys would often have the same bits as a
 * tag of the few sampled keys. The tables are created when the first entry has a tag: 3 bytes per entry for each tag that an entry can
 * have.
 */
export class EntryTags {
  /** The tags of the entries: one table for the first tag of each entry, one for the second, and so on. */
  readonly #columns: Column[] = []
  #room = 0

  get bytes (): number { return this.#columns.reduce((sum, { low, high }) => sum + low.byteLength + high.byteLength, 0) }

  /** Extends the tables so that they have room for the entries 1 to `room`. */
  grow (room: number): void {
    this.#room = room
    for (const [at, { low, high }] of this.#columns.entries()) {
      const grown = this.#column()
      grown.low.set(low)
      grown.high.set(high)
      this.#columns[at] = grown
    }
  }

  /**
   * Gives an entry a tag.
   * @param at the number of the entry's tags before this one; with 0 the earlier tags of the entry are removed
   */
  add (entry: number, at: number, hash: number): void {
    if (at >= MAX_TAGS) return
    while (this.#columns.length <= at) this.#columns.push(this.#column())
    if (at === 0) this.clear(entry)
    const { low, high } = this.#columns[at]!
    const tag = tagOf(hash)
    low[entry] = tag
    high[entry] = tag >>> 16
  }

  /** Removes all tags of a simulated entry. */
  clear (entry: number): void {
    for (let at = 0; at < this.#columns.length; at++) {
      this.#columns[at]!.low[entry] = 0
      this.#columns[at]!.high[entry] = 0
    }
  }

  /** Calls `visit` with each simulated entry that has the tag with this hash. */
  each (hash: number, visit: (entry: number) => void): void {
    const tag = tagOf(hash)
    const wanted = tag & 0xffff
    for (const { low, high } of this.#columns) {
      for (let entry = low.indexOf(wanted); entry !== -1; entry = low.indexOf(wanted, entry + 1)) {
        if (high[entry] === tag >>> 16) visit(entry)
      }
    }
  }

  #column (): Column {
    return { low: new Uint16Array(this.#room + 1), high: new Uint8Array(this.#room + 1) }
  }
}

/** Returns the lower 24 bits of a tag's hash, or 1 in place of 0, since 0 means "no tag". */
function tagOf (hash: number): number {
  return (hash & 0xff_ffff) || 1
}
