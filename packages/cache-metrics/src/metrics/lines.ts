import { boundsOf, cumulate } from './buckets.js'
import type { Labels } from './collect.js'
import type { Metric, Value } from './metric.js'

const PAIR = /([a-zA-Z_]\w*)="(?:[^"\\]|\\.)*"/g
const TO_ESCAPE = /[\\\n"]/

/**
 * The lines of one series in Prometheus text; a line feed precedes each line. Names and labels are formatted once. A histogram without new
 * observations is not formatted again: a scrape of a thousand histograms has twenty thousand lines of mostly the same text.
 */
export class Lines {
  readonly #heads: readonly string[]
  #count = -1
  #sum = 0
  #text = ''

  /**
   * Formats the names and labels of a series' lines.
   * @param defaultLabels the registry's default labels, as they stand in a line: `app="orders",zone="b"`; the series' own labels take
   * precedence
   */
  constructor ({ name, buckets }: Metric, labels: Labels, defaultLabels: string) {
    const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escapeValue(value)}"`)
    for (const [pair, label] of defaultLabels.matchAll(PAIR)) {
      if (label !== 'le' && !(label! in labels)) pairs.push(pair)
    }
    this.#heads = buckets === undefined
      ? [headOf(name, pairs)]
      : [
          ...boundsOf(buckets).map((le) => headOf(`${name}_bucket`, [...pairs, `le="${le}"`])),
          headOf(`${name}_sum`, pairs),
          headOf(`${name}_count`, pairs)
        ]
  }

  of (value: Value): string {
    if (typeof value === 'number') return `${this.#heads[0]!}${value}`
    const { counts, count, sum } = value
    if (count !== this.#count || sum !== this.#sum) {
      this.#count = count
      this.#sum = sum
      const numbers = [...cumulate(counts), sum, count]
      const parts: (string | number)[] = []
      for (let line = 0; line < numbers.length; line++) parts.push(this.#heads[line]!, numbers[line]!)
      this.#text = parts.join('')
    }
    return this.#text
  }
}

// Returns the text of a line before its number. The parts are joined to one flat string, since V8 would have to flatten a concatenated
// string at each scrape.
function headOf (name: string, pairs: readonly string[]): string {
  return (pairs.length === 0 ? ['\n', name, ' '] : ['\n', name, '{', pairs.join(','), '} ']).join('')
}

/** Escapes a text for a HELP line of Prometheus text. */
export function escapeHelp (text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

// Escapes a label value. The value is tested first, since a test is much cheaper than a replacement, and hardly any label value needs
// escaping.
function escapeValue (value: string): string {
  return TO_ESCAPE.test(value) ? escapeHelp(value).replaceAll('"', '\\"') : value
}
