import { EntryTags } from './entry-tags.js'
import { LoadTimes } from './load-times.js'

const FIRST_ENTRIES = 16
/** The maximum number of entries whose links fit into 16 bits. */
const MAX_SHORT = 0xffff

/** The result of `touch` for a key without an entry: a miss under each ttl. */
export const ALL_MISSED = -1

type Links = Uint16Array | Uint32Array

/**
 * Simulates a `MemoryCache` without values under several ttls at once. A miss loads and stores; a hit does not extend the lifetime; an
 * expired entry, or one whose tag was invalidated, stays until it is touched or evicted. A touched entry is the newest under every ttl, and
 * a removed entry is gone under every ttl. The LRU order is therefore the same for all ttls, and one list suffices. An entry is a number
 * from 1, by which the tables are read; 0 is no entry. The tables grow with the entries. With a capacity of 512 each entry takes 12 bytes,
 * its part of the tables of the tags, and for each ttl 1 byte if the tables are compact and 4 otherwise.
 */
export class MiniatureCache {
  readonly #capacity: number
  readonly #times: LoadTimes
  readonly #tags = new EntryTags()
  #entries = 0
  #room = 0
  #hasEvicted = false
  /** The first entry number that a removal has freed; `#next` of a free number is the next free number. */
  #free = 0
  /** The highest number of entries in use at the same time so far; higher entry numbers were never used. */
  #used = 0
  #newest = 0
  #hashes = new Uint32Array(1)
  /** For each entry, the next entry in the same bucket of the hash table. */
  #next: Links
  // The links from each entry to its newer neighbour in the LRU list. The list is a ring: the newer neighbour of the newest entry is the
  // oldest entry.
  #newer: Links
  #older: Links
  #buckets: Links

  /**
   * Creates an empty simulated cache.
   * @param capacity the maximum number of entries, a whole number from 1
   * @param ttls at most 32 ttls in milliseconds, each above 0 and at most 30 days
   * @param isCompact whether the load times have 8 bits, by which an entry expires up to 0.42 % of its ttl early
   */
  constructor (capacity: number, ttls: readonly number[], isCompact = false) {
    this.#capacity = capacity
    this.#times = new LoadTimes(ttls, isCompact)
    this.#next = this.#newer = this.#older = this.#buckets = this.#links(1)
  }

