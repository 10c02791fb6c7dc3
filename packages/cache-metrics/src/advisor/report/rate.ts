/** The shortest time of a rate, in seconds, so that a short burst does not become an hourly rate. */
const MIN_SECONDS = 60

/** Counts per second of the observed time: the one base of all rates in a report. */
export function perSecond (count: number, observedSeconds: number): number {
  return count / Math.max(observedSeconds, MIN_SECONDS)
}
