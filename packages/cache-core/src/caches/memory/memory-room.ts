const OUTSIDE = -1

/**
 * The stored responses among the entries of a table, in the order of their use: a second list through the same slots. Slot 0
 * stands between the newest and the oldest, and for "none".
 */
export class MemoryRoom {
  size = 0
  /** Bytes of keys, values and lists of tags. */
  contentBytes = 0
  #older: number[]
  #newer: number[]

  /** @param slots of the table, slot 0 included */
  constructor (slots: number) {
    this.#older = emptySlots(slots)
    this.#newer = emptySlots(slots)
    this.#older[0] = this.#newer[0] = 0
  }

  /** The slot of the least recently used response; `0`: there is none. */
  get oldest (): number { return this.#newer[0]! }

  has (slot: number): boolean {
    return this.#newer[slot] !== OUTSIDE
  }

  /** Makes an entry the newest one. */
  link (slot: number): void {
    const newest = this.#older[0]!
    this.#older[slot] = newest
    this.#newer[slot] = 0
    this.#newer[newest] = slot
    this.#older[0] = slot
    this.size++
  }

  /** Makes a response the newest one; does nothing to other entries. */
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

  /** Extends the lists to further slots. */
  grow (added: number): void {
    this.#older = this.#older.concat(emptySlots(added))
    this.#newer = this.#newer.concat(emptySlots(added))
  }

  /** Copies the entries to a table of another length, where each has another slot: its place in `slots`, which are in the order of use. */
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
