import type { Difference } from './evidence.js'
import { excessOver, SUSPECTED } from './sequential-test.js'

/**
 * The logarithm of the likelihood ratio from which a share of failures is certain: by chance it happens once in 10^7 looks, which is less
 * than once in ten years of looks at each minute.
 */
export const CERTAIN = Math.log(1e7)
/**
 * The number of standard errors above which a difference in a window, or in failures, is suspected. Two equal arms exceed it by chance in
 * 0.1 % of the comparisons: a stage has several windows.
 */
const WINDOW_SUSPECTED = 3.1
/**
 * The logarithm of the likelihood ratio above which the arms' counts of failures differ, after a sequential test has found a difference: two
 * equal arms exceed it by chance once in 2000 comparisons.
 */
const FEW_CERTAIN = Math.log(2000)

interface Counts { readonly requests: number, readonly failures: number }

/**
 * Whether the cached arm certainly fails more often than the control arm in the same time. Exact counts give the certainty. The difference by
 * minutes and groups must be clear, too: an outage of both arms, and one client with many failures, make counts alone look certain.
 */
export function failsMore (cached: Counts, control: Counts, ownFailures: Difference | undefined): boolean {
  return ownFailures !== undefined && ownFailures.z > WINDOW_SUSPECTED && hasMoreFailures(cached, control, CERTAIN)
}

/** Whether the arms' failures differ by their exact counts: few failures have no normal distribution. */
export function hasMoreFailures (cached: Counts, control: Counts, certain = FEW_CERTAIN): boolean {
  return excessOver(cached.failures, cached.requests, control.failures, control.requests) > certain
}

/** Whether a difference of the whole stage is suspected. */
export function isSuspected ({ z }: Difference): boolean {
  return z > SUSPECTED
}

/** The same for a difference of a window. */
export function isSuspectedInWindow ({ z, estimate }: Difference, tolerance: number): boolean {
  return z > WINDOW_SUSPECTED && estimate > tolerance
}
