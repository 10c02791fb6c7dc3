import type { Difference } from './evidence.js'

/**
 * The information, in requests, at which the boundary of the test is set up: the boundary is near its lowest height from a few times this
 * number on. It is a constant, since a number that depends on the data would make the test invalid. 2000 is a fifth of the default
 * minimum sample.
 */
const RHO = 2000

/**
 * The height, in standard errors, that an estimate crosses at any look of an endless series with a probability of at most `alpha`, if the
 * true difference is none: the one-sided normal mixture of Robbins ("Statistical methods related to the law of the iterated logarithm",
 * 1970) as in Howard, Ramdas, McAuliffe and Sekhon ("Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics
 * 2021), used as an asymptotic sequence (Waudby-Smith et al., "Time-uniform central limit theory", 2024). So a look costs nothing, unlike a
 * p-value. Estimates of a growing sample behave as a Brownian motion in the information, also where each is compared to the time before
 * (Jennison and Turnbull, "Group-sequential analysis incorporating covariate information", JASA 1997).
 * @param information in requests, above 0
 */
export function boundary (information: number, alpha: number): number {
  const ratio = RHO / information
  return Math.sqrt(2 * (1 + ratio) * Math.log(1 + Math.sqrt(1 + 1 / ratio) / (2 * alpha)))
}

/**
 * The normal deviate with the tail probability of a t statistic: the correction for a variance that few groups estimate. By Wallace
 * ("Bounds on normal approximations to Student's and the chi-square distributions", 1959).
 */
export function normalOfT (t: number, degrees: number): number {
  return Math.sign(t) * (8 * degrees + 1) / (8 * degrees + 3) * Math.sqrt(degrees * Math.log1p(t * t / degrees))
}

/** The inverse of `normalOfT`. */
export function tOfNormal (normal: number, degrees: number): number {
  const scaled = normal * (8 * degrees + 3) / (8 * degrees + 1)
  return Math.sign(normal) * Math.sqrt(degrees * Math.expm1(scaled * scaled / degrees))
}

/**
 * The number of standard errors above which a difference is suspected: the stage waits for more requests. Two equal arms exceed it by chance
 * in 1 % of the comparisons.
 */
export const SUSPECTED = 2.33
/** The normal deviate that is exceeded in 95 % of all cases, negated. */
const POWER = 1.645

/** An estimate with the variance of its mean, and the degrees of freedom of that variance. */
export interface Estimate {
  readonly estimate: number
  readonly variance: number
  readonly degrees: number
  /** In requests; see `boundary`. */
  readonly information: number
}

/** The difference with its confidence sequence; each bound holds at all looks together with probability `1 - alpha`. */
export function differenceOf (estimate: Estimate, alpha: number): Difference {
  return differenceAt(estimate, boundary(estimate.information, alpha))
}

/**
 * The height, in standard errors, of a look at a window: by chance an estimate is higher in one of 5 * 10^7 looks. Each minute is a look of
 * its own at each window, so no look before costs anything: a rollout of 11 days has 16 000 minutes, and with three windows and five
 * comparisons about 0.5 % in all by the sum of all looks. Looks at windows that begin at different times are the tests of an e-detector
 * (Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", 2022), here with a sum of
 * probabilities in place of a sum of e-processes, since few groups give a t statistic and no e-process.
 */
const LOOK_HEIGHT = 5.49

/** The difference with bounds that one look crosses with a probability of 2 * 10^-8. */
export function differenceOfLook (estimate: Estimate): Difference {
  return differenceAt(estimate, LOOK_HEIGHT)
}

function differenceAt ({ estimate, variance, degrees }: Estimate, height: number): Difference {
  const error = Math.sqrt(variance)
  const radius = error === 0 ? 0 : error * tOfNormal(height, degrees)
  return {
    estimate,
    low: estimate - radius,
    high: estimate + radius,
    z: error === 0 ? 0 : normalOfT(estimate / error, degrees),
    detectable: error * tOfNormal(SUSPECTED + POWER, degrees)
  }
}

/**
 * The logarithm of the likelihood ratio of a share against a fixed one: `n * KL(share, fixed)`, 0 if the share is not above. By Chernoff,
 * such a share or a higher one has at most the probability `exp(-ratio)`.
 */
export function excess (count: number, total: number, fixed: number): number {
  return total === 0 || count / total <= fixed ? 0 : divergence(count, total, fixed)
}

/** The logarithm of the likelihood ratio of two shares against one common share; 0 if the first share is not the higher one. */
export function excessOver (count: number, total: number, otherCount: number, otherTotal: number): number {
  if (total === 0 || otherTotal === 0 || count / total <= otherCount / otherTotal) return 0
  const common = (count + otherCount) / (total + otherTotal)
  return divergence(count, total, common) + divergence(otherCount, otherTotal, common)
}

function divergence (count: number, total: number, share: number): number {
  const part = (some: number, expected: number): number => some === 0 ? 0 : some * Math.log(some / expected)
  return part(count, total * share) + part(total - count, total * (1 - share))
}
