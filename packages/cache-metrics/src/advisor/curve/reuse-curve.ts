import { MAX_TTL } from '@x/cache-core/implementing'
import { OptionInvalid } from '@x/cache-core/suite'
import { HASHES } from '../hash.js'
import { KeySample } from './key-sample.js'
import { ALL_MISSED, MiniatureCache } from './miniature-cache.js'

/** Settings of a curve: its ttls and sizes, and the limit of its sample. */
export interface ReuseCurveOptions {
  /**
   * Lifetimes in seconds, above 0 and at most 30 days; 1 to 32 of them.
   * @default 1, 10, 60, 300, 900, 3600 and 86 400
   */
  ttls?: readonly number[]
  /**
   * Sizes in entries, whole numbers from 1.
   * @default 100, 1000, 5000, 20 000 and 100 000
   */
  entries?: readonly number[]
  /**
   * Entries that are simulated for each size at most, a whole number from 1 to 2^24. A size up to this is simulated in
   * full and its hit rates are exact. Default 512; 4096 and more where neither time nor memory is scarce (50 bytes each).
   */
  sampleEntries?: number
}

/** One point of the curve. */
export interface ReusePoint {
  /** Seconds. */
  ttl: number
  /** The size of the cache. */
  entries: number
  /** From 0 to 1. Never falls from one ttl to the next, nor from one size to the next; 0 while nothing was noted. */
  hitRate: number
  /**
   * The hit rate of the requests noted is within this of `hitRate` 95 times in 100: 0 where the size is simulated in full,
   * 1 while nothing was noted. Read from how much eighths of the sample differ. It does not know of a cliff, such as a
   * loop over a few percent more keys than the size, where LRU falls from all to nothing: sizes are only told apart to
   * about `2 / √sampleEntries`.
   */
  margin: number
  /** Requests that were simulated for this size. */
  sampled: number
}

/** Seconds: from a polled page to a catalogue. */
export const DEFAULT_TTLS: readonly number[] = [1, 10, 60, 300, 900, 3600, 86_400]
export const DEFAULT_ENTRIES: readonly number[] = [100, 1000, 5000, 20_000, 100_000]
const GROUPS = 8
/** Student's t of 7 degrees of freedom, both sides. */
const T_95 = 2.365

/**
 * Estimates the hit rate of an LRU cache for each ttl and size, if each noted request reads its key, and loads and stores it on a
 * miss. Memory is bounded for any number of keys: with the default options 120 kB at most, and 10 kB for ten keys.
 *
 * Each size has a miniature: a cache scaled down with the sample of keys that it sees (Waldspurger et al., "Cache Modeling and
 * Optimization using Miniature Simulations", ATC '17; keys are sampled by hash as in "Efficient MRC Construction with
 * SHARDS", FAST '15). The samples are nested, so that a larger size is compared to the next smaller one on the same keys:
 * what is estimated is not its miss rate, but the share that still misses of what missed before. A hot key hits in both,
 * so it matters little whether it is sampled. On web07 that errs a tenth of what hits per sampled request does, and of
 * SHARDS-adj, which counts the requests that a sample has too many or too few as hits.
 */
export class ReuseCurve {
  readonly #ttls: readonly number[]
  readonly #levels: readonly Level[]
  readonly #keys = new KeySample()
  #requests = 0

  /** @throws `CACHE_ERR_OPTION_INVALID` */
  constructor (options: ReuseCurveOptions = {}) {
    const {
      ttls = DEFAULT_TTLS,
      entries = DEFAULT_ENTRIES,
      sampleEntries = 512
    } = options
    this.#ttls = sortedSet('ttls', ttls, (ttl) => ttl > 0 && ttl <= MAX_TTL, `1 to 32 numbers above 0, ${MAX_TTL} at most`)
    const sizes = sortedSet('entries', entries, (size) => isWhole(size), 'whole numbers from 1')
    if (!isWhole(sampleEntries, 2 ** 24)) throw new OptionInvalid('sampleEntries', String(sampleEntries), 'a whole number from 1 to 2^24')
    // The hottest keys decide about the hit rate, and whether they are in a sample is luck: the smallest size sees all.
    const first = sizes[0]! > sampleEntries ? [sampleEntries] : []
    const lifetimes = this.#ttls.map((ttl) => ttl * 1000)
    this.#levels = [...first, ...sizes].map((size, at) => new Level(size, at >= first.length, sampleEntries, lifetimes))
  }

