import type { ByteReader, ByteWriter } from './bytes.js'

/**
 * Sums of one channel over minutes: for each group of subjects a numerator and a denominator, whose ratio is the group's log odds ratio.
 */
export class GroupSums {
  readonly excess: Float64Array
  readonly weight: Float64Array
  /** The variance of the numerators of the groups in each arm, if requests were independent. */
  cohortSpread = 0
  controlSpread = 0
  /** The information in the sums of all groups, as a number of requests; arms of unequal size give less information than equal ones. */
  size = 0

  constructor (groups: number) {
    this.excess = new Float64Array(groups)
    this.weight = new Float64Array(groups)
  }

  add (other: GroupSums): void {
    for (let group = 0; group < this.excess.length; group++) {
      this.excess[group]! += other.excess[group]!
      this.weight[group]! += other.weight[group]!
    }
    this.cohortSpread += other.cohortSpread
    this.controlSpread += other.controlSpread
    this.size += other.size
  }

  clear (): void {
    this.excess.fill(0)
    this.weight.fill(0)
    this.cohortSpread = 0
    this.controlSpread = 0
    this.size = 0
  }

  write (writer: ByteWriter): void {
    writer.doubles(this.excess)
    writer.doubles(this.weight)
    for (const value of [this.cohortSpread, this.controlSpread, this.size]) writer.double(value)
  }

  /**
   * Reads the sums of groups that `write` wrote.
   * @throws `Malformed` for other bytes
   */
  read (reader: ByteReader): void {
    reader.doubles(this.excess)
    reader.doubles(this.weight)
    this.cohortSpread = reader.double()
    this.controlSpread = reader.double()
    this.size = reader.double()
  }
}
