import { MapSize } from './heap-size.js'
import { keyBytes, KINDS, MIN_SLOTS, OPTIONAL_BYTES, SLOT_BYTES, type NewEntry } from './memory-entry.js'
import { isResponse } from '../../contract/response-keys.js'
import { listOf } from './list-of.js'
import { MemoryRooms, RESPONSES, type Room } from './memory-rooms.js'
import { statesBytes, type TagState } from './memory-tags.js'
import { SlotTags } from './slot-tags.js'
import { ownText } from '../../lib/own-text.js'

/**
 * The entries of a `MemoryCache` in the order of their use. An entry is a number, its slot; each property of the entries has an array of
 * its own, indexed by slot. An object per entry, with its header and its boxed numbers, would use more than twice the memory. Slot 0 is the
 * link between the newest entry and the oldest, and means "no entry".
 */
export class MemoryEntries {
  values: unknown[] = []
  /** The time at which the entry in each slot was stored, in milliseconds of the clock. */
  storedAt: number[] = []
  ttl: number[] = []
  #keys: (string | undefined)[] = []
  #sizes: number[] = []
  #older: number[] = []
  #newer: number[] = []
  /** The tags of the entries; `undefined` until an entry has tags, since most caches have no such entry. */
  #tags: SlotTags | undefined
  #windows: number[] | undefined
  #rooms: MemoryRooms | undefined
  #slots = new Map<string, number>()
  readonly #slotsSize = new MapSize()
  /** The first slot without an entry; `#newer` of each free slot is the next free slot. */
  #free = 0
  #contentBytes = 0
  readonly #maxEntries: number

  constructor (maxEntries: number) {
    this.#maxEntries = maxEntries
    this.clear()
  }

