import { listOf } from './list-of.js'

const OUTSIDE = -1

/** The room (number) of the stored responses of `@x/cache-edge`; key patterns with a limit of their own have the numbers above it. */
export const RESPONSES = 0

/** The entries of one room: their number, their bytes, and the ends of their list in the order of use. A slot of 0 means "none". */
export interface Room {
  size: number
  /** Bytes of the keys, the values and the arrays of tags of all entries in the room. */
  contentBytes: number
  oldest: number
  newest: number
}

/**
 * Groups of entries of a `MemoryCache` that are evicted among themselves: stored responses, and the entries of key patterns with a limit.
 * Each room is a second linked list of its entries in the order of their use, by slot of the entry. An entry is in one room at most.
 */
export class MemoryRooms {
  readonly #rooms: (Room | undefined)[] = []
  #older: number[]
  #newer: number[]
  #roomOf: number[]

  /**
   * Makes empty rooms.
   * @param slots the number of slots of the cache's entries, slot 0 included
   */
  constructor (slots: number) {
    this.#older = listOf(slots, 0)
    this.#newer = listOf(slots, 0)
    this.#roomOf = listOf(slots, OUTSIDE)
  }

  /** Returns the room with this number; `undefined`: no entry was ever in it. */
  get (room: number): Room | undefined {
    return this.#rooms[room]
  }

  /** Returns the room of the entry in a slot; `undefined`: the entry is in no room. */
  of (slot: number): Room | undefined {
    const room = this.#roomOf[slot]!
    return room === OUTSIDE ? undefined : this.#rooms[room]
  }

  /** Whether the entry in a slot is in this room; `undefined` stands for no room. */
  isIn (slot: number, room: number | undefined): boolean {
    return this.#roomOf[slot] === (room ?? OUTSIDE)
  }

  /** Adds an entry to a room as the most recently used one. */
  link (slot: number, number: number): void {
    const room = this.#rooms[number] ??= { size: 0, contentBytes: 0, oldest: 0, newest: 0 }
    this.#roomOf[slot] = number
    this.#append(slot, room)
    room.size++
  }

  /** Makes an entry the most recently used one of its room; does nothing if it is in no room. */
  use (slot: number): void {
    const room = this.of(slot)
    if (room === undefined || room.newest === slot) return
    this.#detach(slot, room)
    this.#append(slot, room)
  }

  /** Removes an entry from its room; does nothing if it is in no room. */
  unlink (slot: number): void {
    const room = this.of(slot)
    if (room === undefined) return
    this.#detach(slot, room)
    this.#roomOf[slot] = OUTSIDE
    room.size--
  }

  /** Extends the linked lists of all rooms when the cache gets more slots for entries. */
  grow (added: number): void {
    this.#older = this.#older.concat(listOf(added, 0))
    this.#newer = this.#newer.concat(listOf(added, 0))
    this.#roomOf = this.#roomOf.concat(listOf(added, OUTSIDE))
  }

  /**
   * Copies the rooms when the entries move to other slots. `slots[slot]` is the old slot of the entry that moves to `slot`; they are in the
   * order of use, least recently used first. `length` is the number of slots of the copy.
   */
  moved (slots: readonly number[], length: number): MemoryRooms {
    const rooms = new MemoryRooms(length)
    for (let slot = 1; slot < slots.length; slot++) {
      const room = this.#roomOf[slots[slot]!]!
      if (room !== OUTSIDE) rooms.link(slot, room)
    }
    for (const [number, room] of rooms.#rooms.entries()) if (room !== undefined) room.contentBytes = this.#rooms[number]!.contentBytes
    return rooms
  }

  #append (slot: number, room: Room): void {
    this.#older[slot] = room.newest
    this.#newer[slot] = 0
    if (room.newest === 0) room.oldest = slot
    else this.#newer[room.newest] = slot
    room.newest = slot
  }

  #detach (slot: number, room: Room): void {
    const older = this.#older[slot]!
    const newer = this.#newer[slot]!
    if (older === 0) room.oldest = newer
    else this.#newer[older] = newer
    if (newer === 0) room.newest = older
    else this.#older[newer] = older
  }
}
