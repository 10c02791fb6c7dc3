/** Seconds; a shorter time is not taken for a rate: a burst is not an hour of bursts. */
const MIN_SECONDS = 60

/** Counts per second of the observed time: the one base of all rates in a report. */
export function perSecond (count: number, observedSeconds: number): number {
  return count / Math.max(observedSeconds, MIN_SECONDS)
}
