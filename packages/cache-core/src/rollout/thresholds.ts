import type { ByteReader, ByteWriter } from './bytes.js'
import { LatencySketch, SKETCH_BUCKETS } from './latency-sketch.js'
import type { Minute } from './minute-counts.js'

const QUANTILES = [0.5, 0.95, 0.99] as const
/** Thresholds are renewed after an hour, or later, once they come from enough requests: 10 of 1000 lie above the 99th percentile. */
const MIN_MINUTES = 60
const MIN_REQUESTS = 1000

/**
 * The quantiles of the latency over the last whole hour, as buckets of `LatencySketch`: of the groups that are control in a stage, during the
 * stage and before it, so that a standing difference is measured at the same height. A threshold is fixed before the minute that it is held
 * against, or that minute's own slow requests would hide themselves.
 */
export class Thresholds {
  #sketch = new LatencySketch()
  #minutes = 0
  #buckets: readonly number[] | undefined

  /** The buckets above which requests count as slower than p50, p95 and p99; `undefined` in the first hour. */
  get buckets (): readonly number[] | undefined { return this.#buckets }

  /** Adds the minute's requests of the groups from `first` on. */
  add (counts: Minute, first: number): void {
    for (let group = first; group < counts.requests.length; group++) counts.addDurations(group, this.#sketch)
    const sketch = this.#sketch
    if (++this.#minutes < MIN_MINUTES || sketch.total < MIN_REQUESTS) return
    this.#buckets = QUANTILES.map((quantile) => Math.max(0, sketch.quantileBucket(quantile)))
    this.#sketch = new LatencySketch()
    this.#minutes = 0
  }

  write (writer: ByteWriter): void {
    writer.integer(this.#minutes)
    this.#sketch.write(writer)
    writer.integer(this.#buckets === undefined ? 0 : 1)
    for (const bucket of this.#buckets ?? []) writer.integer(bucket)
  }

  /** Reads what `write` wrote. @throws `Malformed` for other bytes */
  read (reader: ByteReader): void {
    this.#minutes = reader.integer()
    this.#sketch = LatencySketch.read(reader)
    const isKnown = reader.integer(1) === 1
    this.#buckets = isKnown ? QUANTILES.map(() => reader.integer(SKETCH_BUCKETS - 1)) : undefined
  }
}
