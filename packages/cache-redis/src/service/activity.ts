/** Milliseconds without an operation after which a process is idle. */
const IDLE_MS = 5000

/**
 * Tells an idle process from a busy one. A count is compared at each question, so that an operation, above all a hit of the near cache,
 * reads no clock and calls nothing.
 */
export class Activity {
  readonly #count: () => number
  readonly #now: () => number
  #lastCount = 0
  #changedAt: number

  /**
   * Makes the activity of a process, which is busy at first.
   * @param count returns the number of operations until now
   */
  constructor (count: () => number, now: () => number) {
    this.#count = count
    this.#now = now
    this.#changedAt = now()
  }

  /** Whether no operation was counted for five seconds. The answer is exact to the interval at which the method is called. */
  isIdle (): boolean {
    const count = this.#count()
    const now = this.#now()
    if (count !== this.#lastCount) {
      this.#lastCount = count
      this.#changedAt = now
    }
    return now - this.#changedAt >= IDLE_MS
  }
}
