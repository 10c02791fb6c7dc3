import type { ByteReader, ByteWriter } from './bytes.js'
import { LatencySketch, SKETCH_BUCKETS } from './latency-sketch.js'
import type { Minute } from './minute-counts.js'

const QUANTILES = [0.5, 0.95, 0.99] as const
/**
 * The numbers of minutes and of requests after which latency thresholds are computed anew: the 99th percentile of 1000 requests has 10
 * requests above it.
 */
const MIN_MINUTES = 60
const MIN_REQUESTS = 1000

/**
 * The latency quantiles of the last whole hour, or of a longer time that has 1000 requests, as buckets of `LatencySketch`, in the groups
 * that are in the control arm of a stage. The same groups are used during the stage and before it, so that both periods are measured by the
 * same threshold. A threshold is computed before the minute that is compared with it, since the slow requests of that minute would raise
 * it.
 */
export class Thresholds {
  #sketch = new LatencySketch()
  #minutes = 0
  #buckets: readonly number[] | undefined

  /** The buckets of durations above which a request counts as slower than p50, p95 and p99; `undefined` before their first computation. */
  get buckets (): readonly number[] | undefined { return this.#buckets }

  /** Adds the request durations of one minute, of the groups of subjects from `first` on. */
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

  /**
   * Reads the latency thresholds that `write` wrote.
   * @throws `Malformed` for other bytes
   */
  read (reader: ByteReader): void {
    this.#minutes = reader.integer()
    this.#sketch = LatencySketch.read(reader)
    const isKnown = reader.integer(1) === 1
    this.#buckets = isKnown ? QUANTILES.map(() => reader.integer(SKETCH_BUCKETS - 1)) : undefined
  }
}
