/** The totals of one arm in the current stage. */
export interface ArmTotals {
  readonly requests: number
  readonly failures: number
  /** Milliseconds, with an error of at most 2.5 %; `undefined` without requests. */
  readonly p50: number | undefined
  readonly p95: number | undefined
  readonly p99: number | undefined
  readonly reads: number
  readonly hits: number
  readonly loads: number
  readonly cacheErrors: number
  readonly operations: number
}

/** A difference of the cached arm from the control arm, and whether it is certain. Positive: the cached arm has more. */
export interface Difference {
  /** The logarithm of an odds ratio (0.1: a tenth more often), or a difference of ratios (0.01: one point), as the property says. */
  readonly estimate: number
  /** The bounds of the confidence sequence: they hold at all looks together with the confidence of the stage's budget. */
  readonly low: number
  readonly high: number
  /** The estimate in standard errors, corrected for the number of groups; a look at a fixed time would compare it to 1.64 (5 %). */
  readonly z: number
  /** The size of a true difference that is suspected at a look with a probability of 95 %, or of any larger one. */
  readonly detectable: number
}

/** Counts of one arm in the last minutes. */
export interface RecentCounts {
  readonly requests: number
  readonly failures: number
  /** The requests without the group of subjects that has the most failures: one broken client is no failure of the cache. */
  readonly requestsOfOthers: number
  readonly failuresOfOthers: number
}

/** The hit rate of the current hour, or of its last minutes, and of the same hour of the stage's first day. */
export interface HitRates {
  readonly reads: number
  readonly hits: number
  readonly firstDayReads: number
  readonly firstDayHits: number
  /** The fall of the hit rate (positive: fewer hits now), a difference of ratios. */
  readonly fall: Difference
}

/** The odds to be slower than the control arm's quantiles, and what is compared with them: logarithms of odds ratios. */
export interface ByQuantile<T> {
  readonly p50: T
  readonly p95: T
  readonly p99: T
}

/** A window of the stage: it begins again when its length has passed, so a change that comes late is not diluted in it. */
export interface WindowEvidence {
  /** The minutes that it has. */
  readonly minutes: number
  /** The logarithm of the odds ratio that latency may change in so short a window without being a sign. */
  readonly tolerance: number
  readonly cached: { readonly requests: number, readonly failures: number }
  readonly control: { readonly requests: number, readonly failures: number }
  /** As in `Evidence`, with bounds that hold for each look at a window. */
  readonly latency: ByQuantile<Difference | undefined>
  readonly failures: Difference | undefined
  readonly ownFailures: Difference | undefined
  readonly loads: Difference | undefined
}

/**
 * Why there is no comparison with the time before the stage. `before`: no minute before it was compared, since the baseline was left out, was
 * too short for the quantiles of the control arm to be known, or its counts were lost. `groups`: too few groups of subjects have requests, in
 * the arm that has fewer.
 */
export type Missing = { readonly of: 'before' } | { readonly of: 'groups', readonly count: number, readonly needed: number }

/** The evidence that `judge` decides by: plain data, all of one stage. */
export interface Evidence {
  /** 0: the baseline, in which no subject is cached. */
  readonly stage: number
  /** The percent of the stage. */
  readonly percent: number
  /** Minutes whose counts were folded in this stage; minutes in which the percent changed are none of them. */
  readonly observedMinutes: number
  /** Whether the stage leaves subjects in the control arm. Without them only absolute criteria hold. */
  readonly hasControl: boolean
  readonly cached: ArmTotals
  readonly control: ArmTotals
  /**
   * The odds of a request to be slower than the control arm's quantile, of the subjects that this stage added against the control arm, and
   * this against the same before the stage: the logarithm of an odds ratio. `undefined`: not enough data for a variance.
   */
  readonly latency: ByQuantile<Difference | undefined>
  /** Why a part of `latency` is `undefined`. */
  readonly missing: Missing | undefined
  /** The logarithms of the odds ratios that a regression of 20 % would have, by the control arm's durations; `undefined`: there are none. */
  readonly regression: ByQuantile<number> | undefined
  /** The odds of a request to fail, compared as for `latency`. */
  readonly failures: Difference | undefined
  /** The odds of a failure in the stage alone: with few failures before it nothing is known of a standing difference. */
  readonly ownFailures: Difference | undefined
  /** Loads per read of the cached arm minus those of the control arm: a difference of ratios. */
  readonly loads: Difference | undefined
  /** Up to twenty minutes, two hours and a day of the stage, which end with the last minute. */
  readonly windows: readonly WindowEvidence[]
  /** The last minutes, up to ten. */
  readonly recent: {
    readonly minutes: number
    readonly cached: RecentCounts
    readonly control: RecentCounts
    /** As in `Evidence`. */
    readonly loads: Difference | undefined
    readonly hitRates: HitRates | undefined
  }
  /** `undefined` before the second day of the stage. */
  readonly hitRates: HitRates | undefined
}