  /** Requests noted. */
  get requests (): number { return this.#requests }

  /** Size of the tables in bytes. */
  get bytes (): number {
    return this.#levels.reduce((sum, { bytes }) => sum + bytes, this.#keys.bytes)
  }

  /** Distinct keys noted: exact up to 1024, then within 8 % of that 95 times in 100. */
  get distinctKeys (): number { return this.#keys.distinct }

  /** The share of the distinct keys that was noted once: exact up to 1024 keys, then within 0.045 95 times in 100; 0 without keys. */
  get oneHitShare (): number { return this.#keys.onceShare }

  /**
   * A request for a key.
   * @param hash of the key, by `hashKey`
   * @param now milliseconds of any clock; fractions do not count. What a clock that goes back left behind has expired
   */
  note (hash: number, now: number): void {
    this.#requests++
    if (hash < this.#keys.limit) this.#keys.note(hash)
    const time = now >>> 0
    let misses = ALL_MISSED
    for (const level of this.#levels) {
      if (hash >= level.limit) return
      misses = level.note(hash, time, misses)
    }
  }

  /** The curve so far: for each size, upwards, all ttls, upwards. */
  points (): ReusePoint[] {
    const points: ReusePoint[] = []
    const { distinct } = this.#keys
    const missRates = this.#ttls.map(() => 1)
    const variances = this.#ttls.map(() => 0)
    let mayGain = true
    for (const level of this.#levels) {
      let hitRate = 0
      for (const [at, ttl] of this.#ttls.entries()) {
        if (level.isExact) {
          missRates[at] = level.missRate(at)
        } else if (mayGain) {
          const { ratio, variance } = level.left(at, distinct)
          variances[at] = ratio ** 2 * variances[at]! + missRates[at]! ** 2 * variance
          missRates[at] = missRates[at]! * ratio
        }
        // Never less than under a shorter ttl: the loads of a key are the fewest intervals that cover its requests.
        hitRate = Math.max(hitRate, 1 - missRates[at]!)
        const margin = this.#requests === 0 ? 1 : Math.min(1, T_95 * Math.sqrt(variances[at]!))
        if (level.isWanted) points.push({ ttl, entries: level.entries, hitRate, margin, sampled: level.sampled })
      }
      // Where nothing made room, a larger size is the same.
      mayGain = level.isFull
    }
    return points
  }
}

/** One size, its miniature, and the counts of its misses. */
class Level {
  /** Hashes below are in the sample. */
  readonly limit: number
  /** Whether all are. */
  readonly isExact: boolean
  sampled = 0
  readonly #cache: MiniatureCache
  readonly #misses: MissCounts
  /** What the size before missed of the same requests; nothing where the size is simulated in full. */
  readonly #before: MissCounts

  constructor (readonly entries: number, readonly isWanted: boolean, sampleEntries: number, ttls: readonly number[]) {
    this.limit = Math.min(1, sampleEntries / entries) * HASHES
    this.isExact = this.limit === HASHES
    this.#cache = new MiniatureCache(Math.min(entries, sampleEntries), ttls)
    this.#misses = new MissCounts(ttls.length, this.isExact ? 1 : GROUPS)
    this.#before = new MissCounts(ttls.length, this.isExact ? 0 : GROUPS)
  }

  get bytes (): number { return this.#cache.bytes + this.#misses.bytes + this.#before.bytes }
  get isFull (): boolean { return this.#cache.isFull }

  /** Returns the ttls that missed here, given those that missed in the next smaller size. */
  note (hash: number, now: number, before: number): number {
    this.sampled++
    const misses = this.#cache.touch(hash, now)
    if (this.isExact) {
      this.#misses.add(misses, 0)
    } else {
      this.#misses.add(misses, hash & GROUPS - 1)
      this.#before.add(before, hash & GROUPS - 1)
    }
    return misses
  }

  /** Of a size that is simulated in full. */
  missRate (ttl: number): number {
    return this.sampled === 0 ? 1 : this.#misses.of(ttl, 0) / this.sampled
  }

  /** The share of what missed before that misses here too, from 0 to 1, and the variance of that estimate. */
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
    // Groups of a few keys may agree by chance. So it is at least that of one toss per key (Agresti and Coull, 1998).
    const rate = this.limit / HASHES
    const keys = distinctKeys * rate
    const share = (ratio * keys + 2) / (keys + 4)
    return { ratio, variance: (1 - rate) * Math.max(amongGroups, share * (1 - share) / (keys + 4)) }
  }
}

/** Misses by ttl and group of keys. */
class MissCounts {
  readonly #ttls: number
  /** For each group, one for each ttl, and one for what missed under all: most misses are of keys that are not there. */
  readonly #counts: Float64Array

  constructor (ttls: number, groups: number) {
    this.#ttls = ttls
    this.#counts = new Float64Array(groups * (ttls + 1))
  }

  get bytes (): number { return this.#counts.byteLength }

  add (misses: number, group: number): void {
    if (misses === 0) return
    const from = group * (this.#ttls + 1)
    if (misses === ALL_MISSED) this.#counts[from + this.#ttls]!++
    else for (let ttl = 0; ttl < this.#ttls; ttl++) this.#counts[from + ttl]! += misses >>> ttl & 1
  }

  of (ttl: number, group: number): number {
    const from = group * (this.#ttls + 1)
    return this.#counts[from + ttl]! + this.#counts[from + this.#ttls]!
  }
}

function isWhole (value: number, max = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value <= max
}

function sortedSet (name: string, values: readonly number[], isAllowed: (value: number) => boolean, allowed: string): number[] {
  const sorted = [...new Set(values)].sort((a, b) => a - b)
  if (sorted.length >= 1 && sorted.length <= 32 && sorted.every(isAllowed)) return sorted
  throw new OptionInvalid(name, String(values), allowed)
}
