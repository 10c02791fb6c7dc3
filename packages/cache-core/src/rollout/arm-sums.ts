import type { ByteReader, ByteWriter } from './bytes.js'
import { GROUPS_PER_COHORT } from './cohorts.js'
import type { ArmTotals } from './evidence.js'
import { LatencySketch } from './latency-sketch.js'
import { ARM_COUNTS, noCounts, type ArmCounts } from './minute-counts.js'
import { RatioSums } from './ratio-sums.js'
import type { ArmMeasurement } from './sentence.js'
import { WindowedSums } from './windows.js'

/** The counts of one arm (cached or control) since the current stage of the canary began. */
export class ArmSums {
  requests = 0
  failures = 0
  readonly counts = noCounts()
  /** Ratios of loads to reads, and of failures to requests, for each window of the canary's stage. */
  readonly loads = new WindowedSums(() => new RatioSums())
  readonly failed = new WindowedSums(() => new RatioSums())
  /** The loads and reads of the current block of minutes, which is one observation for the variance of loads per read. */
  readonly block = { loads: 0, reads: 0 }
  /**
   * Durations of requests by group of subjects, with the group's number in its cohort as index: a confidence interval of a quantile needs
   * the spread between groups.
   */
  sketches = Array.from({ length: GROUPS_PER_COHORT }, () => new LatencySketch())

  /** Ends the windows of the stage whose length has passed; called before the counts of a minute are added. */
  roll (minutesBefore: number): void {
    this.loads.roll(minutesBefore)
    this.failed.roll(minutesBefore)
  }

  /** Adds the requests of a group of subjects in one minute, and how many of them failed. */
  addGroup (requests: number, failures: number): void {
    this.requests += requests
    this.failures += failures
    this.failed.current.addBlock(failures, requests)
  }

  addCounts (counts: Readonly<ArmCounts>, endsBlock: boolean): void {
    for (const name of ARM_COUNTS) this.counts[name] += counts[name]
    this.block.loads += counts.loads
    this.block.reads += counts.reads
    if (!endsBlock) return
    this.loads.current.addBlock(this.block.loads, this.block.reads)
    this.block.loads = 0
    this.block.reads = 0
  }

  /** Returns the durations of the requests of all groups of the arm in one sketch. */
  durations (): LatencySketch {
    const all = new LatencySketch()
    for (const sketch of this.sketches) all.merge(sketch)
    return all
  }

  totals (): ArmTotals {
    const all = this.durations()
    const { requests, failures, counts } = this
    return { requests, failures, ...counts, p50: all.quantile(0.5), p95: all.quantile(0.95), p99: all.quantile(0.99) }
  }

  measurement (): ArmMeasurement {
    const { sketches, requests, failures, counts: { reads, loads } } = this
    return { sketches, requests, failures, reads, loads }
  }

  write (writer: ByteWriter): void {
    writer.integer(this.requests)
    writer.integer(this.failures)
    for (const name of ARM_COUNTS) writer.integer(this.counts[name])
    this.loads.write(writer)
    this.failed.write(writer)
    writer.integer(this.block.loads)
    writer.integer(this.block.reads)
    for (const sketch of this.sketches) sketch.write(writer)
  }

  static read (reader: ByteReader): ArmSums {
    const sums = new ArmSums()
    sums.requests = reader.integer()
    sums.failures = reader.integer()
    for (const name of ARM_COUNTS) sums.counts[name] = reader.integer()
    sums.loads.read(reader)
    sums.failed.read(reader)
    sums.block.loads = reader.integer()
    sums.block.reads = reader.integer()
    sums.sketches = sums.sketches.map(() => LatencySketch.read(reader))
    return sums
  }
}
