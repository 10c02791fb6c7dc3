import type { Metric as PromClientMetric } from 'prom-client'
import { boundsOf, cumulate } from './buckets.js'
import { Collector, type Labels, type Point } from './collect.js'
import { MetricTaken } from '../errors.js'
import type { Metric } from './metric.js'
import { METRICS } from './metrics.js'
import type { PromRegistry } from '../options.js'
import { Sources, type Source } from './sources.js'
import { TextWriter } from './text.js'

// `Symbol.for` makes the symbol the same in all copies of this package that a process loads.
const kSources = Symbol.for('@x/cache-metrics.sources')

interface PromValue {
  metricName?: string
  labels: Readonly<Record<string, string | number>>
  sharedLabels: Labels
  value: number
}

/**
 * A cache metric in a prom-client registry. It stores no numbers: each scrape reads the numbers of the cache and the traffic. All cache
 * metrics of a registry have the same sources, the apps that share the registry.
 */
export class PromMetric {
  name: string
  readonly help: string
  readonly type: Metric['type']
  readonly labelNames: readonly string[]
  /** The way in which prom-client's cluster mode combines the values of several workers. */
  readonly aggregator: 'sum' | 'max'
  readonly [kSources]: Sources
  readonly #collector: Collector
  #writer: TextWriter

  constructor (metric: Metric, sources: Sources) {
    // The metric's name is not `readonly`: an OpenMetrics registry removes `_total` from the name of a counter.
    this.name = metric.name
    this.help = metric.help
    this.type = metric.type
    this.labelNames = metric.labelNames
    this.aggregator = metric.type === 'gauge' ? 'max' : 'sum'
    this[kSources] = sources
    this.#collector = new Collector(metric)
    this.#writer = new TextWriter(metric)
  }

  /** Returns the metric with its values, in the form of prom-client's JSON and cluster mode. */
  async get () {
    const { values, ...metric } = await this.getForPromString()
    return { ...metric, values: values.map(({ sharedLabels, labels, ...value }) => ({ ...value, labels: { ...labels, ...sharedLabels } })) }
  }

  /** Returns the metric with its values, in the form for prom-client's text writer, which formats each `sharedLabels` object once. */
  async getForPromString () {
    const { name, help, type, aggregator } = this
    return { name, help, type, aggregator, values: this.#read().flatMap((point) => this.#toValues(point)) }
  }

  /**
   * Called when prom-client resets its metrics. Does nothing, since the numbers belong to the cache, and counters of Prometheus must not
   * fall.
   */
  reset (): void {}

  /**
   * Returns the Prometheus text of the metric in slices. It is written several times as fast as by prom-client.
   * @param defaultLabels the registry's default labels as they stand in a line of text: `app="orders",zone="b"`
   */
  toText (defaultLabels = ''): Iterable<string> {
    if (defaultLabels !== this.#writer.defaultLabels) this.#writer = new TextWriter(this.#collector.metric, defaultLabels)
    return this.#writer.write(this.#read())
  }

  #read (): readonly Point[] {
    return this.#collector.read(this[kSources])
  }

  #toValues ({ labels: sharedLabels, value }: Point): PromValue[] {
    if (typeof value === 'number') return [{ labels: {}, sharedLabels, value }]
    const { name, buckets = [] } = this.#collector.metric
    const counts = cumulate(value.counts)
    return [
      ...boundsOf(buckets).map((le, at) => ({ metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: counts[at]! })),
      { metricName: `${name}_sum`, labels: {}, sharedLabels, value: value.sum },
      { metricName: `${name}_count`, labels: {}, sharedLabels, value: value.count }
    ]
  }
}

/**
 * Adds all cache metrics of an app (the source) to a prom-client registry; if another app has already added the metrics, adds only the
 * source. Returns the function that removes the source.
 * @throws `CACHE_ERR_METRIC_TAKEN` if the registry has another metric with the name of a cache metric; the registry is unchanged then
 */
export function addTo (registry: PromRegistry, source: Source): () => void {
  const present = METRICS.map(({ name }) => registry.getSingleMetric(name) as unknown as PromMetric | undefined)
  const stranger = METRICS[present.findIndex((metric) => metric !== undefined && metric[kSources] === undefined)]
  if (stranger !== undefined) throw new MetricTaken(stranger.name)
  const sources = present.find((metric) => metric !== undefined)?.[kSources] ?? new Sources()
  METRICS.forEach((metric, at) => {
    // The types of prom-client allow only its own classes; at run time prom-client calls only methods that `PromMetric` has.
    if (present[at] === undefined) registry.registerMetric(new PromMetric(metric, sources) as unknown as PromClientMetric)
  })
  sources.add(source)
  return () => {
    sources.delete(source)
    if (!sources.isEmpty) return
    for (const { name } of METRICS) {
      const metric = registry.getSingleMetric(name) as unknown as PromMetric | undefined
      if (metric?.[kSources] === sources) registry.removeSingleMetric(name)
    }
  }
}
