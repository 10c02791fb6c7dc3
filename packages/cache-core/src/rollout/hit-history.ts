import type { ByteReader, ByteWriter } from './bytes.js'
import type { Difference, HitRates } from './evidence.js'
import { RatioSums, ratioDifference } from './ratio-sums.js'
import { differenceOf, differenceOfLook } from './sequential-test.js'

const HOURS = 24
const MINUTES = 60
/**
 * The number of last minutes whose hit rate is compared separately, so that earlier minutes of the hour do not hide a sudden fall of the
 * hit rate.
 */
const LAST_MINUTES = 10

interface Minute { readonly hits: number, readonly reads: number }

/** The hit rates of the current hour, and of each hour of a stage's first day. */
export class HitHistory {
  #first: RatioSums[] = []
  #current = new RatioSums()
  /** The hits and reads of each of the last minutes in the current hour. */
  #last: Minute[] = []
  /** The hour in which the stage began, and the current hour, whose hit rate is `#current`; both as a number of hours since the epoch. */
  #firstHour = 0
  #hour = 0

  clear (): void {
    this.#first = []
    this.#current = new RatioSums()
    this.#last = []
    this.#firstHour = 0
    this.#hour = 0
  }

  /**
   * Adds the hits and reads of one minute.
   * @param minute the number of the minute since the epoch
   */
  add (minute: number, hits: number, reads: number): void {
    const hour = Math.floor(minute / MINUTES)
    if (this.#first.length === 0) {
      this.#first = Array.from({ length: HOURS }, () => new RatioSums())
      this.#firstHour = hour
    }
    if (hour !== this.#hour) {
      this.#hour = hour
      this.#current = new RatioSums()
      this.#last = []
    }
    this.#current.addBlock(hits, reads)
    this.#last.push({ hits, reads })
    if (this.#last.length > LAST_MINUTES) this.#last.shift()
    if (hour - this.#firstHour < HOURS) this.#first[hour % HOURS]!.addBlock(hits, reads)
  }

  /**
   * Compares the hit rate of the current hour with that of the same hour of the stage's first day; `undefined` on that day, or with too few
   * minutes. Each hour is a test of its own. The `n`th hour after the first day has the probability of a false alarm
   * `alpha / (n * (n + 1))`, so that all hours together have `alpha`.
   */
  rates (alpha: number): HitRates | undefined {
    const hours = this.#hour - this.#firstHour
    const then = this.#then()
    if (then === undefined) return undefined
    const estimate = ratioDifference(then, this.#current)
    if (estimate === undefined) return undefined
    const nth = hours - HOURS + 1
    return ratesOf(then, this.#current, differenceOf(estimate, alpha / (nth * (nth + 1))))
  }

  /**
   * Compares the hit rate of the last minutes, up to ten, with that of the same hour of the stage's first day; `undefined` in the same
   * cases as `rates`. The variance is at least that between the minutes of the first day: a hit rate that falls for some minutes of an hour
   * every day does not count as a fall.
   */
  recentRates (): HitRates | undefined {
    const then = this.#then()
    if (then === undefined) return undefined
    const last = new RatioSums()
    for (const { hits, reads } of this.#last) last.addBlock(hits, reads)
    const estimate = ratioDifference(then, last)
    if (estimate === undefined) return undefined
    const variance = Math.max(estimate.variance, then.variance * (1 + then.blocks / last.blocks))
    return ratesOf(then, last, differenceOfLook({ ...estimate, variance }))
  }

  #then (): RatioSums | undefined {
    return this.#hour - this.#firstHour < HOURS ? undefined : this.#first[this.#hour % HOURS]
  }

  write (writer: ByteWriter): void {
    writer.integer(this.#firstHour)
    writer.integer(this.#hour)
    this.#current.write(writer)
    writer.integer(this.#last.length)
    for (const { hits, reads } of this.#last) {
      writer.integer(hits)
      writer.integer(reads)
    }
    writer.integer(this.#first.length)
    for (const hour of this.#first) hour.write(writer)
  }

  /**
   * Reads the hit rates that `write` wrote.
   * @throws `Malformed` for other bytes
   */
  read (reader: ByteReader): void {
    this.#firstHour = reader.integer()
    this.#hour = reader.integer()
    this.#current.read(reader)
    this.#last = Array.from({ length: reader.integer(LAST_MINUTES) }, () => ({ hits: reader.integer(), reads: reader.integer() }))
    this.#first = Array.from({ length: reader.integer(HOURS) }, () => new RatioSums())
    for (const hour of this.#first) hour.read(reader)
  }
}

function ratesOf (then: RatioSums, now: RatioSums, fall: Difference): HitRates {
  return { reads: now.reads, hits: now.count, firstDayReads: then.reads, firstDayHits: then.count, fall }
}
