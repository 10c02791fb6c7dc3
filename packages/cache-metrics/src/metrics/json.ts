import { boundsOf, cumulate } from './buckets.js'
import type { Labels, Point } from './collect.js'
import type { Metric } from './metric.js'

/** One series of a metric in the JSON of `GET /metrics`. Counts of buckets are cumulative, as in Prometheus. */
export type JsonSeries =
  | { labels: Labels; value: number }
  | { labels: Labels; count: number; sum: number; buckets: { le: string; count: number }[] }

/** One metric in the JSON of `GET /metrics`, with its series. */
export interface JsonMetric { name: string; type: Metric['type']; help: string; series: JsonSeries[] }

/** Converts the series of a metric to the JSON of `GET /metrics`. */
export function toJson ({ name, type, help, buckets = [] }: Metric, points: readonly Point[]): JsonMetric {
  const bounds = boundsOf(buckets)
  return {
    name,
    type,
    help,
    series: points.map(({ labels, value }) => {
      if (typeof value === 'number') return { labels, value }
      const { counts, count, sum } = value
      return { labels, count, sum, buckets: cumulate(counts).map((count, at) => ({ le: bounds[at]!, count })) }
    })
  }
}
