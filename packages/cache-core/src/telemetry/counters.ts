import { errorType, type CacheError } from '../contract/errors.js'
import { Costs } from './costs.js'
import { DurationHistogram } from './histogram.js'
import { KeyPatterns, type PatternFailed } from './key-pattern.js'

/** The value of the metric label `impl` for cache calls in the control arm, and for observed calls. */
export const CONTROL_LABEL = 'null'

/** The mean number of synchronous reads of which one is a sample whose cost is measured. */
const READS_PER_SAMPLE = 8
/** The number of loads over which the moving average of their durations is taken. */
const MOVING_OVER = 16

/** Counts of cache operations, on the keys of one pattern and on one implementation, since the start of the process. */
export class Counters {
  hits = 0
  misses = 0
  sets = 0
  dels = 0
  /** The number of loads of the key pattern that were counted under the metric label `impl` of these counters. */
  loaded = 0
  /** The seconds that operations of the implementation took on the keys of the pattern; 0 unless durations are measured. */
  readonly costs = new Costs()
  #loads: Loads | undefined
  #saved = 0
  /** The number of hits whose saved time is already included in `#saved`. */
  #valuedHits = 0
  readonly #stats: Stats

  constructor (readonly keyPattern: string, stats: Stats) {
    this.#stats = stats
  }

  /** The counts and durations of the loads of this key pattern; one object for all implementations. */
  get loads (): Loads {
    return (this.#loads ??= this.#stats.loadsOf(this.keyPattern))
  }

  /**
   * Seconds of loading that the hits have saved: each hit counts with the recent duration of a load. Hits before the first successful load
   * count with the duration of that load; 0 as long as no load has succeeded.
   */
  get savedSeconds (): number {
    this.valueHits()
    return this.#saved
  }

  /**
   * Adds the time that the hits since the last call of this method have saved, by the recent duration of a load. It is called before each
   * load is recorded, not at each hit, so that a hit costs nothing more.
   */
  valueHits (): void {
    const { succeeded, recent } = this.loads
    if (succeeded.count === 0) return
    this.#saved += (this.hits - this.#valuedHits) * recent
    this.#valuedHits = this.hits
  }
}

/** Counts and durations of the loads of one key pattern, for all implementations together. */
export class Loads {
  readonly durations = new DurationHistogram()
  failures = 0
  /**
   * The number of loads that succeeded, and the sum of their seconds. Failed loads do not count: a hit saves a load with a value, and a
   * load that fails takes as long as its time limit, or no time at all.
   */
  readonly succeeded = { count: 0, sum: 0 }
  /** The moving average of the durations of loads that succeeded in seconds, over about the last 16; the mean while there are fewer. */
  recent = 0
  constructor (readonly keyPattern: string) {}

  record (seconds: number, failed: boolean): void {
    this.durations.observe(seconds)
    if (failed) {
      this.failures++
      return
    }
    // The first loads have equal weights: with a weight of 1, the first one, which is often slow, would count for the next 16 loads.
    this.recent += (seconds - this.recent) / Math.min(++this.succeeded.count, MOVING_OVER)
    this.succeeded.sum += seconds
  }
}

/** Hits and misses of cache reads, and errors of all operations, in a period. `hitRate` is `hits / (hits + misses)`, `0` without reads. */
export interface Totals { hits: number; misses: number; errors: number; hitRate: number }

/** The counts of cache operations under one value of the metric label `impl`. */
export class ImplStats {
  readonly counters = new Map<string, Counters>()
  readonly errors = new Map<string, number>()
  /** The number of tag invalidations by the pattern of the tag. */
  readonly invalidations = new Map<string, number>()
  /** Histograms of the durations of cache operations, by operation; empty unless durations are measured. */
  readonly durations = new Map<string, DurationHistogram>()
  readonly #stats: Stats
  /** The counters of the last key, which are tried first, since most traffic has long runs of keys of one pattern. */
  #last: Counters | undefined
  /** The number of synchronous reads until the next one of the sample. */
  #untilSample = gapOfSample()

  constructor (readonly label: string, stats: Stats) {
    this.#stats = stats
  }

