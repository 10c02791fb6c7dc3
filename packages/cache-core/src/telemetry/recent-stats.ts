import { withRate, type Stats, type Totals } from './counters.js'

/**
 * Hits, misses and errors in the last five minutes: the counters minus a copy of them. A copy is made each minute, and the oldest of the
 * last five copies is subtracted.
 */
export class RecentStats {
  static readonly STEP_MS = 60_000
  static readonly STEPS = 5
  readonly #stats: Stats
  readonly #eachMinute: () => void
  readonly #past: Map<string, Totals>[] = []
  #timer: NodeJS.Timeout | undefined

  /** Makes a window over the counters; `eachMinute` is called after each copy. */
  constructor (stats: Stats, eachMinute: () => void = () => {}) {
    this.#stats = stats
    this.#eachMinute = eachMinute
  }

  start (): void {
    if (this.#timer !== undefined) return
    this.#timer = setInterval(() => this.#remember(), RecentStats.STEP_MS)
    this.#timer.unref()
  }

  stop (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  totals (label: string): Totals {
    const now = this.#stats.for(label).totals()
    const before = this.#past.length === RecentStats.STEPS ? this.#past[0]!.get(label) : undefined
    if (before === undefined) return now
    return withRate(now.hits - before.hits, now.misses - before.misses, now.errors - before.errors)
  }

  #remember (): void {
    const now = new Map<string, Totals>()
    for (const [label, stats] of this.#stats.impls) now.set(label, stats.totals())
    this.#past.push(now)
    if (this.#past.length > RecentStats.STEPS) this.#past.shift()
    this.#eachMinute()
  }
}
