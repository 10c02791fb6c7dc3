/** The time budget at the start, in milliseconds: comparing the first values of an app gives the most information. */
const START_MS = 200
/**
 * The maximum of the budget after the start, in milliseconds, which half a second without traffic saves up. With a larger maximum the first
 * requests after each pause would be slowed down by more comparisons.
 */
const BURST_MS = 5
/** The maximum by which the budget may be overspent, in milliseconds: one slow value stops comparisons for 20 s at most. */
const MAX_DEBT_MS = 200
/** The share of the passing time that may be spent on comparisons: milliseconds of budget per millisecond. */
const SHARE = 0.01

/** Limits the time for comparing values to 1 % of the passing time and a burst at the beginning (a token bucket). */
export class TimeBudget {
  #left = START_MS
  #at = 0

  /**
   * Adds the advisor's time budget that accrued since the last call; returns whether any of the budget is left.
   * @param now milliseconds of a clock that does not go back
   */
  has (now: number): boolean {
    if (this.#left < BURST_MS) this.#left = Math.min(BURST_MS, this.#left + Math.max(0, now - this.#at) * SHARE)
    this.#at = now
    return this.#left > 0
  }

  /** Subtracts spent milliseconds from the budget. */
  spend (ms: number): void {
    this.#left = Math.max(-MAX_DEBT_MS, this.#left - ms)
  }
}
