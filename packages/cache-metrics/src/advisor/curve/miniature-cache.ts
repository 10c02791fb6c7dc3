// Offsets in the record of a simulated cache entry: hash, three links, then the load time under each ttl. One record takes one or two cache
// lines of memory, so that `touch` is fast. A link is the offset of another record; 0 is no link, since record 0 is unused.
const HASH = 0
/** The offset of the link to the next entry in the same bucket of the hash table. */
const NEXT = 1
// The offsets of the links of the LRU list, which is a ring: the newer neighbour of the newest entry is the oldest entry.
const NEWER = 2
const OLDER = 3
const LOADS = 4
const FIRST_ENTRIES = 16

/** The result of `touch` for a key without an entry: a miss under each ttl. */
export const ALL_MISSED = -1

/**
 * Simulates a `MemoryCache` without values under several ttls at once. A miss loads and stores; a hit does not extend the
 * lifetime; an expired entry stays until it is touched or evicted. A touched entry is always the newest, so the LRU order is
 * the same under every ttl, and one list is enough.
 *
 * The tables grow with the entries, up to 4 × (6 + ttls) bytes per entry.
 */
export class MiniatureCache {
  readonly #capacity: number
  /** The simulated ttls, in milliseconds. */
  readonly #ttls: readonly number[]
  readonly #stride: number
  #entries = 0
  #room = 0
  #newest = 0
  #records = new Uint32Array(0)
  #buckets = new Uint32Array(1)

  /**
   * Creates an empty simulated cache.
   * @param capacity the maximum number of entries, a whole number from 1
   * @param ttls at most 32 ttls in milliseconds, each above 0 and at most 2^32
   */
  constructor (capacity: number, ttls: readonly number[]) {
    this.#capacity = capacity
    this.#ttls = ttls
    this.#stride = LOADS + ttls.length
  }

  /** Whether the simulated cache is full, so that the next new key evicts an entry. */
  get isFull (): boolean { return this.#entries === this.#capacity }
  get bytes (): number { return this.#records.byteLength + this.#buckets.byteLength }

  /**
   * Simulates a read of a key, and a load under each ttl that misses. Returns the misses as bits: bit `i` for the ttl at index `i`.
   * @param hash the hash of the key, 32 bits, unsigned
   * @param now whole milliseconds modulo 2^32: the computed age of a load more than 49 days ago is too small
   */
  touch (hash: number, now: number): number {
    const records = this.#records
    let entry = this.#buckets[hash & this.#buckets.length - 1]!
    while (entry !== 0 && records[entry + HASH] !== hash) entry = records[entry + NEXT]!
    if (entry === 0) {
      this.#insert(hash, now)
      return ALL_MISSED
    }
    if (entry !== this.#newest) this.#makeNewest(entry)
    const ttls = this.#ttls
    let misses = 0
    for (let at = 0, load = entry + LOADS; at < ttls.length; at++, load++) {
      if ((now - records[load]!) >>> 0 < ttls[at]!) continue
      records[load] = now
      misses |= 1 << at
    }
    return misses
  }

  #insert (hash: number, now: number): void {
    const entry = this.#entries < this.#capacity ? this.#add() : this.#takeOldest()
    const records = this.#records
    records[entry + HASH] = hash
    // The load times are written in a loop, which is faster than `fill()` for a few ttls.
    for (let load = entry + LOADS, end = entry + this.#stride; load < end; load++) records[load] = now
    this.#linkBucket(entry)
  }

  /** Makes an unused record the newest entry of the simulated cache. */
  #add (): number {
    if (this.#entries === this.#room) this.#grow()
    const entry = ++this.#entries * this.#stride
    if (this.#entries === 1) this.#newest = this.#records[entry + NEWER] = this.#records[entry + OLDER] = entry
    else this.#linkNewest(entry)
    return entry
  }

  #grow (): void {
    this.#room = Math.min(Math.max(2 * this.#room, FIRST_ENTRIES), this.#capacity)
    const records = new Uint32Array((this.#room + 1) * this.#stride)
    records.set(this.#records)
    this.#records = records
    this.#buckets = new Uint32Array(2 ** Math.ceil(Math.log2(this.#room)))
    for (let at = 1; at <= this.#entries; at++) this.#linkBucket(at * this.#stride)
  }

  /**
   * Reuses the record of the least recently used entry for a new entry, which becomes the newest one. The two are neighbours in the ring,
   * so that only `#newest` changes.
   */
  #takeOldest (): number {
    const records = this.#records
    const oldest = records[this.#newest + NEWER]!
    const bucket = records[oldest + HASH]! & this.#buckets.length - 1
    let other = this.#buckets[bucket]!
    if (other === oldest) {
      this.#buckets[bucket] = records[oldest + NEXT]!
    } else {
      while (records[other + NEXT] !== oldest) other = records[other + NEXT]!
      records[other + NEXT] = records[oldest + NEXT]!
    }
    this.#newest = oldest
    return oldest
  }

  #linkBucket (entry: number): void {
    const bucket = this.#records[entry + HASH]! & this.#buckets.length - 1
    this.#records[entry + NEXT] = this.#buckets[bucket]!
    this.#buckets[bucket] = entry
  }

  #makeNewest (entry: number): void {
    const records = this.#records
    const newer = records[entry + NEWER]!
    const older = records[entry + OLDER]!
    records[newer + OLDER] = older
    records[older + NEWER] = newer
    this.#linkNewest(entry)
  }

  #linkNewest (entry: number): void {
    const records = this.#records
    const newest = this.#newest
    const oldest = records[newest + NEWER]!
    records[entry + OLDER] = newest
    records[entry + NEWER] = oldest
    records[newest + NEWER] = entry
    records[oldest + OLDER] = entry
    this.#newest = entry
  }
}
