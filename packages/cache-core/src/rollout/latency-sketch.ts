import type { ByteReader, ByteWriter } from './bytes.js'

/** The ratio of the upper bound to the lower bound of a bucket of durations: a bucket is 5 % wide. */
export const LATENCY_RATIO = 1.05
/** The lower bound of the first bucket of durations, in milliseconds; shorter durations are counted in bucket 0. */
export const LOWEST_MS = 0.1
/** The duration in milliseconds up to which buckets are 5 % wide; longer durations share the last bucket. */
const HIGHEST_MS = 100_000
const LOG_RATIO = Math.log(LATENCY_RATIO)
const LOG_LOWEST = Math.log(LOWEST_MS)
/** The number of the last bucket of a sketch, which counts all durations above the other buckets. */
const OVERFLOW = Math.ceil((Math.log(HIGHEST_MS) - LOG_LOWEST) / LOG_RATIO) + 1

/** The number of buckets of a latency sketch. */
export const SKETCH_BUCKETS = OVERFLOW + 1

/**
 * Returns the bucket of the sketch that counts a duration in milliseconds: 0 below 0.1 ms, `SKETCH_BUCKETS - 1` above 100 s. `NaN` has the
 * bucket 0.
 */
export function sketchBucket (milliseconds: number): number {
  if (!(milliseconds >= LOWEST_MS)) return 0
  return Math.min(OVERFLOW, 1 + Math.floor((Math.log(milliseconds) - LOG_LOWEST) / LOG_RATIO))
}

/** Returns the upper bound of a bucket of durations in milliseconds; `Infinity` for the last one. */
export function upperBound (bucket: number): number {
  return bucket >= OVERFLOW ? Infinity : LOWEST_MS * LATENCY_RATIO ** bucket
}

/** The duration that stands for a bucket, in milliseconds: the geometric mean of its bounds, at most 2.5 % from each duration in it. */
function middle (bucket: number): number {
  if (bucket === 0) return LOWEST_MS
  return LOWEST_MS * LATENCY_RATIO ** (bucket >= OVERFLOW ? OVERFLOW - 1 : bucket - 0.5)
}

/** Adds to each element of `counts` one element of `added`, beginning with `added[from]`; `times: -1` subtracts instead. */
export function addCounts (counts: Float64Array, added: Float64Array, from = 0, times = 1): void {
  for (let at = 0; at < counts.length; at++) counts[at]! += times * added[from + at]!
}

/** Returns the sum of the counts from the index `from` to the one before `end`. */
export function sumCounts (counts: Float64Array, from: number, end: number): number {
  let sum = 0
  for (let at = from; at < end; at++) sum += counts[at]!
  return sum
}

/**
 * Counts of durations in logarithmic buckets that are 5 % wide, from 0.1 ms to 100 s, with a bucket below and one above. Sketches are
 * merged by adding their counts, as in DDSketch (Masson, Rim, Lee, "DDSketch", VLDB 2019).
 */
export class LatencySketch {
  /** The number of measured durations in each bucket of the sketch. */
  readonly counts = new Float64Array(SKETCH_BUCKETS)

  add (milliseconds: number, times = 1): void {
    this.counts[sketchBucket(milliseconds)]! += times
  }

  /** Adds the counts of another latency sketch, or subtracts them (`times: -1`). */
  merge (other: LatencySketch, times = 1): void {
    addCounts(this.counts, other.counts, 0, times)
  }

  get total (): number {
    return sumCounts(this.counts, 0, SKETCH_BUCKETS)
  }

  /** Returns the number of durations in the buckets above the given bucket of the sketch. */
  above (bucket: number): number {
    return sumCounts(this.counts, bucket + 1, SKETCH_BUCKETS)
  }

  /**
   * Returns the bucket of a quantile (0 to 1) of the durations: the lowest bucket at or below which at least that share of them lies; -1
   * without durations.
   */
  quantileBucket (quantile: number): number {
    const rank = Math.max(1, quantile * this.total)
    let sum = 0
    for (let bucket = 0; bucket < SKETCH_BUCKETS; bucket++) {
      sum += this.counts[bucket]!
      // The small tolerance absorbs rounding errors of products such as `0.95 * total`.
      if (sum > 0 && sum >= rank - 1e-6) return bucket
    }
    return -1
  }

  /**
   * Returns a quantile (0 to 1) of the durations in milliseconds, with an error of at most 2.5 %; `undefined` without durations. Durations
   * below 0.1 ms count as 0.1 ms, durations above 100 s as about 100 s.
   */
  quantile (quantile: number): number | undefined {
    const bucket = this.quantileBucket(quantile)
    return bucket < 0 ? undefined : middle(bucket)
  }

  /**
   * Returns a quantile of the durations in milliseconds, interpolated within its bucket. For differences between quantiles a step of a
   * whole bucket, 5 %, would be too coarse.
   */
  interpolated (quantile: number): number | undefined {
    const bucket = this.quantileBucket(quantile)
    if (bucket <= 0 || bucket === OVERFLOW) return bucket < 0 ? undefined : middle(bucket)
    const total = this.total
    const above = this.above(bucket)
    const part = (quantile * total - (total - above - this.counts[bucket]!)) / this.counts[bucket]!
    return LOWEST_MS * LATENCY_RATIO ** (bucket - 1 + Math.min(1, Math.max(0, part)))
  }

  /** Writes the latency sketch: 2 bytes per run of empty buckets, and about 1 byte per bucket with few durations. */
  write (writer: ByteWriter): void {
    writer.integers(this.counts)
  }

  /**
   * Reads the sketch that `write` wrote.
   * @throws `Malformed` for other bytes
   */
  static read (reader: ByteReader): LatencySketch {
    const sketch = new LatencySketch()
    reader.integers(sketch.counts)
    return sketch
  }
}
