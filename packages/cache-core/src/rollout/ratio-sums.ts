import type { ByteReader, ByteWriter } from './bytes.js'
import type { Difference } from './evidence.js'
import { differenceOfLook, type Estimate } from './sequential-test.js'

/** The minimum number of blocks of minutes: fewer blocks give no usable variance of the ratio. */
const MIN_BLOCKS = 5

/**
 * A ratio of two counts (hits per read, loads per read), summed over blocks of minutes. The variance is computed between blocks:
 * neighbouring reads are alike, so that a variance between single reads would be too small.
 */
export class RatioSums {
  blocks = 0
  count = 0
  reads = 0
  #counts2 = 0
  #product = 0
  #reads2 = 0

  /** Adds the counts of one block of minutes; a block without reads is left out. */
  addBlock (count: number, reads: number): void {
    if (reads === 0) return
    this.blocks++
    this.count += count
    this.reads += reads
    this.#counts2 += count * count
    this.#product += count * reads
    this.#reads2 += reads * reads
  }

  add (other: RatioSums): void {
    this.blocks += other.blocks
    this.count += other.count
    this.reads += other.reads
    this.#counts2 += other.#counts2
    this.#product += other.#product
    this.#reads2 += other.#reads2
  }

  clear (): void {
    this.blocks = this.count = this.reads = this.#counts2 = this.#product = this.#reads2 = 0
  }

  get ratio (): number {
    return this.reads === 0 ? 0 : this.count / this.reads
  }

  /** The variance of the ratio, computed from the blocks of minutes by the delta method; at least that of as many independent reads. */
  get variance (): number {
    if (this.blocks < 2) return Infinity
    const { ratio } = this
    const between = Math.max(0, this.#counts2 - 2 * ratio * this.#product + ratio * ratio * this.#reads2) / this.reads ** 2
    return Math.max(between * this.blocks / (this.blocks - 1), Math.max(0, ratio * (1 - ratio)) / this.reads)
  }

  write (writer: ByteWriter): void {
    for (const value of [this.blocks, this.count, this.reads]) writer.integer(value)
    // Sums of squares are written as doubles: at 8000 reads per second they exceed the range of safe integers within a week.
    for (const value of [this.#counts2, this.#product, this.#reads2]) writer.double(value)
  }

  /**
   * Reads the sums of a ratio that `write` wrote.
   * @throws `Malformed` for other bytes
   */
  read (reader: ByteReader): void {
    this.blocks = reader.integer()
    this.count = reader.integer()
    this.reads = reader.integer()
    this.#counts2 = reader.double()
    this.#product = reader.double()
    this.#reads2 = reader.double()
  }
}

/** The difference of two ratios of counts, `one - other`; `undefined`: too few blocks of minutes for a variance. */
export function ratioDifference (one: RatioSums, other: RatioSums): Estimate | undefined {
  if (one.blocks < MIN_BLOCKS || other.blocks < MIN_BLOCKS) return undefined
  return {
    estimate: one.ratio - other.ratio,
    variance: one.variance + other.variance,
    degrees: Math.min(one.blocks, other.blocks) - 1,
    information: 1 / (1 / one.reads + 1 / other.reads)
  }
}

/**
 * Returns the difference of two ratios of counts with the bounds for one evaluation of a window; `undefined`: too few blocks of minutes for
 * a variance.
 */
export function ratioLook (one: RatioSums, other: RatioSums): Difference | undefined {
  const estimate = ratioDifference(one, other)
  return estimate && differenceOfLook(estimate)
}
