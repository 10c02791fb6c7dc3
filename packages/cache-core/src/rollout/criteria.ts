/**
 * The criteria of one stage. A criterion that is `undefined` does not apply. Shares are given in percent, differences of shares in
 * percentage points.
 */
export interface Criteria {
  /** The length, in hours, of all minutes that must be counted in the stage before the next one may begin; above 0. */
  readonly holdHours: number
  /** The number of requests of the cached arm below which the verdict is `wait`. Only an error burst steps back earlier. */
  readonly minSample: number
  /** Criteria for going on: all of them must hold before the next stage begins. */
  readonly go: {
    /** The stage may go on only if the percentage of failures in the cached arm is below this value. */
    readonly errorPercent?: number | undefined
    /** The stage may go on only if the percentage of failed cache operations is below this value. */
    readonly cacheErrorPercent?: number | undefined
    /** The stage may go on only if the hit rate, in percent, is above this value. */
    readonly hitPercent?: number | undefined
    /** The stage may go on only if the 99th percentile of the cached arm's durations, in milliseconds, is below this value. */
    readonly p99Ms?: number | undefined
  }
  /** Criteria for stepping back to the stage below: one of them suffices, once the evidence shows with certainty that it is met. */
  readonly back: {
    /**
     * The stage steps back if the percentage of failures in the cached arm is above this value, and above that of the control arm if there
     * is one.
     */
    readonly errorPercent?: number | undefined
    /** The stage steps back if the percentage of failed cache operations is above this value. */
    readonly cacheErrorPercent?: number | undefined
    /**
     * The stage steps back if the hit rate is lower by more than this many percentage points than in the same hour of the stage's first
     * day.
     */
    readonly hitPointsFallen?: number | undefined
    /**
     * Whether the stage steps back if the cached arm is slower than the control arm at the median, the 95th or the 99th percentile, beyond
     * the difference that both had before the stage.
     */
    readonly slower?: boolean | undefined
    /**
     * Whether the stage steps back if the cached arm fails more often than the control arm, beyond the difference that both had before the
     * stage.
     */
    readonly moreErrors?: boolean | undefined
    /** Whether the stage steps back if the cached arm runs more loads per read than the control arm. */
    readonly moreLoads?: boolean | undefined
  }
}

/** Returns the criteria of the baseline, which ends when minutes for this number of hours have been counted. */
export function baselineCriteria (hours: number): Criteria {
  return { holdHours: hours, minSample: 0, go: {}, back: {} }
}

const COMPARED = { slower: true, moreLoads: true } as const
/** The default criteria of stages; each row applies from its percent of cached subjects on. */
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

/** Returns the default criteria of a stage by its percent of cached subjects: one set below 50 %, one from 50 %, one at 100 %. */
export function defaultCriteria (percent: number): Criteria {
  return DEFAULTS.find(([from]) => percent >= from)![1]
}