  /** Whether an entry was evicted; if so, a larger cache may have more hits than this one. */
  get hasEvicted (): boolean { return this.#hasEvicted }
  get bytes (): number {
    if (this.#room === 0) return 0
    const links = this.#next.byteLength + this.#newer.byteLength + this.#older.byteLength + this.#buckets.byteLength
    return this.#hashes.byteLength + links + this.#times.bytes + this.#tags.bytes
  }

  /**
   * Simulates a read of a key, and a load under each ttl that misses. Returns the misses as bits: bit `i` for the ttl at index `i`.
   * @param hash the hash of the key, 32 bits, unsigned
   * @param now whole milliseconds modulo 2^32
   */
  touch (hash: number, now: number): number {
    this.#times.advance(now)
    const entry = this.#find(hash)
    if (entry === 0) {
      this.#insert(hash)
      return ALL_MISSED
    }
    if (entry !== this.#newest) {
      this.#unlink(entry)
      this.#linkNewest(entry)
    }
    return this.#times.touch(entry)
  }

  /** Simulates `del` of a key: its entry is removed, and the number of the entry is free. */
  remove (hash: number): void {
    const entry = this.#find(hash)
    if (entry === 0) return
    this.#unlinkBucket(entry)
    if (entry === this.#newest) this.#newest = this.#older[entry]!
    this.#unlink(entry)
    this.#next[entry] = this.#free
    this.#free = entry
    if (--this.#entries === 0) this.#newest = 0
    this.#tags.clear(entry)
  }

  /**
   * Gives a tag to the entry of a key; does nothing if the key has no entry.
   * @param at the number of the entry's tags before this one
   */
  tag (hash: number, at: number, tag: number): void {
    const entry = this.#find(hash)
    if (entry !== 0) this.#tags.add(entry, at, tag)
  }

  /** Simulates the invalidation of a tag: the entries with the tag miss under each ttl, and keep their places. */
  invalidate (tag: number): void {
    this.#tags.each(tag, (entry) => this.#times.expire(entry))
  }

  has (hash: number): boolean { return this.#find(hash) !== 0 }

  /** Calls `visit` with the hash of each key that has an entry. */
  each (visit: (hash: number) => void): void {
    let entry = this.#newest
    for (let left = this.#entries; left > 0; left--, entry = this.#older[entry]!) visit(this.#hashes[entry]!)
  }

  /** Calls `visit` with the hash of each key whose entry has this tag. */
  eachOf (tag: number, visit: (hash: number) => void): void {
    this.#tags.each(tag, (entry) => visit(this.#hashes[entry]!))
  }

  /** Simulates `clear`: all entries are removed. */
  clear (): void {
    this.#buckets.fill(0)
    for (let entry = 1; entry <= this.#used; entry++) this.#tags.clear(entry)
    this.#entries = this.#used = this.#free = this.#newest = 0
  }

  #find (hash: number): number {
    let entry = this.#buckets[hash & this.#buckets.length - 1]!
    while (entry !== 0 && this.#hashes[entry] !== hash) entry = this.#next[entry]!
    return entry
  }

  #insert (hash: number): void {
    const entry = this.#entries < this.#capacity ? this.#add() : this.#takeOldest()
    this.#hashes[entry] = hash
    this.#tags.clear(entry)
    this.#times.load(entry)
    this.#linkBucket(entry)
  }

  /** Makes a free entry the newest entry of the simulated cache. */
  #add (): number {
    let entry = this.#free
    if (entry !== 0) {
      this.#free = this.#next[entry]!
    } else {
      if (this.#used === this.#room) this.#grow()
      entry = ++this.#used
    }
    if (this.#entries++ === 0) this.#newest = this.#newer[entry] = this.#older[entry] = entry
    else this.#linkNewest(entry)
    return entry
  }

  #grow (): void {
    this.#room = Math.min(Math.max(2 * this.#room, FIRST_ENTRIES), this.#capacity)
    const hashes = new Uint32Array(this.#room + 1)
    hashes.set(this.#hashes)
    this.#hashes = hashes
    const grown = (links: Links): Links => {
      const longer = this.#links(this.#room + 1)
      longer.set(links)
      return longer
    }
    this.#next = grown(this.#next)
    this.#newer = grown(this.#newer)
    this.#older = grown(this.#older)
    this.#times.grow(this.#room)
    this.#tags.grow(this.#room)
    this.#buckets = this.#links(2 ** Math.ceil(Math.log2(this.#room)))
    // The tables grow only when no entry number is free, so every number up to `#used` has an entry.
    for (let entry = 1; entry <= this.#used; entry++) this.#linkBucket(entry)
  }

  #links (length: number): Links {
    return this.#capacity <= MAX_SHORT ? new Uint16Array(length) : new Uint32Array(length)
  }

  /**
   * Reuses the number of the least recently used entry for a new entry, which becomes the newest one. The least recently used entry already
   * follows the newest one in the ring, so that only `#newest` changes.
   */
  #takeOldest (): number {
    this.#hasEvicted = true
    const oldest = this.#newer[this.#newest]!
    this.#unlinkBucket(oldest)
    this.#newest = oldest
    return oldest
  }

  #linkBucket (entry: number): void {
    const bucket = this.#hashes[entry]! & this.#buckets.length - 1
    this.#next[entry] = this.#buckets[bucket]!
    this.#buckets[bucket] = entry
  }

  #unlinkBucket (entry: number): void {
    const bucket = this.#hashes[entry]! & this.#buckets.length - 1
    let other = this.#buckets[bucket]!
    if (other === entry) {
      this.#buckets[bucket] = this.#next[entry]!
      return
    }
    while (this.#next[other] !== entry) other = this.#next[other]!
    this.#next[other] = this.#next[entry]!
  }

  #unlink (entry: number): void {
    const newer = this.#newer[entry]!
    const older = this.#older[entry]!
    this.#older[newer] = older
    this.#newer[older] = newer
  }

  #linkNewest (entry: number): void {
    const newest = this.#newest
    const oldest = this.#newer[newest]!
    this.#older[entry] = newest
    this.#newer[entry] = oldest
    this.#newer[newest] = entry
    this.#older[oldest] = entry
    this.#newest = entry
  }
}
