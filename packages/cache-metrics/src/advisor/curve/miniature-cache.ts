// A record: these four, and then the time of the load under each ttl, so that a touch stays within a line or two of
// memory. A link is where the other record begins, and 0 none, since no entry is kept there.
const HASH = 0
/** The next entry of the same bucket. */
const NEXT = 1
// The LRU list is a ring: newer than the newest is the oldest.
const NEWER = 2
const OLDER = 3
const LOADS = 4
const FIRST_ENTRIES = 16

/** What `touch` returns for a key that is not there. */
export const ALL_MISSED = -1

/**
 * A `MemoryCache` without values, under several ttls at once: which of them would have missed. A miss loads and stores;
 * a hit does not prolong; an expired entry keeps its place until it is touched or makes room. So hit or miss, a touched
 * entry is the newest, the LRU order is the same under every ttl, and one list serves all.
 *
 * Takes 4 × (6 + ttls) bytes per entry at most, as entries come.
 */
export class MiniatureCache {
  readonly #capacity: number
  /** Milliseconds. */
  readonly #ttls: readonly number[]
  readonly #stride: number
  #entries = 0
  #room = 0
  #newest = 0
  #records = new Uint32Array(0)
  #buckets = new Uint32Array(1)

  /**
   * @param capacity entries, a whole number from 1
   * @param ttls milliseconds, above 0 and at most 2^32; at most 32 of them
   */
  constructor (capacity: number, ttls: readonly number[]) {
    this.#capacity = capacity
    this.#ttls = ttls
    this.#stride = LOADS + ttls.length
  }

  /** Whether the next new key takes another's place, as others may have done. */
  get isFull (): boolean { return this.#entries === this.#capacity }
  get bytes (): number { return this.#records.byteLength + this.#buckets.byteLength }

  /**
   * Reads a key and, under each ttl that misses, loads it. Returns the misses: bit `i` for the ttl at `i`.
   * @param hash stands for the key: 32 bits, unsigned
   * @param now whole milliseconds modulo 2^32: a load more than 49 days ago looks younger
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
    // Shorter than the call of fill().
    for (let load = entry + LOADS, end = entry + this.#stride; load < end; load++) records[load] = now
    this.#linkBucket(entry)
  }

  /** A record as yet unused, as the newest. */
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

  /** The record of the least recently used entry, which is no more, as the newest: the ring only turns. */
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
