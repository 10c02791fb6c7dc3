import type { Difference } from './evidence.js'

/**
 * The number of requests for which the boundary of the sequential test is tuned: from a few times this number on the boundary is near its
 * lowest height. It must be a constant, since a number that depends on the data would make the test invalid. 2000 is a fifth of the default
 * minimum sample.
 */
const RHO = 2000

/**
 * The boundary of a sequential test, in standard errors: if the true difference is zero, the probability that any evaluation of an endless
 * series exceeds it is at most `alpha`. Unlike with p-values, frequent evaluation therefore adds no false alarms. It is the one-sided
 * normal mixture of Robbins ("Statistical methods related to the law of the iterated logarithm", 1970) as in Howard, Ramdas, McAuliffe and
 * Sekhon ("Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 2021), used as an asymptotic sequence
 * (Waudby-Smith et al., "Time-uniform central limit theory", 2024). Estimates from a growing sample behave as a Brownian motion, also if
 * each is compared with the time before the stage (Jennison and Turnbull, "Group-sequential analysis incorporating covariate information",
 * JASA 1997).
 * @param information the amount of information, as a number of requests, above 0
 */
export function boundary (information: number, alpha: number): number {
  const ratio = RHO / information
  return Math.sqrt(2 * (1 + ratio) * Math.log(1 + Math.sqrt(1 + 1 / ratio) / (2 * alpha)))
}

/**
 * Converts a t statistic to the standard normal value with the same tail probability: a t statistic is needed since few groups give an
 * imprecise variance. The formula is by Wallace ("Bounds on normal approximations to Student's and the chi-square distributions", 1959).
 */
export function normalOfT (t: number, degrees: number): number {
  return Math.sign(t) * (8 * degrees + 1) / (8 * degrees + 3) * Math.sqrt(degrees * Math.log1p(t * t / degrees))
}

/** Converts a standard normal value to the t statistic with the same tail probability: the inverse of `normalOfT`. */
export function tOfNormal (normal: number, degrees: number): number {
  const scaled = normal * (8 * degrees + 3) / (8 * degrees + 1)
  return Math.sign(normal) * Math.sqrt(degrees * Math.expm1(scaled * scaled / degrees))
}

/**
 * The number of standard errors above which a difference between the arms is suspected, so that the stage waits for more requests. Two
 * equal arms exceed it by chance in 1 % of the comparisons.
 */
export const SUSPECTED = 2.33
/** The 95 % quantile of the standard normal distribution: a difference between the arms is to be detected with this probability. */
const POWER = 1.645

/** An estimated difference between the arms with its variance, and the degrees of freedom of that variance. */
export interface Estimate {
  readonly estimate: number
  readonly variance: number
  readonly degrees: number
  /** The amount of information in the estimate, as a number of requests; see `boundary`. */
  readonly information: number
}

/**
 * Returns the difference between the arms with its confidence sequence: bounds that hold at all evaluations together with probability `1 -
 * alpha`.
 */
export function differenceOf (estimate: Estimate, alpha: number): Difference {
  return differenceAt(estimate, boundary(estimate.information, alpha))
}

/**
 * The number of standard errors that a difference in a window must exceed in one evaluation; chance alone exceeds it once in 5 * 10^7
 * evaluations. With one evaluation per minute a rollout of 11 days has 16 000 evaluations. Three windows with five comparisons each then
 * have a probability of about 0.5 % for any false alarm, as the sum of all evaluations. Windows that begin at different times are the tests
 * of an e-detector (Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", 2022). Here
 * probabilities are summed instead of e-processes, since few groups give a t statistic and no e-process.
 */
const LOOK_HEIGHT = 5.49

/** Returns the difference between the arms with bounds for one evaluation: the probability that chance exceeds them is 2 * 10^-8. */
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
 * The logarithm of the likelihood ratio of a measured share of failures against a fixed share: `n * KL(share, fixed)`, 0 if the measured
 * share is not above the fixed one. By Chernoff's bound, chance gives such a share or a higher one with at most the probability
 * `exp(-ratio)`.
 */
export function excess (count: number, total: number, fixed: number): number {
  return total === 0 || count / total <= fixed ? 0 : divergence(count, total, fixed)
}

/**
 * The logarithm of the likelihood ratio of two different shares of failures against one common share; 0 if the first share is not the
 * higher one.
 */
export function excessOver (count: number, total: number, otherCount: number, otherTotal: number): number {
  if (total === 0 || otherTotal === 0 || count / total <= otherCount / otherTotal) return 0
  const common = (count + otherCount) / (total + otherTotal)
  return divergence(count, total, common) + divergence(otherCount, otherTotal, common)
}

function divergence (count: number, total: number, share: number): number {
  const part = (some: number, expected: number): number => some === 0 ? 0 : some * Math.log(some / expected)
  return part(count, total * share) + part(total - count, total * (1 - share))
}
