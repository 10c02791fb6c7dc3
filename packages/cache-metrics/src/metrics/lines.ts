import { boundsOf, cumulate } from './buckets.js'
import type { Labels } from './collect.js'
import type { Metric, Value } from './metrics.js'

const PAIR = /([a-zA-Z_]\w*)="(?:[^"\\]|\\.)*"/g
const TO_ESCAPE = /[\\\n"]/

/**
 * The lines of one series in Prometheus text, each with a line feed in front. What is the same at every scrape is written
 * once, and a histogram that saw nothing new is not written again: with a thousand histograms a scrape would otherwise put
 * together twenty thousand lines of mostly the same text.
 */
export class Lines {
  readonly #heads: readonly string[]
  #count = -1
  #sum = 0
  #text = ''

  /** @param defaultLabels as they stand in a line: `app="orders",zone="b"`; the series' own labels win */
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

// Joined and not concatenated: V8 keeps a concatenation in pieces, and would put them together at each scrape.
function headOf (name: string, pairs: readonly string[]): string {
  return (pairs.length === 0 ? ['\n', name, ' '] : ['\n', name, '{', pairs.join(','), '} ']).join('')
}

/** Text as it stands behind HELP. */
export function escapeHelp (text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

// Hardly any value needs it, and looking is far cheaper than replacing nothing.
function escapeValue (value: string): string {
  return TO_ESCAPE.test(value) ? escapeHelp(value).replaceAll('"', '\\"') : value
}
