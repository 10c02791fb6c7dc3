import { HASHES, mix } from '../hash.js'
import type { StalenessForecast } from './staleness-forecast.js'
import { effective, spreadOf, total, wilson, Z, type Cluster } from './ratio-interval.js'

/** The default ttls of a staleness forecast, in seconds: from the ttl of a polled page to the ttl of a catalogue. */
const TTLS = [1, 5, 15, 60, 300, 900, 3600, 21_600, 86_400]
const MAX_KEYS = 512
/** The number of blocks (equal periods of the observed time). It is even, since pairs of blocks are merged when all blocks are in use. */
const BLOCKS = 64
/** The number of counts that are stored per key and ttl: hits, stale hits. */
const COUNTS = 2
/** The highest number of hits of one load that is counted; more hits of one load add nothing to the certainty. */
const MAX_SINCE = 0xffff
/**
 * The count of hits at which all counts of a ttl are halved, so that the counts fit into 16 bits and the weights of the keys stay the same.
 */
const MAX_COUNT = 0xffff
/** The count of a block at which the counts of all blocks are halved. Above it, adding 1 would not change a 32-bit float. */
const MAX_IN_BLOCK = 2 ** 24
/** The number of counts that are stored per block of time and ttl: hits, stale hits. */
const PER_BLOCK = 2

/**
 * Forecasts the stale hits of a cache for each ttl, from requests that all load, so that each has the current value.
 *
 * Each sampled key has one simulated entry per ttl. A request is a hit if the entry is younger than the ttl; the hit is stale if
 * the loaded fingerprint differs from that of the request. A request that is no hit loads the entry again.
 *
 * Sample: the keys with the smallest hashes (fixed-size SHARDS, Waldspurger et al., FAST 2015). Each sampled key has been
 * sampled since its first request, so its history is complete, and all keys were equally likely. Times should not
 * decrease. `keyHash` is a whole number of 32 to 53 bits; two keys with the same hash count as one key whose value changes.
 *
 * Interval: hits are not independent, since one change makes many hits stale. Keys are sampled as clusters, so the rate is a ratio
 * estimate with the jackknife variance that omits one key at a time (Cochran, Sampling Techniques, 1977, §6). The variance is 0 when
 * every key is tracked. A change may affect all keys at once (an import, a release). Therefore the same variance over periods of time,
 * each at least as long as the ttl, is added. The sum is conservative, at most twice too large (Cameron, Gelbach and Miller, 2011,
 * subtract the common part). The variance gives an equivalent number of independent hits, and that number gives Wilson's interval
 * (Korn and Graubard, 1998; Dean and Pagano, 2015).
 *
 * Without a stale hit the upper bound is 3 / n (rule of three, 95 %, one-sided). n is the smallest of three effective numbers (Kish):
 * of loads, of ttls in the observed time and, if keys were left out, of keys. With 512 sampled keys the bound is 0.6 % at best; a
 * bound of 0.1 % needs 3000.
 */
export class Staleness {
  readonly #ttls: readonly number[]
  readonly #maxKeys: number
  #threshold = HASHES
  /** The hashes of the sampled keys by slot; NaN: the slot is free. */
  #keys = new Float64Array(0)
  #size = 0
  // Tables by sampled key and ttl, which grow with the keys up to `maxKeys`. This table has the time of the simulated load, in milliseconds
  // since shortly before the first request; 0: no load. The next ones have 16 bits of the load's fingerprint, the counts of hits, and the
  // number of hits of the load.
  #loadedAt = new Uint32Array(0)
  #loaded = new Uint16Array(0)
  #counts = new Uint16Array(0)
  #since = new Uint16Array(0)
  /** For each ttl, over all keys: the sum of the squares of the numbers of hits per load. */
  readonly #squares: Float64Array
  readonly #blocks: Float32Array
  #blockSeconds = 1
  #began = NaN
  #last = 0

  /**
   * Creates a staleness forecast without requests.
   * @param options.ttls ttls in seconds, each above 0; default: 9 ttls from 1 s to a day
   * @param options.maxKeys number of keys that are tracked at a time, at least 8; each takes about 150 bytes with the default ttls
   */
  constructor ({ ttls = TTLS, maxKeys = MAX_KEYS }: { ttls?: readonly number[], maxKeys?: number } = {}) {
    this.#ttls = [...ttls].sort((a, b) => a - b)
    this.#maxKeys = Math.max(8, maxKeys)
    this.#squares = new Float64Array(ttls.length)
    this.#blocks = new Float32Array(BLOCKS * ttls.length * PER_BLOCK)
  }

