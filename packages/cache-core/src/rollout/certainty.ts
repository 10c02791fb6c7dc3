import type { Difference } from './evidence.js'
import { excessOver, SUSPECTED } from './sequential-test.js'

/**
 * The logarithm of the likelihood ratio above which a share of failed requests is certainly too high. Chance alone exceeds it in at most
 * one of 10^7 evaluations; with one evaluation per minute that is less than once in ten years.
 */
export const CERTAIN = Math.log(1e7)
/**
 * The number of standard errors above which a difference between the arms in a window, or in failed requests, is suspected, so that the
 * stage waits. Two equal arms exceed it by chance in 0.1 % of the comparisons. The percentage is low, since a stage has several windows.
 */
const WINDOW_SUSPECTED = 3.1
/**
 * The logarithm of the likelihood ratio that the counts of failures must exceed as well, once a sequential test has found a difference
 * between the arms. Two equal arms exceed it by chance at most once in 2000 comparisons.
 */
const FEW_CERTAIN = Math.log(2000)

interface Counts { readonly requests: number, readonly failures: number }

/**
 * Whether the cached arm certainly fails more often than the control arm in the same time. The exact comparison of the counts must exceed
 * `CERTAIN`. An outage that hits both arms, or one client with many failures, makes the counts alone look certain. Therefore `ownFailures`,
 * which compares the arms within each minute and by groups of subjects, must exceed `WINDOW_SUSPECTED` standard errors, too.
 */
export function failsMore (cached: Counts, control: Counts, ownFailures: Difference | undefined): boolean {
  return ownFailures !== undefined && ownFailures.z > WINDOW_SUSPECTED && hasMoreFailures(cached, control, CERTAIN)
}

/**
 * Whether the cached arm has a higher share of failed requests, by a likelihood ratio of the exact counts: few failures do not follow a
 * normal distribution.
 */
export function hasMoreFailures (cached: Counts, control: Counts, certain = FEW_CERTAIN): boolean {
  return excessOver(cached.failures, cached.requests, control.failures, control.requests) > certain
}

/** Whether a difference between the arms over the whole stage is suspected, so that the stage waits for more requests. */
export function isSuspected ({ z }: Difference): boolean {
  return z > SUSPECTED
}

/** Whether a difference between the arms in one window of the stage is suspected, so that the stage waits for more requests. */
export function isSuspectedInWindow ({ z, estimate }: Difference, tolerance: number): boolean {
  return z > WINDOW_SUSPECTED && estimate > tolerance
}
