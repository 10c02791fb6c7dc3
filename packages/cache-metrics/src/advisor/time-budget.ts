/** Milliseconds that may be spent at once, after a pause. */
const BURST_MS = 200
/** Milliseconds that may be spent in each millisecond that passes. */
const SHARE = 0.01

/** Bounds what looking at values may cost: 1 % of the time, and a burst at the beginning (a token bucket). */
export class Allowance {
  #left = BURST_MS
  #at = 0

  /** @param now milliseconds of a clock that does not go back */
  has (now: number): boolean {
    this.#left = Math.min(BURST_MS, this.#left + Math.max(0, now - this.#at) * SHARE)
    this.#at = now
    return this.#left > 0
  }

  /** What one look took beyond all bounds is not paid back for minutes. */
  spend (ms: number): void {
    this.#left = Math.max(-BURST_MS, this.#left - ms)
  }
}
