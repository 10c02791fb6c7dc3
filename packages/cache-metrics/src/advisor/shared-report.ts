import { readStopwatch, type Core } from '@x/cache-core/suite'
import type { Report } from './report/report.js'

type Clock = Core['registry']['clock']

/** The quotient of the time for which a report is reused and the time that it took, so that reports take a twentieth of the time at most. */
const REUSED_PER_COST = 20
const MAX_REUSED_MS = 60_000

/** A report with whether it may be reused: a report on several processes may, since the states of the others change every few minutes. */
export interface MadeReport { readonly report: Report; readonly isReusable: boolean }

/**
 * Shares reports among the clients that ask for them at the same time, such as several tabs of the console. A report that took long to make
 * is reused for a multiple of that time.
 */
export class SharedReport {
  readonly #clock: () => Clock
  readonly #make: () => Promise<MadeReport>
  #pending: Promise<Report> | undefined
  #reused: { readonly report: Report, readonly from: number, readonly until: number } | undefined

  /**
   * Creates the holder of the reports of one app.
   * @param clock returns the clock of the cache, which an app may replace
   */
  constructor (clock: () => Clock, make: () => Promise<MadeReport>) {
    this.#clock = clock
    this.#make = make
  }

  /** Returns the report that is being made, or was made shortly before, or a new one. Rejects as `make` does. */
  get (): Promise<Report> {
    const now = this.#now()
    if (this.#reused !== undefined && now >= this.#reused.from && now < this.#reused.until) return Promise.resolve(this.#reused.report)
    this.#reused = undefined
    this.#pending ??= this.#measured().finally(() => { this.#pending = undefined })
    return this.#pending
  }

  async #measured (): Promise<Report> {
    const began = this.#now()
    const { report, isReusable } = await this.#make()
    const from = this.#now()
    const until = from + Math.min(MAX_REUSED_MS, REUSED_PER_COST * (from - began))
    if (isReusable) this.#reused = { report, from, until }
    return report
  }

  #now (): number { return readStopwatch(this.#clock()) }
}
