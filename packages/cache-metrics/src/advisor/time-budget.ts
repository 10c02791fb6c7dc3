/** The largest budget in milliseconds, after a pause. */
const BURST_MS = 200
/** Milliseconds of budget that each passing millisecond adds. */
const SHARE = 0.01

/** Limits the time for comparing values to 1 % of the passing time and a burst at the beginning (a token bucket). */
export class TimeBudget {
  #left = BURST_MS
  #at = 0

  /** @param now milliseconds of a clock that does not go back */
  has (now: number): boolean {
    this.#left = Math.min(BURST_MS, this.#left + Math.max(0, now - this.#at) * SHARE)
    this.#at = now
    return this.#left > 0
  }

  /** Subtracts spent milliseconds; the debt is limited, so that one slow value blocks the budget for 20 s at most. */
  spend (ms: number): void {
    this.#left = Math.max(-BURST_MS, this.#left - ms)
  }
}
