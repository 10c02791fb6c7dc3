import { corrupt } from '../contract/errors.js'
import { err, ok, type Result } from '../contract/result.js'
import { ByteReader, ByteWriter, Malformed } from './bytes.js'
import type { Cohorts } from './cohorts.js'
import { addCounts, sketchBucket, SKETCH_BUCKETS, sumCounts, type LatencySketch } from './latency-sketch.js'

/** The first byte of encoded counts of a minute, with which no JSON text begins, and the version of their format. */
const MAGIC = 0xc3
const VERSION = 2
/** The encoded form of a `limit` that is `undefined`, since the percent of cached subjects changed within the minute. */
const MIXED = 65_535

/** Counts of reads and of operations of the cache in one arm of the rollout. */
export interface ArmCounts {
  /** The number of reads of a key, both hits and misses. */
  reads: number
  /** The number of reads that found an entry, fresh or stale. */
  hits: number
  /** Runs of a loader, including those in the background. In the control arm each read that has a loader runs it. */
  loads: number
  /** The number of cache operations that failed. */
  cacheErrors: number
  /** The number of all cache operations, including failed ones. */
  operations: number
}

/** The names of the counts of an arm, in the order in which they are encoded. */
export const ARM_COUNTS = ['reads', 'hits', 'loads', 'cacheErrors', 'operations'] as const

/** Returns new counts of an arm, all of them 0. */
export function noCounts (): ArmCounts {
  return { reads: 0, hits: 0, loads: 0, cacheErrors: 0, operations: 0 }
}

/** The counts of requests and cache calls in one minute, of one process or of all; `Comparison.fold` adds them to the evidence. */
export interface Minute {
  /** The hash of the division of subjects into cohorts (`Cohorts.layout`) by which the requests were counted. */
  readonly layout: number
  /** The number of buckets of subjects that were cached during the whole minute; `undefined`: the percent changed within the minute. */
  readonly limit: number | undefined
  /** The number of requests in this minute, by group of subjects. */
  readonly requests: ArrayLike<number>
  /** The number of requests in this minute with a status of 500 or more, by group of subjects. */
  readonly failures: ArrayLike<number>
  readonly cached: Readonly<ArmCounts>
  readonly control: Readonly<ArmCounts>
  /** Returns how many requests of a group of subjects took longer than the given bucket of `LatencySketch`. */
  above (group: number, bucket: number): number
  /** Adds the durations of a group's requests to a latency sketch. */
  addDurations (group: number, sketch: LatencySketch): void
}

/**
 * The counts of one process in one minute: requests, failures and durations by group of subjects; reads, hits, loads and errors of the
 * cache by arm. Only requests that used `request.cache` are counted. This rule is the same for both arms, so that the arms are comparable.
 */
export class MinuteCounts implements Minute {
  readonly layout: number
  limit: number | undefined
  readonly requests: Float64Array
  readonly failures: Float64Array
  readonly cached = noCounts()
  readonly control = noCounts()
  /** The durations of all groups: the counts of a latency sketch for each, one behind the other. */
  readonly #durations: Float64Array

  /**
   * Creates counts of a minute without requests.
   * @param limit the number of buckets, 0 to 10 000, that are cached during the whole minute; `undefined`: the number changes within the
   * minute
   */
  constructor (cohorts: Pick<Cohorts, 'layout' | 'groups'>, limit: number | undefined) {
    this.layout = cohorts.layout
    this.limit = limit
    this.requests = new Float64Array(cohorts.groups)
    this.failures = new Float64Array(cohorts.groups)
    this.#durations = new Float64Array(cohorts.groups * SKETCH_BUCKETS)
  }

  /** Counts one request of a group of subjects: its duration in milliseconds, and whether its status was 500 or more. */
  addRequest (group: number, milliseconds: number, failed: boolean): void {
    this.requests[group]!++
    if (failed) this.failures[group]!++
    this.#durations[group * SKETCH_BUCKETS + sketchBucket(milliseconds)]!++
  }

  above (group: number, bucket: number): number {
    const first = group * SKETCH_BUCKETS
    return this.requests[group] === 0 ? 0 : sumCounts(this.#durations, first + bucket + 1, first + SKETCH_BUCKETS)
  }

  addDurations (group: number, sketch: LatencySketch): void {
    if (this.requests[group] !== 0) addCounts(sketch.counts, this.#durations, group * SKETCH_BUCKETS)
  }

  #durationsOf (group: number): Float64Array {
    return this.#durations.subarray(group * SKETCH_BUCKETS, (group + 1) * SKETCH_BUCKETS)
  }

  /**
   * Adds the counts of another process in the same minute, which has the same `layout`. The sum has a `limit` only if both counts have the
   * same `limit`.
   */
  merge (other: MinuteCounts): void {
    if (other.limit !== this.limit) this.limit = undefined
    for (let group = 0; group < this.requests.length; group++) {
      this.requests[group]! += other.requests[group]!
      this.failures[group]! += other.failures[group]!
    }
    addCounts(this.#durations, other.#durations)
    for (const name of ARM_COUNTS) {
      this.cached[name] += other.cached[name]
      this.control[name] += other.control[name]
    }
  }

  /**
   * Returns the counts of the minute as bytes, with a format version and a checksum. Each bucket of a sketch that contains a duration takes
   * about 3 bytes.
   */
  encode (): Uint8Array {
    const writer = new ByteWriter()
    writer.byte(MAGIC)
    writer.byte(VERSION)
    writer.integer(this.layout)
    writer.integer(this.limit ?? MIXED)
    for (const arm of [this.cached, this.control]) for (const name of ARM_COUNTS) writer.integer(arm[name])
    writer.integers(this.requests)
    writer.integers(this.failures)
    for (let group = 0; group < this.requests.length; group++) if (this.requests[group] !== 0) writer.integers(this.#durationsOf(group))
    return writer.end()
  }

  /**
   * Reads the bytes that `encode` returned. Damaged bytes, and bytes of another format version or another layout, give the error
   * `CACHE_ERR_CORRUPT`.
   */
  static decode (bytes: Uint8Array, cohorts: Pick<Cohorts, 'layout' | 'groups'>): Result<MinuteCounts> {
    try {
      const reader = new ByteReader(bytes)
      if (reader.byte() !== MAGIC) throw new Malformed('bytes that are no counts of a minute')
      if (reader.byte() !== VERSION) throw new Malformed('counts of a minute in another version of the format')
      if (reader.integer() !== cohorts.layout) throw new Malformed('counts of a minute for other stages')
      const limit = reader.integer(MIXED)
      const counts = new MinuteCounts(cohorts, limit === MIXED ? undefined : limit)
      for (const arm of [counts.cached, counts.control]) for (const name of ARM_COUNTS) arm[name] = reader.integer()
      reader.integers(counts.requests)
      reader.integers(counts.failures)
      for (let group = 0; group < cohorts.groups; group++) {
        if (counts.requests[group]! > 0) reader.integers(counts.#durationsOf(group))
      }
      reader.end()
      return ok(counts)
    } catch (error) {
      if (!(error instanceof Malformed)) throw error
      return err(corrupt('rollout counts', error.message))
    }
  }
}
