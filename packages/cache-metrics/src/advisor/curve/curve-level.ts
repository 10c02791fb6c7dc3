import { HASHES } from '../hash.js'
import { MiniatureCache } from './miniature-cache.js'
import { MissCounts } from './miss-counts.js'

const GROUPS = 8

/** One cache size of a reuse curve: its miniature cache, and the counts of its misses. */
export class CurveLevel {
  /** Keys with a hash below this limit are in the sample of keys for this cache size. */
  readonly limit: number
  /** Whether all keys are in the sample for this cache size. */
  readonly isExact: boolean
  /** The number of requests for which a hit or a miss was counted, per ttl, at this cache size. */
  sampled = 0
  /** Whether misses are counted; otherwise a request only fills the simulated cache. */
  isCounting = true
  readonly cache: MiniatureCache
  readonly #misses: MissCounts
  /** The misses of the next smaller cache size for the same requests; empty for a size that is simulated in full. */
  readonly #before: MissCounts

  constructor (readonly entries: number, readonly isWanted: boolean, sampleEntries: number, ttls: readonly number[], isCompact: boolean) {
    this.limit = Math.min(1, sampleEntries / entries) * HASHES
    this.isExact = this.limit === HASHES
    this.cache = new MiniatureCache(Math.min(entries, sampleEntries), ttls, isCompact && !this.isExact)
    this.#misses = new MissCounts(ttls.length, this.isExact ? 1 : GROUPS)
    this.#before = new MissCounts(ttls.length, this.isExact ? 0 : GROUPS)
  }

  get bytes (): number { return this.cache.bytes + this.#misses.bytes + this.#before.bytes }

  /**
   * Simulates a request; returns the misses as bits, one per ttl.
   * @param before the misses of the next smaller cache size
   * @param isInvalidated whether the request is a miss for each size, so that it is left out of the ratio between two sizes
   */
  note (hash: number, now: number, before: number, isInvalidated: boolean): number {
    const misses = this.cache.touch(hash, now)
    if (!this.isCounting) return misses
    this.sampled++
    if (isInvalidated && !this.isExact) return misses
    if (this.isExact) {
      this.#misses.add(misses, 0)
    } else {
      this.#misses.add(misses, hash & GROUPS - 1)
      this.#before.add(before, hash & GROUPS - 1)
    }
    return misses
  }

  /** Returns the miss rate for a ttl, in a cache size that is simulated in full. */
  missRate (ttl: number): number {
    return this.sampled === 0 ? 1 : this.#misses.of(ttl, 0) / this.sampled
  }

  /**
   * Returns the ratio, 0 to 1, of the next smaller cache size's misses that are also misses in this size, and the variance of that ratio.
   */
  left (ttl: number, distinctKeys: number): { ratio: number, variance: number } {
    let misses = 0
    let before = 0
    for (let group = 0; group < GROUPS; group++) {
      misses += this.#misses.of(ttl, group)
      before += this.#before.of(ttl, group)
    }
    const ratio = before === 0 ? 1 : Math.min(1, misses / before)
    let squares = 0
    for (let group = 0; group < GROUPS; group++) {
      squares += (this.#misses.of(ttl, group) - ratio * this.#before.of(ttl, group)) ** 2
    }
    const amongGroups = before === 0 ? 0 : squares / before ** 2 * GROUPS / (GROUPS - 1)
    // The variance is at least that of one binomial trial per key (Agresti and Coull, 1998): groups of a few keys may agree by chance.
    const rate = this.limit / HASHES
    const keys = distinctKeys * rate
    const share = (ratio * keys + 2) / (keys + 4)
    return { ratio, variance: (1 - rate) * Math.max(amongGroups, share * (1 - share) / (keys + 4)) }
  }
}
