/**
 * The criteria of one stage. A criterion that is `undefined` does not apply. Shares are given in percent, differences of shares in
 * percentage points.
 */
export interface Criteria {
  /** Hours of counted minutes after which the stage may be left upwards; above 0. */
  readonly holdHours: number
  /** Requests of the cached arm below which no verdict but `wait` is given. An error burst steps back earlier. */
  readonly minSample: number
  /** All of these hold before the stage goes on. */
  readonly go: {
    /** The share of failures in the cached arm lies below this, in percent. */
    readonly errorPercent?: number | undefined
    /** The share of cache operations that failed lies below this, in percent. */
    readonly cacheErrorPercent?: number | undefined
    /** The hit rate lies above this, in percent. */
    readonly hitPercent?: number | undefined
    /** The 99th percentile of the cached arm lies below this, in milliseconds. */
    readonly p99Ms?: number | undefined
  }
  /** One of these, once it is certain, steps back. */
  readonly back: {
    /** The share of failures in the cached arm lies above this, in percent, and above that of the control arm, if there is one. */
    readonly errorPercent?: number | undefined
    /** The share of cache operations that failed lies above this, in percent. */
    readonly cacheErrorPercent?: number | undefined
    /** The hit rate fell by more than this since the same hour of the stage's first day, in percentage points. */
    readonly hitPointsFallen?: number | undefined
    /** The cached arm is slower than the control arm at the median, the 95th or the 99th percentile, as against the time before the stage. */
    readonly slower?: boolean | undefined
    /** The cached arm fails more often than the control arm, as against the time before the stage. */
    readonly moreErrors?: boolean | undefined
    /** The cached arm loads more per read than the control arm. */
    readonly moreLoads?: boolean | undefined
  }
}
