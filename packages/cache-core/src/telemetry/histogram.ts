/**
 * Upper bounds, in seconds, of the buckets by which durations of cache operations are counted: from the duration of an in-process read to
 * that of a slow query.
 */
export const DURATION_BUCKETS: readonly number[] =
  [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** A histogram of durations. To count a duration costs a few additions; cumulative counts are computed when the histogram is read. */
export class DurationHistogram {
  /** The number of durations per bound of `DURATION_BUCKETS`, not cumulative; the last number is that of durations above all bounds. */
  readonly counts = new Array<number>(DURATION_BUCKETS.length + 1).fill(0)
  count = 0
  sum = 0

  observe (seconds: number): void {
    let bucket = 0
    while (bucket < DURATION_BUCKETS.length && seconds > DURATION_BUCKETS[bucket]!) bucket++
    this.counts[bucket]!++
    this.count++
    this.sum += seconds
  }

  /** Returns the upper bound of the bucket that contains a quantile, in seconds; `Infinity`: above all bounds. 0 without a duration. */
  quantile (share: number): number {
    let seen = 0
    for (const [at, bound] of DURATION_BUCKETS.entries()) {
      seen += this.counts[at]!
      if (seen >= share * this.count) return this.count === 0 ? 0 : bound
    }
    return Infinity
  }
}
