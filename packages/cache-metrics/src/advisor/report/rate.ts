/** The least divisor of a rate, in seconds; a shorter observed time counts as this one, so that a short burst gives no high hourly rate. */
const MIN_SECONDS = 60

/** Returns a count per second of the observed time, which is the base of all rates in the advisor's report. */
export function perSecond (count: number, observedSeconds: number): number {
  return count / Math.max(observedSeconds, MIN_SECONDS)
}
