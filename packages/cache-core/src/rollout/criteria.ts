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

/** The criteria of the baseline: it lasts its hours. */
export function baselineCriteria (hours: number): Criteria {
  return { holdHours: hours, minSample: 0, go: {}, back: {} }
}

const COMPARED = { slower: true, moreLoads: true } as const
/** The criteria that hold unless others are given, by the percent from which they hold. */
const DEFAULTS: readonly (readonly [fromPercent: number, criteria: Criteria])[] = [
  [100, {
    holdHours: 168,
    minSample: 10_000,
    go: { errorPercent: 0.1, cacheErrorPercent: 1, hitPercent: 40, p99Ms: 50 },
    back: { ...COMPARED, errorPercent: 1, cacheErrorPercent: 5, hitPointsFallen: 10, moreErrors: true }
  }],
  [50, {
    holdHours: 48,
    minSample: 10_000,
    go: { errorPercent: 0.1, cacheErrorPercent: 1, hitPercent: 40, p99Ms: 50 },
    back: { ...COMPARED, errorPercent: 1, cacheErrorPercent: 5, hitPointsFallen: 10 }
  }],
  [0, {
    holdHours: 48,
    minSample: 10_000,
    go: { errorPercent: 0.1, cacheErrorPercent: 1 },
    back: { ...COMPARED, errorPercent: 1, cacheErrorPercent: 5 }
  }]
]

/** The default criteria of a stage by its percent: those of 10 % below 50, those of 50 % below 100, those of 100 %. */
export function defaultCriteria (percent: number): Criteria {
  return DEFAULTS.find(([from]) => percent >= from)![1]
}
