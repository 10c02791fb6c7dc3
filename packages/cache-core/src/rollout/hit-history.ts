import type { ByteReader, ByteWriter } from './bytes.js'
import type { HitRates } from './evidence.js'
import { RatioSums, ratioDifference } from './ratio-sums.js'
import { differenceOf } from './sequential-test.js'

const HOURS = 24
const MINUTES = 60

/** The hit rate of the current hour, and that of each hour of a stage's first day. */
export class HitHistory {
  #first: RatioSums[] = []
  #current = new RatioSums()
  /** Hours since the epoch in which the stage began, and of `#current`. */
  #firstHour = 0
  #hour = 0

  clear (): void {
    this.#first = []
    this.#current = new RatioSums()
    this.#firstHour = 0
    this.#hour = 0
  }

  /** Adds a minute, counted since the epoch. */
  add (minute: number, hits: number, reads: number): void {
    const hour = Math.floor(minute / MINUTES)
    if (this.#first.length === 0) {
      this.#first = Array.from({ length: HOURS }, () => new RatioSums())
      this.#firstHour = hour
    }
    if (hour !== this.#hour) {
      this.#hour = hour
      this.#current = new RatioSums()
    }
    this.#current.add(hits, reads)
    if (hour - this.#firstHour < HOURS) this.#first[hour % HOURS]!.add(hits, reads)
  }

  /**
   * The current hour against the same hour of the first day; `undefined` on the first day, or with too few minutes. Each hour is a test of its
   * own, and hour `n` has the budget `alpha / (n * (n + 1))`: all hours together have `alpha`.
   */
  rates (alpha: number): HitRates | undefined {
    const hours = this.#hour - this.#firstHour
    const then = this.#first[this.#hour % HOURS]
    if (hours < HOURS || then === undefined) return undefined
    const estimate = ratioDifference(then, this.#current)
    if (estimate === undefined) return undefined
    const nth = hours - HOURS + 1
    return {
      reads: this.#current.reads,
      hits: this.#current.count,
      firstDayReads: then.reads,
      firstDayHits: then.count,
      fall: differenceOf(estimate, alpha / (nth * (nth + 1)))
    }
  }

  write (writer: ByteWriter): void {
    writer.integer(this.#firstHour)
    writer.integer(this.#hour)
    this.#current.write(writer)
    writer.integer(this.#first.length)
    for (const hour of this.#first) hour.write(writer)
  }

  /** Reads what `write` wrote. @throws `Malformed` for other bytes */
  read (reader: ByteReader): void {
    this.#firstHour = reader.integer()
    this.#hour = reader.integer()
    this.#current = RatioSums.read(reader)
    this.#first = Array.from({ length: reader.integer(HOURS) }, () => RatioSums.read(reader))
  }
}
