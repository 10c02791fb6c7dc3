/** The total counts of requests in one arm since the current stage began. */
export interface ArmTotals {
  readonly requests: number
  readonly failures: number
  /** Percentiles of request durations in milliseconds, with an error of at most 2.5 %; `undefined` without requests. */
  readonly p50: number | undefined
  readonly p95: number | undefined
  readonly p99: number | undefined
  readonly reads: number
  readonly hits: number
  readonly loads: number
  readonly cacheErrors: number
  readonly operations: number
}

/** The difference between the cached arm and the control arm, with its uncertainty. Positive: the cached arm has more. */
export interface Difference {
  /**
   * The estimated difference between the arms: the logarithm of an odds ratio (0.1: a tenth more often), or a difference of ratios (0.01:
   * one percentage point). The docstring of the property that holds the difference names the kind.
   */
  readonly estimate: number
  /**
   * The lower and the upper bound of the difference between the arms: a confidence sequence. They stay valid however often the evidence is
   * evaluated, with the allowed probability of error for the stage.
   */
  readonly low: number
  readonly high: number
  /**
   * The estimated difference in standard errors, corrected for the number of groups. A test that is evaluated once would compare it with
   * 1.64 (5 %).
   */
  readonly z: number
  /** The smallest true difference between the arms that one evaluation suspects with a probability of at least 95 %. */
  readonly detectable: number
}

/** The counts of requests in one arm in the last ten minutes. */
export interface RecentCounts {
  readonly requests: number
  readonly failures: number
  /**
   * The number of requests without those of the group of subjects that has the most failures: one faulty client is no failure of the cache.
   */
  readonly requestsOfOthers: number
  readonly failuresOfOthers: number
}

/** The hit rates of the current hour, or of its last minutes, and of the same hour of the stage's first day. */
export interface HitRates {
  readonly reads: number
  readonly hits: number
  readonly firstDayReads: number
  readonly firstDayHits: number
  /**
   * The decrease of the hit rate since the same hour of the stage's first day, as a difference of ratios; positive: fewer hits than on that
   * day.
   */
  readonly fall: Difference
}

/** A value for each of three quantiles of the latency: logarithms of odds ratios, about requests slower than the control arm's quantile. */
export interface ByQuantile<T> {
  readonly p50: T
  readonly p95: T
  readonly p99: T
}

/**
 * The evidence in one window of the stage. A window starts again when its length has passed, so that earlier minutes do not dilute a recent
 * change.
 */
export interface WindowEvidence {
  /** The number of minutes in the current window of the stage. */
  readonly minutes: number
  /**
   * The change of latency that is tolerated in this window of the stage, as the logarithm of an odds ratio: short windows vary by chance.
   */
  readonly tolerance: number
  readonly cached: { readonly requests: number, readonly failures: number }
  readonly control: { readonly requests: number, readonly failures: number }
  /** Differences between the arms as in `Evidence`, but with bounds that hold for each single evaluation of a window. */
  readonly latency: ByQuantile<Difference | undefined>
  readonly failures: Difference | undefined
  readonly ownFailures: Difference | undefined
  readonly loads: Difference | undefined
}

/**
 * The reason why a stage cannot be compared with the time before it. `before`: no minute before the stage was compared, since the baseline
 * was left out, was too short for the quantiles of the control arm to be known, or its counts were lost. `groups`: too few groups of
 * subjects have requests, in the arm that has fewer.
 */
export type Missing = { readonly of: 'before' } | { readonly of: 'groups', readonly count: number, readonly needed: number }

/** The measurements of one stage by which the function `judge` decides on it; it contains data only, no methods. */
export interface Evidence {
  /** The number of the stage. 0: the baseline, in which no subject is cached. */
  readonly stage: number
  /** The percent of cached subjects in the stage. */
  readonly percent: number
  /** The number of minutes whose counts were added in this stage; minutes in which the percent changed are left out. */
  readonly observedMinutes: number
  /** Whether the stage leaves subjects in the control arm. Without a control arm only the criteria that compare no arms apply. */
  readonly hasControl: boolean
  readonly cached: ArmTotals
  readonly control: ArmTotals
  /**
   * How much likelier the subjects that this stage added are to get slow responses, above the control arm's quantile, than the control arm,
   * beyond the same difference before the stage: the logarithm of an odds ratio. `undefined`: not enough data for a variance.
   */
  readonly latency: ByQuantile<Difference | undefined>
  /** The reason why a quantile of `latency` is `undefined`; `undefined` if there is no such reason. */
  readonly missing: Missing | undefined
  /**
   * The values that `latency` would have if all requests became 20 % slower, by the control arm's durations; `undefined`: the control arm
   * has no durations.
   */
  readonly regression: ByQuantile<number> | undefined
  /** How much likelier a request of the subjects that this stage added is to fail, compared as in `latency`. */
  readonly failures: Difference | undefined
  /**
   * The same estimate as `failures`, but of the stage alone, since the time before the stage may have had too few failures to compare with.
   */
  readonly ownFailures: Difference | undefined
  /** Loads per read in the cached arm minus loads per read in the control arm. */
  readonly loads: Difference | undefined
  /** The evidence of three windows: up to the last twenty minutes, two hours and day of the stage. */
  readonly windows: readonly WindowEvidence[]
  /** The counts of requests in the last minutes, up to ten. */
  readonly recent: {
    readonly minutes: number
    readonly cached: RecentCounts
    readonly control: RecentCounts
    /** Loads per read in the cached arm minus those in the control arm, in the last minutes alone. */
    readonly loads: Difference | undefined
    readonly hitRates: HitRates | undefined
  }
  /** The hit rates now and on the first day of the stage; `undefined` before its second day. */
  readonly hitRates: HitRates | undefined
}
