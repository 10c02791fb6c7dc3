/** The number of tags that an entry of a simulated cache can have; further tags are ignored. */
export const MAX_TAGS = 4
/** The number of bits of the filter for each entry. */
const FILTER_BITS = 8

/**
 * The tags of simulated cache entries, as hashes. The tables are created when the first entry has a tag: 4 bytes per entry for each tag
 * that an entry can have, and a byte per entry for a filter, by which a tag of no entry is found without a search.
 */
export class EntryTags {
  /** The tags of the entries: one table for the first tag of each entry, one for the second, and so on; 0 is no tag. */
  readonly #columns: Uint32Array[] = []
  #room = 0
  /** The bits of the tags that entries have or had since the last rebuild of the filter. */
  #filter = new Uint8Array(0)
  #added = 0

  get bytes (): number { return this.#columns.reduce((sum, { byteLength }) => sum + byteLength, this.#filter.byteLength) }

  /** Extends the tables to the entries 1 to `room`. */
  grow (room: number): void {
    this.#room = room
    for (const [at, column] of this.#columns.entries()) {
      const grown = new Uint32Array(room + 1)
      grown.set(column)
      this.#columns[at] = grown
    }
    if (this.#columns.length > 0) this.#rebuild()
  }

  /**
   * Gives an entry a tag.
   * @param at the number of the entry's tags before this one; with 0 the earlier tags of the entry are removed
   */
  add (entry: number, at: number, hash: number): void {
    if (at >= MAX_TAGS) return
    while (this.#columns.length <= at) this.#columns.push(new Uint32Array(this.#room + 1))
    if (at === 0) this.clear(entry)
    const tag = hash === 0 ? 1 : hash
    this.#columns[at]![entry] = tag
    if (++this.#added > this.#room || this.#filter.length === 0) this.#rebuild()
    else this.#mark(tag)
  }

  /** Removes the tags of an entry. */
  clear (entry: number): void {
    for (let at = 0; at < this.#columns.length; at++) this.#columns[at]![entry] = 0
  }

  /** Calls `visit` with each entry that has a tag. */
  each (hash: number, visit: (entry: number) => void): void {
    const tag = hash === 0 ? 1 : hash
    const bit = tag & this.#filter.length * 8 - 1
    if (this.#filter.length === 0 || (this.#filter[bit >>> 3]! & 1 << (bit & 7)) === 0) return
    for (const column of this.#columns) {
      for (let entry = column.indexOf(tag); entry !== -1; entry = column.indexOf(tag, entry + 1)) visit(entry)
    }
  }

  #mark (tag: number): void {
    const bit = tag & this.#filter.length * 8 - 1
    this.#filter[bit >>> 3]! |= 1 << (bit & 7)
  }

  #rebuild (): void {
    this.#filter = new Uint8Array(2 ** Math.ceil(Math.log2(this.#room * FILTER_BITS / 8)))
    this.#added = 0
    for (const column of this.#columns) for (const tag of column) if (tag !== 0) this.#mark(tag)
  }
}
