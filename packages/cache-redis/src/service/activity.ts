/** Milliseconds without an operation of the cache after which a process is idle. */
const IDLE_MS = 5000

/**
 * Whether a process is idle. The number of cache operations is compared at each call of `isIdle`, so that an operation, such as a hit of
 * the near cache, need not read a clock or call a function.
 */
export class Activity {
  readonly #count: () => number | undefined
  readonly #now: () => number
  #lastCount: number | undefined = 0
  #changedAt: number

  /**
   * Makes the activity of a process, which is not idle at first.
   * @param count returns the number of operations until now; `undefined`: Redis is out of service, and the process does not count as idle,
   * so that it soon notices the return of Redis
   */
  constructor (count: () => number | undefined, now: () => number) {
    this.#count = count
    this.#now = now
    this.#changedAt = now()
  }

  /**
   * Whether no operation of the cache was counted for five seconds. The times of operations are only known to the precision of the calls of
   * this method.
   */
  readonly isIdle = (): boolean => {
    const count = this.#count()
    const now = this.#now()
    if (count === undefined || count !== this.#lastCount) {
      this.#lastCount = count
      this.#changedAt = now
    }
    return now - this.#changedAt >= IDLE_MS
  }
}
