import type { Labels, Point } from './collect.js'
import { escapeHelp, Lines } from './lines.js'
import type { Metric } from './metric.js'

/** The content type of a page of metrics in Prometheus text. */
export const TEXT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

// The length of a slice of text in characters, written in a fraction of a millisecond. A page with all series that the limits of labels
// allow is one and a half megabytes long.
const SLICE_LENGTH = 50_000

/** Writes one metric in the text format of Prometheus, version 0.0.4. */
export class TextWriter {
  readonly #metric: Metric
  readonly #lines = new WeakMap<Labels, Lines>()

  /**
   * Creates the writer of one metric.
   * @param defaultLabels the labels of every series, as they stand in a line: `app="orders",zone="b"`
   */
  constructor (metric: Metric, readonly defaultLabels = '') {
    this.#metric = metric
  }

  /** Yields the text of the metric in slices; the last line of the text has no line feed. */
  * write (points: readonly Point[]): Iterable<string> {
    const { name, help, type } = this.#metric
    let slice = `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}`
    for (const { labels, value } of points) {
      slice += this.#linesOf(labels).of(value)
      if (slice.length < SLICE_LENGTH) continue
      yield slice
      slice = ''
    }
    yield slice
  }

  #linesOf (labels: Labels): Lines {
    let lines = this.#lines.get(labels)
    if (lines === undefined) this.#lines.set(labels, lines = new Lines(this.#metric, labels, this.defaultLabels))
    return lines
  }
}
