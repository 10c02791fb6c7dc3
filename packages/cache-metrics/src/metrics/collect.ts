import type { HistogramValue, Metric, Value } from './metric.js'
import type { Sources } from './sources.js'

/**
 * The label names and values of a metric's series. A series has the same `Labels` object at each reading, so that its text can be cached.
 */
export type Labels = Readonly<Record<string, string>>

/** One series of a metric: its labels and its value. */
export interface Point { readonly labels: Labels; readonly value: Value }

class Series implements Point {
  value: Value = 0
  reading = 0
  constructor (readonly labels: Labels) {}
}

/**
 * Reads one metric from its sources, the apps. Series with the same labels are merged: counts are added, and the highest value of a gauge
 * is used.
 */
export class Collector {
  readonly metric: Metric
  readonly #series = new Map<string, Series>()
  #reading = 0

  constructor (metric: Metric) {
    this.metric = metric
  }

  /** Reads every series of the metric from the apps; the next reading overwrites the values of the returned series. */
  read (sources: Sources): readonly Point[] {
    const { type, ofCache, ofTraffic } = this.metric
    const reading = ++this.#reading
    const points: Series[] = []
    const add = (value: Value, ...labels: string[]): void => {
      const series = this.#of(labels)
      if (series.reading === reading) {
        series.value = type === 'gauge' ? Math.max(series.value as number, value as number) : sum(series.value, value)
      } else {
        series.reading = reading
        series.value = value
        points.push(series)
      }
    }
    if (ofCache !== undefined) for (const cache of sources.caches()) ofCache(cache, add)
    if (ofTraffic !== undefined) for (const traffic of sources.traffics()) ofTraffic(traffic, add)
    return points
  }

  /** The `Labels` object of the metric's series with these label values; the object is created once. */
  labels (values: readonly string[]): Labels {
    return this.#of(values).labels
  }

  #of (values: readonly string[]): Series {
    // The key of a series includes the length of each label value, so it is unique for any characters in the values.
    const key = values.length === 1 ? values[0]! : values.map((value) => `${value.length}:${value}`).join('')
    let series = this.#series.get(key)
    if (series === undefined) {
      series = new Series(Object.fromEntries(this.metric.labelNames.map((name, at) => [name, values[at]!])))
      this.#series.set(key, series)
    }
    return series
  }
}

function sum (one: Value, other: Value): Value {
  if (typeof one === 'number') return one + (other as number)
  const { counts, count, sum } = other as HistogramValue
  return { counts: one.counts.map((each, at) => each + counts[at]!), count: one.count + count, sum: one.sum + sum }
}
