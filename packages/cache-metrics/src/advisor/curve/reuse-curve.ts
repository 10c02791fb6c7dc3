import { MAX_TTL } from '@x/cache-core/implementing'
import { OptionInvalid } from '@x/cache-core/suite'
import { HASHES } from '../hash.js'
import { KeySample } from './key-sample.js'
import { ALL_MISSED, MiniatureCache } from './miniature-cache.js'
import { MissCounts } from './miss-counts.js'

/** The settings of a reuse curve: its ttls and cache sizes, and the limit of its sample of keys. */
export interface ReuseCurveOptions {
  /**
   * The ttls of the curve in seconds, above 0 and at most 30 days; 1 to 32 of them.
   * @default 1, 10, 60, 300, 900, 3600 and 86 400
   */
  ttls?: readonly number[]
  /**
   * The cache sizes of the curve in entries, whole numbers from 1.
   * @default 100, 1000, 5000, 20 000 and 100 000
   */
  entries?: readonly number[]
  /**
   * The maximum number of simulated entries per cache size, a whole number from 1 to 2^24. A size up to this number is simulated in full,
   * and its hit rates are exact. Default 512. Each entry takes about 50 bytes.
   */
  sampleEntries?: number
}

/** One point of a reuse curve: the hit rate for one ttl and one size. */
export interface ReusePoint {
  /** The ttl of the point, in seconds. */
  ttl: number
  /** The size of the cache at the point, in entries. */
  entries: number
  /** Hits per request, 0 to 1; 0 before the first request. The rate never falls from a ttl, or cache size, to the next larger one. */
  hitRate: number
  /**
   * Half the width of the 95 % interval of `hitRate`, from the variance between eighths of the sample. It is 0 if the size is
   * simulated in full, 1 before the first request. The interval does not cover loops over slightly more keys than the size, for which LRU
   * never hits: the simulation distinguishes sizes only to about `2 / √sampleEntries`.
   */
  margin: number
  /** The number of requests that were simulated for this cache size. */
  sampled: number
}

/** The default ttls of a reuse curve, in seconds: from the ttl of a polled page to the ttl of a catalogue. */
export const DEFAULT_TTLS: readonly number[] = [1, 10, 60, 300, 900, 3600, 86_400]
export const DEFAULT_ENTRIES: readonly number[] = [100, 1000, 5000, 20_000, 100_000]
const GROUPS = 8
/** The number of requests that are simulated at a time. */
const BATCH = 256
/** The two-sided 95 % quantile of Student's t with 7 degrees of freedom. */
const T_95 = 2.365

/**
 * Estimates the hit rate of an LRU cache for each ttl and size. Each noted request reads its key, and loads and stores the key on a
 * miss. Memory is bounded for any number of keys: with the default options 120 kB at most, and 10 kB for ten keys.
 *
 * Each size has a miniature: a cache scaled down in proportion to its sample of keys (Waldspurger et al., "Cache Modeling and
 * Optimization using Miniature Simulations", ATC '17; keys are sampled by hash as in "Efficient MRC Construction with
 * SHARDS", FAST '15). The samples are nested, so that a larger size is compared with the next smaller one on the same keys.
 * The estimate for a larger size is a ratio: of the misses of the smaller size, the share that also misses in the larger size. A
 * hot key hits in both sizes, so its presence in the sample hardly changes the ratio. On the trace web07 the error is a tenth of the
 * error of hits per sampled request. It is also a tenth of the error of SHARDS-adj, which corrects the hits by the number of excess or
 * missing requests.
 */
export class ReuseCurve {
  readonly #ttls: readonly number[]
  readonly #levels: readonly Level[]
  readonly #keys = new KeySample()
  #simulated = 0
  // Requests that are not simulated yet, in their order. Within a batch the tables stay in the processor's cache; between two requests of an
  // app they do not, and each access would wait for memory.
  readonly #hashes = new Uint32Array(BATCH)
  readonly #times = new Uint32Array(BATCH)
  #pending = 0

