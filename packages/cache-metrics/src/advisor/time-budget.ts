/**
 * The time, in milliseconds, that the advisor may spend on comparing values when an app starts: the first values of an app give the most
 * information.
 */
const START_MS = 200
/**
 * The maximum time that the advisor may save up for comparing values, in milliseconds: the budget of half a second without traffic. A
 * larger maximum would slow down the first requests after each pause by more comparisons.
 */
const BURST_MS = 5
/**
 * The maximum by which the advisor may overspend the time for comparing values, in milliseconds: after one slow value no values are
 * compared for 20 s at most.
 */
const MAX_DEBT_MS = 200
/** The share of the passing time that the advisor may spend on comparing values. */
const SHARE = 0.01

/** Limits the time that the advisor spends on comparing values to 1 % of the passing time, plus an amount at the start (a token bucket). */
export class TimeBudget {
  #left = START_MS
  #at = 0

  /**
   * Adds 1 % of the time since the last call to the advisor's time budget; returns whether the advisor may spend time now.
   * @param now milliseconds of a clock that does not go back
   */
  has (now: number): boolean {
    if (this.#left < BURST_MS) this.#left = Math.min(BURST_MS, this.#left + Math.max(0, now - this.#at) * SHARE)
    this.#at = now
    return this.#left > 0
  }

  /** Subtracts milliseconds that the advisor spent on comparing values from its time budget. */
  spend (ms: number): void {
    this.#left = Math.max(-MAX_DEBT_MS, this.#left - ms)
  }
}
