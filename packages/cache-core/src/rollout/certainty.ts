import type { Difference } from './evidence.js'
import { excessOver, SUSPECTED } from './sequential-test.js'

/**
 * The logarithm of the likelihood ratio from which a share of failures is certain: by chance it happens once in 10^7 looks, which is less
 * than once in ten years of looks at each minute.
 */
export const CERTAIN = Math.log(1e7)
/** Standard errors from which a difference of a window is suspected, and that of failures: by chance 0.1 %, since a stage has several windows. */
const WINDOW_SUSPECTED = 3.1
/** The logarithm of the likelihood ratio of counts whose difference a sequential test has found: by chance once in 2000. */
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