  get size (): number { return this.#slots.size }

  /** Bytes of the keys, the values and the arrays of tags of all entries. */
  get contentBytes (): number { return this.#contentBytes }

  /** Returns the room (a group of entries that evict one another) with this number; `undefined`: no entry was ever in it. */
  room (room: number): Room | undefined { return this.#rooms?.get(room) }

  /** Bytes of the keys and values of all entries, and of the arrays and the map in which they are found. */
  get bytes (): number {
    return this.#slots.size === 0 ? 0 : this.#contentBytes + this.#slotsSize.bytes + this.#slotBytes * this.values.length
  }

  /** Returns the slot of the entry with a key; `0`: the key has no entry. */
  slotOf (key: string): number {
    return this.#slots.get(key) ?? 0
  }

  kindOf (slot: number): number { return this.#sizes[slot]! % KINDS }
  windowOf (slot: number): number { return this.#windows === undefined ? 0 : this.#windows[slot]! }
  tagsOf (slot: number): readonly TagState[] | undefined { return this.#tags === undefined ? undefined : this.#tags.of(slot) }

  /** Whether no tag of an entry was invalidated, softly or not, since the entry was stored. */
  hasFreshTags (slot: number): boolean { return this.#tags === undefined || this.#tags.isFresh(slot) }

  /** Whether no tag of an entry was invalidated, other than softly, or forgotten. */
  hasValidTags (slot: number): boolean { return this.#tags === undefined || this.#tags.isValid(slot) }

  /** Makes the entry in a slot the newest, which is evicted last. */
  use (slot: number): void {
    if (this.#older[0] === slot) return
    this.#unlink(slot)
    this.#link(slot)
    if (this.#rooms !== undefined) this.#rooms.use(slot)
  }

  /** The slot of the least recently used entry; `0`: the cache is empty. */
  get oldest (): number { return this.#newer[0]! }

  /**
   * Stores an entry under a key that has no entry. Afterwards there may be one entry more than `maxEntries`: the caller evicts one.
   * @param room the room of the entry; without it the room of stored responses if the key is that of a response, else no room
   */
  add (key: string, entry: NewEntry, room = isResponse(key) ? RESPONSES : undefined): void {
    if (this.#free === 0) this.#grow()
    const slot = this.#free
    this.#free = this.#newer[slot]!
    const own = ownText(key)
    this.#keys[slot] = own
    this.#slots.set(own, slot)
    this.#slotsSize.add()
    if (room !== undefined) (this.#rooms ??= new MemoryRooms(this.values.length)).link(slot, room)
    this.#fill(slot, entry, keyBytes(own))
    this.#link(slot)
  }

  /** Replaces the entry in a slot by one with the same key. `room`: by default the room of stored responses for their keys, else none. */
  replace (slot: number, entry: NewEntry, room = isResponse(this.#keys[slot]!) ? RESPONSES : undefined): void {
    this.#count(slot, this.kindOf(slot) - this.#sizes[slot]!)
    this.#moveTo(slot, room)
    this.#fill(slot, entry, keyBytes(this.#keys[slot]!))
    this.use(slot)
  }

  remove (slot: number): void {
    this.#slots.delete(this.#keys[slot]!)
    this.#slotsSize.remove()
    this.#count(slot, this.kindOf(slot) - this.#sizes[slot]!)
    this.#unlink(slot)
    if (this.#rooms !== undefined) this.#rooms.unlink(slot)
    this.#keys[slot] = undefined
    this.values[slot] = undefined
    if (this.#tags !== undefined) this.#tags.clear(slot)
    this.#newer[slot] = this.#free
    this.#free = slot
    if (this.#slots.size === 0) this.clear()
    else if (this.values.length > 2 * MIN_SLOTS && this.#slots.size < this.values.length / 4) this.#shrink()
  }

  /** Removes all entries of the cache, and frees their memory. */
  clear (): void {
    this.#slots = new Map()
    this.#slotsSize.clear()
    this.#contentBytes = 0
    this.#free = 0
    this.values = [undefined]
    this.storedAt = [0.5]
    this.ttl = [0.5]
    this.#keys = [undefined]
    this.#sizes = [0]
    this.#older = [0]
    this.#newer = [0]
    this.#tags = this.#windows = this.#rooms = undefined
  }

  get #slotBytes (): number {
    return SLOT_BYTES + (this.#tags === undefined ? 0 : this.#tags.slotBytes) + (this.#windows === undefined ? 0 : OPTIONAL_BYTES.windows) +
      (this.#rooms === undefined ? 0 : OPTIONAL_BYTES.rooms)
  }

  /** Moves the entry in a slot to another room, after the limit of its key pattern was set or removed. */
  #moveTo (slot: number, room: number | undefined): void {
    if (this.#rooms === undefined ? room === undefined : this.#rooms.isIn(slot, room)) return
    this.#rooms ??= new MemoryRooms(this.values.length)
    this.#rooms.unlink(slot)
    if (room !== undefined) this.#rooms.link(slot, room)
  }

  /** Adds bytes of one entry to the total of all entries, and to that of its room; a negative number subtracts them. */
  #count (slot: number, bytes: number): void {
    this.#contentBytes += bytes
    const room = this.#rooms === undefined ? undefined : this.#rooms.of(slot)
    if (room !== undefined) room.contentBytes += bytes
  }

  #fill (slot: number, { kind, value, bytes, storedAt, ttl, window, states, version }: NewEntry, keyBytes: number): void {
    const contentBytes = keyBytes + bytes + statesBytes(states)
    this.#count(slot, contentBytes)
    this.#sizes[slot] = contentBytes + kind
    this.values[slot] = value
    this.storedAt[slot] = storedAt
    this.ttl[slot] = ttl
    const { length } = this.values
    if (window > 0) this.#windows ??= listOf(length, 0)
    if (this.#windows !== undefined) this.#windows[slot] = window
    if (states.length > 0) this.#tags ??= new SlotTags(length)
    if (this.#tags !== undefined) this.#tags.set(slot, states, version)
  }

  #link (slot: number): void {
    const newest = this.#older[0]!
    this.#older[slot] = newest
    this.#newer[slot] = 0
    this.#newer[newest] = slot
    this.#older[0] = slot
  }

  #unlink (slot: number): void {
    const older = this.#older[slot]!
    const newer = this.#newer[slot]!
    this.#newer[older] = newer
    this.#older[newer] = older
  }

  /**
   * Grows the arrays of entry properties by a quarter. V8 itself would grow them by a half, and the unused elements would add a tenth to
   * the bytes of each small entry.
   */
  #grow (): void {
    const before = this.values.length
    const length = Math.min(this.#maxEntries + 2, Math.max(1 + MIN_SLOTS, Math.ceil(before * 1.25)))
    const added = length - before
    this.values = this.values.concat(listOf<unknown>(added, undefined))
    this.storedAt = this.storedAt.concat(listOf(added, 0.5))
    this.ttl = this.ttl.concat(listOf(added, 0.5))
    this.#keys = this.#keys.concat(listOf<string | undefined>(added, undefined))
    this.#sizes = this.#sizes.concat(listOf(added, 0))
    this.#older = this.#older.concat(listOf(added, 0))
    this.#newer = this.#newer.concat(listOf(added, 0))
    this.#tags?.grow(added)
    this.#windows = this.#windows?.concat(listOf(added, 0))
    this.#rooms?.grow(added)
    this.#freeFrom(before)
  }

  /** Moves the remaining entries to the front of shorter arrays of entry properties, to free memory. */
  #shrink (): void {
    const slots: number[] = [0]
    for (let slot = this.oldest; slot !== 0; slot = this.#newer[slot]!) slots.push(slot)
    const free = slots.length
    const length = Math.max(1 + MIN_SLOTS, 2 * free)
    const moved = <T>(list: readonly T[], rest: T): T[] => slots.map((slot) => list[slot] as T).concat(listOf(length - free, rest))
    this.values = moved(this.values, undefined)
    this.storedAt = moved(this.storedAt, 0.5)
    this.ttl = moved(this.ttl, 0.5)
    this.#keys = moved(this.#keys, undefined)
    this.#sizes = moved(this.#sizes, 0)
    if (this.#tags !== undefined) this.#tags = this.#tags.moved(slots, length)
    if (this.#windows !== undefined) this.#windows = moved(this.#windows, 0)
    if (this.#rooms !== undefined) this.#rooms = this.#rooms.moved(slots, length)
    this.#older = Array.from({ length }, (_, slot) => slot === 0 ? free - 1 : slot - 1)
    this.#newer = Array.from({ length }, (_, slot) => slot === free - 1 ? 0 : slot + 1)
    for (let slot = 1; slot < free; slot++) this.#slots.set(this.#keys[slot]!, slot)
    this.#free = 0
    this.#freeFrom(free)
  }

  #freeFrom (first: number): void {
    for (let slot = this.values.length - 1; slot >= first; slot--) {
      this.#newer[slot] = this.#free
      this.#free = slot
    }
  }
}
