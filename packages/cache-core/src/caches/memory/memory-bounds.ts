import type { EntryLimits } from '../../contract/join-registry.js'
import type { MemoryEntries } from './memory-entries.js'
import type { NewEntry } from './memory-entry.js'
import { isResponse } from '../../contract/response-keys.js'
import { RESPONSES, type Room } from './memory-rooms.js'
import type { MemoryTags } from './memory-tags.js'

/**
 * The limits of a `MemoryCache`. `responseShare`: the fraction of `maxEntries` and of `maxBytes` that stored responses may use; above it
 * they are evicted before other entries.
 */
export interface MemoryLimits {
  readonly maxEntries: number
  readonly maxBytes: number
  readonly responseShare: number
}

/** Evicts entries of a `MemoryCache` when they exceed its limits, and counts the bytes of its entries and tags. */
export class MemoryBounds {
  readonly maxBytes: number
  readonly maxEntries: number
  /** The limits of key patterns; `undefined`: no registry has given limits to this cache. */
  limits: EntryLimits | undefined
  /** The number of the room of each key pattern that has, or had, a limit. */
  readonly #rooms = new Map<string, number>()
  readonly #entries: MemoryEntries
  readonly #tags: MemoryTags
  readonly #responseShare: number

  constructor (entries: MemoryEntries, tags: MemoryTags, { maxEntries, maxBytes, responseShare }: MemoryLimits) {
    this.#entries = entries
    this.#tags = tags
    this.maxEntries = maxEntries
    this.maxBytes = maxBytes
    this.#responseShare = responseShare
  }

  /** Bytes of the cache: of its entries, of their tags, and of the arrays and maps that hold both. */
  get bytes (): number { return this.#entries.bytes + this.#tags.bytes }

  /** Whether the cache has more entries than `maxEntries`, or more bytes than `maxBytes`. */
  get isExceeded (): boolean { return this.#entries.size > this.maxEntries || this.bytes > this.maxBytes }

  /** Returns the maximum bytes of one entry: all of `maxBytes`, or for a stored response the fraction `responseShare` of it. */
  limitOf (key: string): number {
    return isResponse(key) ? this.#responseShare * this.maxBytes : this.maxBytes
  }

  /**
   * Stores an entry, and evicts the least recently used entries of its key pattern beyond the limit of the pattern.
   * @param slot the slot of the entry that it replaces; `0`: none
   */
  store (key: string, slot: number, entry: NewEntry): void {
    const limit = this.limits?.limitOf(key)
    const room = limit === undefined ? undefined : this.#roomOf(limit.keyPattern)
    if (slot === 0) this.#entries.add(key, entry, room)
    else this.#entries.replace(slot, entry, room)
    if (limit === undefined || room === undefined) return
    // The room of the pattern is looked up before each eviction, since a removal may move all entries to other slots and copy the rooms.
    for (;;) {
      const own = this.#entries.room(room)
      if (own === undefined || own.size <= limit.maxEntries) return
      this.remove(own.oldest)
    }
  }

  #roomOf (keyPattern: string): number {
    let room = this.#rooms.get(keyPattern)
    if (room === undefined) this.#rooms.set(keyPattern, room = RESPONSES + 1 + this.#rooms.size)
    return room
  }

  /** Evicts entries, except the last one, while the cache exceeds a limit. If it still exceeds one, forgets the tags that no entry has. */
  makeRoom (): void {
    while (this.isExceeded && this.#entries.size > 1) this.remove(this.#evicted)
    if (this.isExceeded) this.#tags.clearIdle()
  }

  /** Removes the entry in a slot of the cache and releases its tags; does nothing for slot `0`. */
  remove (slot: number): void {
    if (slot === 0) return
    const tags = this.#entries.tagsOf(slot)
    this.#entries.remove(slot)
    if (tags !== undefined) this.#tags.release(tags)
  }

  /**
   * The slot of the entry to evict: the least recently used entry, or the least recently used stored response if responses exceed
   * `responseShare`.
   */
  get #evicted (): number {
    const { oldest } = this.#entries
    const responses = this.#entries.room(RESPONSES)
    return responses !== undefined && responses.size > 0 && this.#exceedsShare(responses) ? responses.oldest : oldest
  }

  #exceedsShare (room: Room): boolean {
    const { size, contentBytes } = this.#entries
    const share = this.#responseShare
    if (size > this.maxEntries) return room.size > Math.max(1, share * this.maxEntries)
    // The bytes of arrays and maps belong to all entries, so stored responses are charged a share of them in proportion to their number.
    return room.contentBytes + (this.bytes - contentBytes) * room.size / size > share * this.maxBytes
  }
}
