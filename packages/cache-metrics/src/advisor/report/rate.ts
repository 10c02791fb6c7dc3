/** The shortest observed time over which a rate is computed, in seconds, so that a short burst does not become an hourly rate. */
const MIN_SECONDS = 60

/** Returns a count per second of the observed time, which is the base of all rates in the advisor's report. */
export function perSecond (count: number, observedSeconds: number): number {
  return count / Math.max(observedSeconds, MIN_SECONDS)
}
