/** The maximum of the time budget, in milliseconds, which is reached after a pause. */
const BURST_MS = 200
/** Milliseconds of time budget that each passing millisecond adds. */
const SHARE = 0.01

/** Limits the time for comparing values to 1 % of the passing time and a burst at the beginning (a token bucket). */
export class TimeBudget {
  #left = BURST_MS
  #at = 0

  /**
   * Adds the budget for the time since the last call; returns whether there is any budget.
   * @param now milliseconds of a clock that does not go back
   */
  has (now: number): boolean {
    this.#left = Math.min(BURST_MS, this.#left + Math.max(0, now - this.#at) * SHARE)
    this.#at = now
    return this.#left > 0
  }

  /** Subtracts spent milliseconds from the budget; the debt is limited, so that one slow value blocks the budget for 20 s at most. */
  spend (ms: number): void {
    this.#left = Math.max(-BURST_MS, this.#left - ms)
  }
}
