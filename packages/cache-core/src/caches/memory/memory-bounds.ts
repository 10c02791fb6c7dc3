import type { MemoryEntries } from './memory-entries.js'
import { isResponse } from '../../contract/response-keys.js'
import type { MemoryRoom } from './memory-room.js'
import type { MemoryTags } from './memory-tags.js'

/**
 * The limits of a `MemoryCache`. `responseShare`: the share of `maxEntries` and of `maxBytes` above which stored responses are evicted before
 * other entries.
 */
export interface MemoryLimits {
  readonly maxEntries: number
  readonly maxBytes: number
  readonly responseShare: number
}

/** Evicts entries of a table when they exceed its limits, and counts the bytes of the table and its tags. */
export class MemoryBounds {
  readonly maxBytes: number
  readonly #entries: MemoryEntries
  readonly #tags: MemoryTags
  readonly #maxEntries: number
  readonly #responseShare: number

  constructor (entries: MemoryEntries, tags: MemoryTags, { maxEntries, maxBytes, responseShare }: MemoryLimits) {
    this.#entries = entries
    this.#tags = tags
    this.#maxEntries = maxEntries
    this.maxBytes = maxBytes
    this.#responseShare = responseShare
  }

  /** Bytes of the entries, of their tags, and of the tables of entries and tags. */
  get bytes (): number { return this.#entries.bytes + this.#tags.bytes }

  /** Whether there are more entries than `maxEntries`, or more bytes than `maxBytes`. */
  get isExceeded (): boolean { return this.#entries.size > this.#maxEntries || this.bytes > this.maxBytes }

  /** Returns the maximum bytes of one entry: all of `maxBytes`, or for a stored response the part of `responseShare`. */
  limitOf (key: string): number {
    return isResponse(key) ? this.#responseShare * this.maxBytes : this.maxBytes
  }

  /** Evicts entries while a limit is exceeded; the last entry is never evicted. */
  makeRoom (): void {
    while (this.isExceeded && this.#entries.size > 1) this.remove(this.#evicted)
    if (this.isExceeded) this.#tags.clearIdle()
  }

  /** Removes the entry of a slot and releases its tags; does nothing for slot `0`. */
  remove (slot: number): void {
    if (slot === 0) return
    const tags = this.#entries.tagsOf(slot)
    this.#entries.remove(slot)
    if (tags !== undefined) this.#tags.release(tags)
  }

  /** The slot of the entry to evict: the least recently used entry, or the least recently used response if responses exceed their share. */
  get #evicted (): number {
    const { room, oldest } = this.#entries
    return room !== undefined && room.size > 0 && this.#exceedsShare(room) ? room.oldest : oldest
  }

  #exceedsShare (room: MemoryRoom): boolean {
    const { size, contentBytes } = this.#entries
    const share = this.#responseShare
    if (size > this.#maxEntries) return room.size > Math.max(1, share * this.#maxEntries)
    // The bytes of tables and tags belong to all entries: stored responses get the part that is their share of the number of entries.
    return room.contentBytes + (this.bytes - contentBytes) * room.size / size > share * this.maxBytes
  }
}
