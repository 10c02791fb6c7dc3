import { Malformed, type ByteReader, type ByteWriter } from './bytes.js'
import type { RecentCounts } from './evidence.js'

/** The length of the window: an error burst of a minute weighs enough in it, and two outages of a day are two windows. */
export const RECENT_MINUTES = 10

interface Row { readonly requests: Float64Array, readonly failures: Float64Array }

/** Requests and failures by group in the last ten folded minutes. */
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

  add (requests: ArrayLike<number>, failures: ArrayLike<number>): void {
    const row = this.#rows.length < RECENT_MINUTES ? this.#empty() : this.#rows.shift()!
    row.requests.set(requests)
    row.failures.set(failures)
    this.#rows.push(row)
  }

  /** The sums over groups from `first` up to `end`. */
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
    return { requests: new Float64Array(this.#groups), failures: new Float64Array(this.#groups) }
  }

  write (writer: ByteWriter): void {
    writer.integer(this.#rows.length)
    for (const { requests, failures } of this.#rows) {
      writer.integers(requests)
      writer.integers(failures)
    }
  }

  /** Reads what `write` wrote. @throws `Malformed` for other bytes */
  read (reader: ByteReader): void {
    const rows = reader.integer()
    if (rows > RECENT_MINUTES) throw new Malformed('too many minutes')
    this.#rows = Array.from({ length: rows }, () => {
      const row = this.#empty()
      reader.integers(row.requests)
      reader.integers(row.failures)
      return row
    })
  }
}