  /** The bytes that the tables of the forecast use. */
  get bytes (): number {
    const arrays = [this.#keys, this.#loadedAt, this.#loaded, this.#counts, this.#since, this.#squares, this.#blocks]
    return arrays.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  /** Whether a key is in the sample of the forecast. Requests for other keys need no fingerprint. */
  wants (keyHash: number): boolean {
    return spread(keyHash) < this.#threshold
  }

  /** Adds to the forecast a request that loaded its value. */
  note (keyHash: number, nowSeconds: number, fingerprint: number): void {
    if (!this.wants(keyHash)) return
    if (Number.isNaN(this.#began)) this.#began = nowSeconds
    this.#last = nowSeconds
    const known = this.#keys.indexOf(keyHash)
    const slot = known === -1 ? this.#take(keyHash) : known
    if (slot === undefined) return
    const ttls = this.#ttls
    const print = mix(fingerprint) >>> 16
    const now = Math.round((nowSeconds - this.#began) * 1000) + 1 >>> 0
    for (let index = 0, at = slot * ttls.length; index < ttls.length; index++, at++) {
      const count = at * COUNTS
      const loadedAt = this.#loadedAt[at]!
      const age = now - loadedAt >>> 0
      if (loadedAt !== 0 && age < ttls[index]! * 1000) {
        const stale = this.#loaded[at] !== print
        if (++this.#counts[count]! === MAX_COUNT) this.#halve(index)
        if (stale) this.#counts[count + 1]!++
        this.#squares[index]! += 2 * this.#since[at]! + 1
        if (this.#since[at]! < MAX_SINCE) this.#since[at]!++
        // A simulated hit is counted in the block of time of its load, so that the stale hits of one change are in one block.
        const block = this.#blockOf(nowSeconds - age / 1000) + index * PER_BLOCK
        if (++this.#blocks[block]! >= MAX_IN_BLOCK) this.#scale(0.5)
        if (stale) this.#blocks[block + 1]!++
      } else {
        // The time 1 stands for 0, since 0 means that there is no load.
        this.#loadedAt[at] = now === 0 ? 1 : now
        this.#loaded[at] = print
        this.#since[at] = 0
      }
    }
  }

  /** Returns the staleness forecasts, one per ttl, shortest first. */
  forecast (): StalenessForecast[] {
    return this.#ttls.map((ttl, index) => this.#forecast(ttl, index))
  }

  #forecast (ttl: number, index: number): StalenessForecast {
    const keys: Cluster[] = []
    for (const [slot, keyHash] of this.#keys.entries()) {
      if (Number.isNaN(keyHash)) continue
      const count = (slot * this.#ttls.length + index) * COUNTS
      if (this.#counts[count]! > 0) keys.push({ hits: this.#counts[count]!, stale: this.#counts[count + 1]! })
    }
    const { hits, stale } = total(keys)
    const rate = hits === 0 ? 0 : stale / hits
    return { ttl, hits, stale, rate, ...this.#interval(ttl, index, keys, rate) }
  }

  #interval (ttl: number, index: number, keys: readonly Cluster[], rate: number): { low: number, high: number } {
    const leftOut = 1 - this.#threshold / HASHES
    const together = Math.max(1, Math.ceil(ttl / this.#blockSeconds))
    const times = this.#stretches(index, together)
    if (times.length < 2 || (leftOut > 0 && keys.length < 2)) return { low: 0, high: 1 }
    if (rate === 0 || rate === 1) {
      const loads = total(times).hits ** 2 / this.#squares[index]!
      const periods = Math.min(effective(times) * together * this.#blockSeconds, this.#last - this.#began) / ttl
      const bound = Math.min(1, 3 / Math.min(loads, periods, leftOut > 0 ? effective(keys) : Infinity))
      return rate === 0 ? { low: 0, high: bound } : { low: 1 - bound, high: 1 }
    }
    const variance = (leftOut > 0 ? leftOut * spreadOf(keys, rate) : 0) + spreadOf(times, rate)
    return wilson(rate, rate * (1 - rate) * Z ** 2 / variance)
  }

  /** Returns the simulated hits by period, each of `together` consecutive blocks of time; periods without hits are left out. */
  #stretches (index: number, together: number): Cluster[] {
    const stretches: Cluster[] = []
    for (let from = 0; from < BLOCKS; from += together) {
      let hits = 0
      let stale = 0
      for (let block = from; block < Math.min(from + together, BLOCKS); block++) {
        const at = (block * this.#ttls.length + index) * PER_BLOCK
        hits += this.#blocks[at]!
        stale += this.#blocks[at + 1]!
      }
      if (hits > 0) stretches.push({ hits, stale })
    }
    return stretches
  }

  /**
   * Returns the offset of the block that contains a time, in the table of blocks. If the time lies behind the last block, pairs of blocks
   * are merged until a block contains the time.
   */
  #blockOf (seconds: number): number {
    const width = this.#ttls.length * PER_BLOCK
    let block = Math.floor((seconds - this.#began) / this.#blockSeconds)
    while (block >= BLOCKS) {
      for (let to = 0; to < BLOCKS; to++) {
        for (let at = 0; at < width; at++) {
          const from = 2 * to * width + at
          this.#blocks[to * width + at] = 2 * to < BLOCKS ? this.#blocks[from]! + this.#blocks[from + width]! : 0
        }
      }
      this.#blockSeconds *= 2
      block = Math.floor((seconds - this.#began) / this.#blockSeconds)
    }
    return Math.max(0, block) * width
  }

  #take (keyHash: number): number | undefined {
    if (this.#size >= this.#maxKeys) {
      this.#lower()
      if (!this.wants(keyHash)) return undefined
    }
    if (this.#size === this.#keys.length) this.#grow()
    const slot = this.#keys.findIndex((key) => Number.isNaN(key))
    this.#keys[slot] = keyHash
    this.#size++
    const at = slot * this.#ttls.length
    this.#loadedAt.fill(0, at, at + this.#ttls.length)
    this.#counts.fill(0, at * COUNTS, (at + this.#ttls.length) * COUNTS)
    return slot
  }

  /** Drops the eighth of the sampled keys with the largest hashes. To drop one key at a time would need a search for each key. */
  #lower (): void {
    const hashes = this.#keys.filter((key) => !Number.isNaN(key)).map(spread).sort()
    const before = this.#threshold
    this.#threshold = hashes[Math.floor(hashes.length * 7 / 8)]!
    for (const [slot, keyHash] of this.#keys.entries()) {
      if (Number.isNaN(keyHash) || this.wants(keyHash)) continue
      this.#keys[slot] = NaN
      this.#size--
    }
    // The threshold was higher when earlier hits were counted, so that more keys were sampled; these counts are therefore scaled down.
    this.#scale(this.#threshold / before)
  }

  #scale (share: number): void {
    for (const counts of [this.#blocks, this.#squares]) for (let at = 0; at < counts.length; at++) counts[at]! *= share
  }

  /** Halves the counts of all keys for the ttl at an index. */
  #halve (index: number): void {
    for (let at = index * COUNTS; at < this.#counts.length; at += this.#ttls.length * COUNTS) {
      for (let count = at; count < at + COUNTS; count++) this.#counts[count] = (this.#counts[count]! + 1) >>> 1
    }
  }

  #grow (): void {
    const capacity = Math.min(this.#maxKeys, Math.max(8, this.#keys.length * 2))
    const width = capacity * this.#ttls.length
    this.#keys = copied(this.#keys, new Float64Array(capacity).fill(NaN))
    this.#loadedAt = copied(this.#loadedAt, new Uint32Array(width))
    this.#loaded = copied(this.#loaded, new Uint16Array(width))
    this.#counts = copied(this.#counts, new Uint16Array(width * COUNTS))
    this.#since = copied(this.#since, new Uint16Array(width))
  }
}

function copied<A extends Float64Array | Uint32Array | Uint16Array> (from: A, to: A): A {
  to.set(from)
  return to
}

/** Converts the hash of a key to 32 uniformly distributed bits, whatever hash function the caller uses. */
function spread (keyHash: number): number {
  return mix((keyHash | 0) ^ Math.imul((keyHash / HASHES) | 0, 0x9e3779b1))
}