  /**
   * Creates a reuse curve without requests.
   * @throws `CACHE_ERR_OPTION_INVALID` for a ttl, a size or a sample out of its range
   */
  constructor (options: ReuseCurveOptions = {}) {
    const {
      ttls = DEFAULT_TTLS,
      entries = DEFAULT_ENTRIES,
      sampleEntries = 512
    } = options
    this.#ttls = sortedSet('ttls', ttls, (ttl) => ttl > 0 && ttl <= MAX_TTL, `1 to 32 numbers above 0, ${MAX_TTL} at most`)
    const sizes = sortedSet('entries', entries, (size) => isWhole(size), 'whole numbers from 1')
    if (!isWhole(sampleEntries, 2 ** 24)) throw new OptionInvalid('sampleEntries', String(sampleEntries), 'a whole number from 1 to 2^24')
    // The smallest size is simulated in full: the hottest keys determine the hit rate, and a sample may lack these keys by chance.
    const first = sizes[0]! > sampleEntries ? [sampleEntries] : []
    const lifetimes = this.#ttls.map((ttl) => ttl * 1000)
    this.#levels = [...first, ...sizes].map((size, at) => new Level(size, at >= first.length, sampleEntries, lifetimes))
  }

  /** The number of requests that were noted in the curve. */
  get requests (): number { return this.#simulated + this.#pending }

  /** The size of the tables of the reuse curve, in bytes. */
  get bytes (): number {
    const own = this.#hashes.byteLength + this.#times.byteLength + this.#keys.bytes
    return this.#levels.reduce((sum, { bytes }) => sum + bytes, own)
  }

  /** The number of distinct keys in the requests: exact up to 1024, above that within 8 % with a probability of 95 %. */
  get distinctKeys (): number {
    this.#simulate()
    return this.#keys.distinct
  }

  /**
   * The share of the distinct keys with one request; 0 without keys. It is exact up to 1024 keys, above that within 0.045 with a
   * probability of 95 %.
   */
  get oneHitShare (): number {
    this.#simulate()
    return this.#keys.onceShare
  }

  /**
   * Notes a request for a key in the curve.
   * @param hash the hash of the key, by `hashKey`
   * @param now milliseconds of any clock; fractions are cut off. If the clock goes back, earlier loads count as expired
   */
  note (hash: number, now: number): void {
    this.#hashes[this.#pending] = hash
    this.#times[this.#pending] = now
    if (++this.#pending === BATCH) this.#simulate()
  }

  /** Simulates the noted requests that are not simulated yet. */
  #simulate (): void {
    const pending = this.#pending
    this.#pending = 0
    this.#simulated += pending
    for (let at = 0; at < pending; at++) this.#simulateOne(this.#hashes[at]!, this.#times[at]!)
  }

  #simulateOne (hash: number, time: number): void {
    if (hash < this.#keys.limit) this.#keys.note(hash)
    let misses = ALL_MISSED
    for (const level of this.#levels) {
      if (hash >= level.limit) return
      misses = level.note(hash, time, misses)
    }
  }

  /** The points of the reuse curve, by ascending cache size, and for each size by ascending ttl. */
  points (): ReusePoint[] {
    this.#simulate()
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
        // A longer ttl never has fewer hits: the loads of a key are the fewest intervals of one ttl that cover its requests.
        hitRate = Math.max(hitRate, 1 - missRates[at]!)
        const margin = this.#simulated === 0 ? 1 : Math.min(1, T_95 * Math.sqrt(variances[at]!))
        if (level.isWanted) points.push({ ttl, entries: level.entries, hitRate, margin, sampled: level.sampled })
      }
      // A cache that is not full has evicted no entry, so a larger size has the same hit rate.
      mayGain = level.isFull
    }
    return points
  }
}

/** One cache size of a reuse curve: its miniature cache, and the counts of its misses. */
class Level {
  /** Keys with a hash below this limit are in the sample of keys for this cache size. */
  readonly limit: number
  /** Whether all keys are in the sample for this cache size. */
  readonly isExact: boolean
  sampled = 0
  readonly #cache: MiniatureCache
  readonly #misses: MissCounts
  /** The misses of the next smaller cache size for the same requests; empty for a size that is simulated in full. */
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

  /** Simulates a request; returns the misses as bits, one per ttl. `before` has the misses of the next smaller cache size. */
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

  /** The miss rate under a ttl, for a cache size that is simulated in full. */
  missRate (ttl: number): number {
    return this.sampled === 0 ? 1 : this.#misses.of(ttl, 0) / this.sampled
  }

  /** Returns the share of the next smaller cache size's misses, 0 to 1, that also miss in this size, and the variance of the share. */
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

function isWhole (value: number, max = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value <= max
}

function sortedSet (name: string, values: readonly number[], isAllowed: (value: number) => boolean, allowed: string): number[] {
  const sorted = [...new Set(values)].sort((a, b) => a - b)
  if (sorted.length >= 1 && sorted.length <= 32 && sorted.every(isAllowed)) return sorted
  throw new OptionInvalid(name, String(values), allowed)
}
