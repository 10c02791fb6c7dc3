import { Malformed, type ByteReader, type ByteWriter } from './bytes.js'
import type { ArmCounts, Minute } from './minute-counts.js'
import type { RecentCounts } from './evidence.js'
import { RatioSums } from './ratio-sums.js'

/**
 * The length in minutes of the window that shows a burst of errors: short enough that a burst within one minute counts, and that two
 * outages on one day are two windows.
 */
export const RECENT_MINUTES = 10

interface Row {
  readonly requests: Float64Array
  readonly failures: Float64Array
  /** Two numbers of the cached arm: its loads and its reads in the minute; `control` has those of the control arm. */
  readonly cached: Float64Array
  readonly control: Float64Array
}

/** Requests and failures by group of subjects, and loads and reads by arm, in the last ten minutes that were added. */
export class RecentWindow {
  readonly #groups: number
  #rows: Row[] = []

  constructor (groups: number) {
    this.#groups = groups
  }

  get minutes (): number { return this.#rows.length }

  clear (): void {
    this.#rows = []
  }

  add ({ requests, failures, cached, control }: Minute): void {
    const row = this.#rows.length < RECENT_MINUTES ? this.#empty() : this.#rows.shift()!
    row.requests.set(requests)
    row.failures.set(failures)
    row.cached.set(loadsOf(cached))
    row.control.set(loadsOf(control))
    this.#rows.push(row)
  }

  /** Returns the loads per read of an arm in the last ten minutes; each minute is one block for the variance. */
  loads (arm: 'cached' | 'control'): RatioSums {
    const sums = new RatioSums()
    for (const { [arm]: [loads, reads] } of this.#rows) sums.addBlock(loads!, reads!)
    return sums
  }

  /**
   * Returns the counts of requests in the last ten minutes, summed over the groups of subjects from `first` up to, but not including,
   * `end`.
   */
  counts (first: number, end: number): RecentCounts {
    let requests = 0
    let failures = 0
    let worst = 0
    let worstRequests = 0
    for (let group = first; group < end; group++) {
      let ofGroup = 0
      let failed = 0
      for (const row of this.#rows) {
        ofGroup += row.requests[group]!
        failed += row.failures[group]!
      }
      requests += ofGroup
      failures += failed
      if (failed > worst) {
        worst = failed
        worstRequests = ofGroup
      }
    }
    return { requests, failures, requestsOfOthers: requests - worstRequests, failuresOfOthers: failures - worst }
  }

  #empty (): Row {
    const [requests, failures] = [new Float64Array(this.#groups), new Float64Array(this.#groups)]
    return { requests, failures, cached: new Float64Array(2), control: new Float64Array(2) }
  }

  write (writer: ByteWriter): void {
    writer.integer(this.#rows.length)
    for (const { requests, failures, cached, control } of this.#rows) {
      for (const counts of [requests, failures, cached, control]) writer.integers(counts)
    }
  }

  /**
   * Reads the counts of the last ten minutes that `write` wrote.
   * @throws `Malformed` for other bytes
   */
  read (reader: ByteReader): void {
    const rows = reader.integer()
    if (rows > RECENT_MINUTES) throw new Malformed('too many minutes')
    this.#rows = Array.from({ length: rows }, () => {
      const row = this.#empty()
      for (const counts of [row.requests, row.failures, row.cached, row.control]) reader.integers(counts)
      return row
    })
  }
}

function loadsOf ({ loads, reads }: Readonly<ArmCounts>): [loads: number, reads: number] {
  return [loads, reads]
}
