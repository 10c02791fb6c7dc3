/** Milliseconds without an operation after which a process is idle. */
const IDLE_MS = 5000

/**
 * Whether a process is idle. The number of operations is compared at each call of `isIdle`, so that an operation, above all a hit of the
 * near cache, neither reads a clock nor calls a function.
 */
export class Activity {
  readonly #count: () => number
  readonly #now: () => number
  #lastCount = 0
  #changedAt: number

  /**
   * Makes the activity of a process, which is not idle at first.
   * @param count returns the number of operations until now
   */
  constructor (count: () => number, now: () => number) {
    this.#count = count
    this.#now = now
    this.#changedAt = now()
  }

  /** Whether no operation was counted for five seconds. The times of operations are known only as exactly as this method is called. */
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
