import { CLEAR, INVALIDATION, READ, REMOVAL, TAG } from './access-kinds.js'
import { CurveLevel } from './curve-level.js'
import { HASHES } from '../hash.js'
import { resolveCurveOptions, type ReuseCurveOptions } from './curve-options.js'
import { MAX_TAGS } from './entry-tags.js'
import { KeySample } from './key-sample.js'
import { InvalidatedKeys } from './invalidated-keys.js'
import { ALL_MISSED } from './miniature-cache.js'

/** One point of a reuse curve: the hit rate for one ttl and one size. */
export interface ReusePoint {
  /** The ttl of this point of the curve, in seconds. */
  ttl: number
  /** The size of the simulated cache at this point, in entries. */
  entries: number
  /**
   * Hits per request, 0 to 1; 0 before the first request. The rate of a larger ttl or cache size is never lower than that of a smaller one.
   */
  hitRate: number
  /**
   * Half the width of the 95 % interval of `hitRate`, from the variance between eighths of the sample; 1 before the first request. It is 0
   * if the size is simulated in full and all misses were counted. The interval does not cover loops over slightly more keys than the size,
   * for which LRU never hits: the simulation distinguishes sizes only to about `2 / √sampleEntries`.
   */
  margin: number
  /** The number of requests that were simulated for this cache size and whose misses were counted. */
  sampled: number
}

/** The number of requests that are simulated together. */
const BATCH = 128
/**
 * The number of standard errors in half an interval of 95 %: Student's quantile with 7 degrees of freedom, 2.365, times 0.76. The factor
 * corrects that the larger of two estimates of the variance is used, which is too large on average; it was measured
 * (`test/advisor/interval-coverage.test.ts`).
 */
const T_95 = 2.365 * 0.76

/**
 * Estimates the hit rate of an LRU cache for each ttl and size. Each noted request reads its key, and loads and stores the key on a miss. A
 * read of a key that was removed, or whose tag was invalidated, since its last read is a miss for each ttl and size. Memory is bounded for
 * any number of keys: with the default options 60 kB at most without tags, and 10 kB for ten keys. Each size has a miniature: a cache
 * scaled down in proportion to its sample of keys (Waldspurger et al., "Cache Modeling and Optimization using Miniature Simulations", ATC
 * '17; keys are sampled by hash as in "Efficient MRC Construction with SHARDS", FAST '15). The samples are nested, so that a larger size is
 * compared with the next smaller one on the same keys. The estimate for a larger size is a ratio: of the misses of the smaller size, the
 * share that also misses in the larger size. A hot key hits in both sizes, so its presence in the sample hardly changes the ratio. If the
 * hot key was removed or its tag invalidated, it misses in both sizes. Such reads are counted over all keys in the smallest size, and are
 * left out of the ratio. On the trace web07 the error is a tenth of the error of hits per sampled request. It is also a tenth of the error
 * of SHARDS-adj, which corrects the hits by the number of excess or missing requests.
 */
export class ReuseCurve {
  readonly #ttls: readonly number[]
  readonly #levels: readonly CurveLevel[]
  readonly #keys = new KeySample()
  readonly #invalidated = new InvalidatedKeys()
  /** Whether any entry has had a tag so far. If none has, the invalidation of a tag has no effect, and is not recorded. */
  hasTags = false
  #requests = 0
  // Requests and invalidations that are not simulated yet, in their order. During a batch the tables stay in the processor's cache. Between
  // two requests of an app they do not, so that each access of a table would wait for memory.
  readonly #hashes = new Uint32Array(BATCH)
  readonly #times = new Uint32Array(BATCH)
  readonly #kinds = new Uint8Array(BATCH)
  #pending = 0

  /**
   * Makes an empty reuse curve.
   * @throws `CACHE_ERR_OPTION_INVALID` for a ttl, a size or a sample out of its range
   */
  constructor (options: ReuseCurveOptions = {}) {
    const { ttls, entries: sizes, sampleEntries, isCompact } = resolveCurveOptions(options)
    this.#ttls = ttls
    // The smallest cache size is simulated with all keys: the hottest keys determine the hit rate, and a sample may lack them by chance.
    const first = sizes[0]! > sampleEntries ? [sampleEntries] : []
    const lifetimes = this.#ttls.map((ttl) => ttl * 1000)
    this.#levels = [...first, ...sizes].map((size, at) => new CurveLevel(size, at >= first.length, sampleEntries, lifetimes, isCompact))
  }

