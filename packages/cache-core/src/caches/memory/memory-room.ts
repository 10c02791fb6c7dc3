const OUTSIDE = -1

/**
 * The stored responses of `@x/cache-edge` among the entries of a `MemoryCache`, as a second linked list in the order of their use, by slot
 * of the entry. Slot 0 is the link between the newest response and the oldest, and means "no response".
 */
export class MemoryRoom {
  size = 0
  /** Bytes of the keys, the values and the arrays of tags of the stored responses. */
  contentBytes = 0
  #older: number[]
  #newer: number[]

  /**
   * Makes an empty list of stored responses.
   * @param slots the number of slots of the cache's entries, slot 0 included
   */
  constructor (slots: number) {
    this.#older = emptySlots(slots)
    this.#newer = emptySlots(slots)
    this.#older[0] = this.#newer[0] = 0
  }

  /** The slot of the least recently used stored response; `0`: there is none. */
  get oldest (): number { return this.#newer[0]! }

  has (slot: number): boolean {
    return this.#newer[slot] !== OUTSIDE
  }

  /** Adds a stored response as the most recently used one. */
  link (slot: number): void {
    const newest = this.#older[0]!
    this.#older[slot] = newest
    this.#newer[slot] = 0
    this.#newer[newest] = slot
    this.#older[0] = slot
    this.size++
  }

  /** Makes a stored response the most recently used one; does nothing if the entry in the slot is no response. */
  use (slot: number): void {
    if (!this.has(slot)) return
    this.unlink(slot)
    this.link(slot)
  }

  unlink (slot: number): void {
    const older = this.#older[slot]!
    const newer = this.#newer[slot]!
    this.#newer[older] = newer
    this.#older[newer] = older
    this.#older[slot] = this.#newer[slot] = OUTSIDE
    this.size--
  }

  /** Extends the linked list of stored responses when the cache gets more slots for entries. */
  grow (added: number): void {
    this.#older = this.#older.concat(emptySlots(added))
    this.#newer = this.#newer.concat(emptySlots(added))
  }

  /**
   * Copies the linked list of stored responses when the entries move to other slots. An entry's new slot is its position in `slots`, which
   * are in the order of use.
   */
  moved (slots: readonly number[], length: number): MemoryRoom {
    const room = new MemoryRoom(length)
    for (let slot = 1; slot < slots.length; slot++) if (this.has(slots[slot]!)) room.link(slot)
    room.contentBytes = this.contentBytes
    return room
  }
}

function emptySlots (length: number): number[] {
  return new Array<number>(length).fill(OUTSIDE)
}
