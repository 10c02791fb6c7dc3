import type { Clock } from '@x/cache-core/suite'

/**
 * The time, in milliseconds, that the advisor may spend on comparing values when an app starts: the first values of an app give the most
 * information.
 */
const START_MS = 200
/**
 * The maximum time that the advisor may save up for comparing values, in milliseconds: the budget of half a second of CPU time. A larger
 * maximum would slow down the first requests after each pause by more comparisons.
 */
const BURST_MS = 5
/**
 * The maximum by which the advisor may overspend the time for comparing values, in milliseconds: after one slow value no values are
 * compared for 20 s of CPU time at most.
 */
const MAX_DEBT_MS = 200
/** The share of the CPU time of the process that the advisor may spend on comparing values. */
const SHARE = 0.01
/** Milliseconds between two readings of the CPU time, since such a reading costs as much as twenty readings of the clock. */
const READ_EVERY_MS = 100

/**
 * Limits the time that the advisor spends on comparing values to 1 % of the CPU time of the process, plus an amount at the start (a token
 * bucket). 1 % of the passing time would be 10 % of the CPU time of a process that is idle for nine tenths of the time. With a clock that
 * measures no CPU time, the passing time stands for the CPU time.
 */
export class TimeBudget {
  readonly #clock: () => Clock
  #left = START_MS
  #at = 0
  #cpuAt = 0

  constructor (clock: () => Clock) {
    this.#clock = clock
  }

  /**
   * Adds 1 % of the CPU time since the last call to the advisor's time budget; returns whether the advisor may spend time now.
   * @param now milliseconds of a clock that does not go back
   */
  has (now: number): boolean {
    const passed = Math.max(0, this.#passed(now))
    if (this.#left < BURST_MS) this.#left = Math.min(BURST_MS, this.#left + passed * SHARE)
    return this.#left > 0
  }

  /** Subtracts milliseconds that the advisor spent on comparing values from its time budget. */
  spend (ms: number): void {
    this.#left = Math.max(-MAX_DEBT_MS, this.#left - ms)
  }

  /** Returns the milliseconds of CPU time since the last reading; 0 until a reading is due. */
  #passed (now: number): number {
    const since = now - this.#at
    const clock = this.#clock()
    if (clock.cpu === undefined) {
      this.#at = now
      return since
    }
    if (since >= 0 && since < READ_EVERY_MS) return 0
    this.#at = now
    const before = this.#cpuAt
    this.#cpuAt = clock.cpu()
    return this.#cpuAt - before
  }
}