  /**
   * The limits of the hashes of the strata of this curve, highest first. A stratum contains the keys whose hashes lie between the next
   * limit and its own. A cache size is simulated with all keys below its limit.
   */
  get limits (): number[] {
    return [HASHES, ...this.#levels.filter(({ isExact }) => !isExact).map(({ limit }) => limit)]
  }

  /** The number of requests that were added to the curve. */
  get requests (): number { return this.#requests }

  /** The size of the tables of the reuse curve, in bytes. */
  get bytes (): number {
    const own = this.#hashes.byteLength + this.#times.byteLength + this.#kinds.byteLength + this.#keys.bytes + this.#invalidated.bytes
    return this.#levels.reduce((sum, { bytes }) => sum + bytes, own)
  }

  /** The sample of keys from which the number of distinct keys is estimated. */
  get keys (): KeySample {
    this.#simulate()
    return this.#keys
  }

  /** The number of distinct keys in the requests: exact up to 1024, above that within 8 % with a probability of 95 %. */
  get distinctKeys (): number { return this.keys.distinct }

  /**
   * The share of the distinct keys with one request; 0 without keys. It is exact up to 1024 keys, above that within 0.045 with a
   * probability of 95 %.
   */
  get oneHitShare (): number { return this.keys.onceShare }

  /**
   * Adds a request for a key to the curve.
   * @param hash the hash of the key, by `hashKey`
   * @param now milliseconds of any clock; fractions are cut off. If the clock goes back, earlier loads count as expired
   */
  note (hash: number, now: number): void {
    this.#requests++
    this.#add(READ, hash, now)
  }

  /** Adds the removal of a key's entry by `del` to the curve. */
  noteRemoval (hash: number): void {
    this.#add(REMOVAL, hash, 0)
  }

  /**
   * Adds a tag to the entry that the last request for a key stored.
   * @param at the number of the entry's tags before this one; at most 4 tags of an entry are simulated
   */
  noteTag (hash: number, at: number, tag: number): void {
    if (at >= MAX_TAGS) return
    this.hasTags = true
    this.#add(TAG + at, hash, tag)
  }

  /** Adds the invalidation of a tag to the curve: all entries with the tag count as invalidated. */
  noteInvalidation (tag: number): void {
    this.#add(INVALIDATION, tag, 0)
  }

  /** Adds a `clear` to the curve: all entries count as removed. */
  noteClear (): void {
    this.#add(CLEAR, 0, 0)
  }

  /** Ends the counting of misses, so that accesses only fill the simulated caches. */
  stopCounting (): void {
    this.#simulate()
    for (const level of this.#levels) level.isCounting = false
  }

  /**
   * Begins to count misses in the cache sizes whose estimates need the keys of this stratum and of all later strata. A sampled size is
   * compared with the next smaller size, so it needs all keys of that size.
   */
  startCounting (stratum: number): void {
    this.#simulate()
    let own = 0
    for (const level of this.#levels) {
      if (!level.isExact) own++
      if (Math.max(0, own - 1) === stratum) level.isCounting = true
    }
  }

  /** Adds an access of a kind in `access-kinds.ts`; `word` is its time in milliseconds, or for a tag of an entry the hash of the tag. */
  add (kind: number, hash: number, word: number): void {
    if (kind === READ) this.#requests++
    else if (kind >= TAG) this.hasTags = true
    this.#add(kind, hash, word)
  }

  #add (kind: number, hash: number, time: number): void {
    this.#kinds[this.#pending] = kind
    this.#hashes[this.#pending] = hash
    this.#times[this.#pending] = time
    if (++this.#pending === BATCH) this.#simulate()
  }

  /** Simulates the requests and invalidations of the present batch. */
  #simulate (): void {
    const pending = this.#pending
    this.#pending = 0
    for (let at = 0; at < pending; at++) {
      const kind = this.#kinds[at]!
      if (kind === READ) this.#read(this.#hashes[at]!, this.#times[at]!)
      else this.#write(kind, this.#hashes[at]!, this.#times[at]!)
    }
  }

  #read (hash: number, time: number): void {
    if (hash < this.#keys.limit) this.#keys.note(hash)
    const isInvalidated = this.#invalidated.read(hash, this.#levels[0]!.isCounting)
    let misses = ALL_MISSED
    for (const level of this.#levels) {
      if (hash >= level.limit) return
      misses = level.note(hash, time, misses, isInvalidated)
    }
  }

  #write (kind: number, hash: number, tag: number): void {
    const smallest = this.#levels[0]!.cache
    const invalidated = this.#invalidated
    if (kind === CLEAR) smallest.each((key) => invalidated.add(key))
    else if (kind === INVALIDATION) smallest.eachOf(hash, (key) => invalidated.add(key))
    else if (kind === REMOVAL && smallest.has(hash)) invalidated.add(hash)
    for (const { limit, cache } of this.#levels) {
      if (kind === CLEAR) cache.clear()
      else if (kind === INVALIDATION) cache.invalidate(hash)
      else if (hash >= limit) return
      else if (kind === REMOVAL) cache.remove(hash)
      else cache.tag(hash, kind - TAG, tag)
    }
  }

  /** Returns the points of the reuse curve, by ascending cache size, and for each size by ascending ttl. */
  points (): ReusePoint[] {
    this.#simulate()
    const points: ReusePoint[] = []
    const { distinct } = this.#keys
    const { sampled: counted } = this.#levels[0]!
    const invalidated = counted === 0 ? 0 : this.#invalidated.reads / counted
    const missRates = this.#ttls.map(() => 1)
    const variances = this.#ttls.map(() => 0)
    let mayGain = true
    for (const level of this.#levels) {
      let hitRate = 0
      for (const [at, ttl] of this.#ttls.entries()) {
        if (level.isExact) {
          missRates[at] = level.missRate(at)
          // If misses were counted for a part of the time only, the requests of that part are a sample, so the miss rate has a variance
          // although all keys are simulated.
          if (counted < this.#requests) variances[at] = missRates[at]! * (1 - missRates[at]!) / Math.max(1, counted)
        } else if (mayGain) {
          const { ratio, variance } = level.left(at, distinct)
          variances[at] = ratio ** 2 * variances[at]! + (missRates[at]! - invalidated) ** 2 * variance
          missRates[at] = invalidated + (missRates[at]! - invalidated) * ratio
        }
        // A longer ttl never has fewer hits than a shorter one: the loads of a key are the smallest number of ttl intervals that cover its
        // requests.
        hitRate = Math.max(hitRate, 1 - missRates[at]!)
        const margin = this.#requests === 0 ? 1 : Math.min(1, T_95 * Math.sqrt(variances[at]!))
        if (level.isWanted) points.push({ ttl, entries: level.entries, hitRate, margin, sampled: level.sampled })
      }
      // If the cache of this size evicted no entry, all larger sizes have the same hit rate.
      mayGain = level.cache.hasEvicted
    }
    return points
  }
}