  of (key: string): Counters {
    const keyPattern = this.#stats.patterns.of(key)
    if (this.#last !== undefined && this.#last.keyPattern === keyPattern) return this.#last
    let counters = this.counters.get(keyPattern)
    if (counters === undefined) this.counters.set(keyPattern, counters = new Counters(keyPattern, this.#stats))
    this.#last = counters
    return counters
  }

  countError (error: CacheError): void {
    const type = errorType(error)
    this.errors.set(type, (this.errors.get(type) ?? 0) + 1)
  }

  countInvalidation (tag: string): void {
    const pattern = this.#stats.patterns.of(tag)
    this.invalidations.set(pattern, (this.invalidations.get(pattern) ?? 0) + 1)
  }

  observe (operation: string, seconds: number): void {
    let durations = this.durations.get(operation)
    if (durations === undefined) this.durations.set(operation, durations = new DurationHistogram())
    durations.observe(seconds)
  }

  /** Adds the duration of one operation to the costs of the patterns of its keys, in equal parts. */
  noteCost (operation: string, seconds: number, keys: string | readonly string[]): void {
    if (typeof keys === 'string') return this.of(keys).costs.note(operation, seconds)
    for (const key of keys) this.of(key).costs.note(operation, seconds / keys.length)
  }

  /**
   * Counts a synchronous read; returns whether its cost should be measured as a sample. The gaps between samples are random, since traffic
   * may be periodic.
   */
  isReadSampled (): boolean {
    if (--this.#untilSample > 0) return false
    this.#untilSample = gapOfSample()
    return true
  }

  /**
   * Adds the duration of a sampled read to the costs, multiplied by the number of reads that one sample represents. A key without a pattern
   * has no cost.
   */
  noteSampledRead (operation: string, seconds: number, key: string): void {
    if (typeof key === 'string' && key !== '') this.noteCost(operation, READS_PER_SAMPLE * seconds, key)
  }

  /** Adds the seconds in which a store blocked the event loop to the costs of the patterns of its keys, in equal parts. */
  noteSerialized (seconds: number, keys: string | readonly string[]): void {
    if (typeof keys === 'string') this.of(keys).costs.serialize += seconds
    else for (const key of keys) this.of(key).costs.serialize += seconds / keys.length
  }

  totals (): Totals {
    let hits = 0
    let misses = 0
    let errors = 0
    for (const counters of this.counters.values()) {
      hits += counters.hits
      misses += counters.misses
    }
    for (const count of this.errors.values()) errors += count
    return withRate(hits, misses, errors)
  }
}

/** Returns a random number of reads whose mean is `READS_PER_SAMPLE`. */
function gapOfSample (): number {
  return 1 + Math.floor(Math.random() * (2 * READS_PER_SAMPLE - 1))
}

/** Returns hits and misses of cache reads, and errors of cache operations, together with the hit rate. */
export function withRate (hits: number, misses: number, errors: number): Totals {
  return { hits, misses, errors, hitRate: hits + misses === 0 ? 0 : hits / (hits + misses) }
}

/** Cumulative counters of a process's cache operations: plain integers, which metrics read at scrape time. */
export class Stats {
  /** The maximum number of implementations with a label of their own; further implementations share the label `other`. */
  static readonly MAX_LABELS = 16
  readonly impls = new Map<string, ImplStats>()
  readonly loads = new Map<string, Loads>()
  readonly patterns: KeyPatterns
  /** Whether the durations of cache operations are measured, which costs two readings of the clock per operation. */
  measuresDurations = false

  /**
   * Creates the counters of a process, all 0.
   * @param failed is called once if the app's own pattern function fails
   */
  constructor (failed?: PatternFailed) {
    this.patterns = new KeyPatterns(failed)
  }

  for (label: string): ImplStats {
    let stats = this.impls.get(label)
    if (stats !== undefined) return stats
    if (this.impls.size >= Stats.MAX_LABELS && label !== 'other') return this.for('other')
    this.impls.set(label, stats = new ImplStats(label, this))
    return stats
  }

  loadsOf (keyPattern: string): Loads {
    let loads = this.loads.get(keyPattern)
    if (loads === undefined) this.loads.set(keyPattern, loads = new Loads(keyPattern))
    return loads
  }
}
