import { ValueType, type Attributes, type Meter, type Observable, type ObservableCallback } from '@opentelemetry/api'
import type { CacheRegistry } from '@x/cache-core'
import { Collector } from './collect.js'
import type { Emit, Metric } from './metric.js'
import { METRICS } from './metrics.js'
import { Sources, type Source } from './sources.js'
import type { Traffic } from '../traffic/traffic.js'

/**
 * All cache metrics as instruments of one OpenTelemetry meter. Counters and gauges are observable and read at each collection.
 * OpenTelemetry has no observable histogram, so observations are recorded one by one, from the time when a source is added.
 */
export class Instruments {
  readonly #sources = new Sources()
  readonly #observed: [Observable, ObservableCallback][] = []
  readonly #recorded: [Metric, Emit<number>][] = []
  readonly #followed = new Map<CacheRegistry | Traffic, (() => void)[]>()

  constructor (meter: Meter) {
    for (const metric of METRICS) {
      const { name, type, help: description, buckets } = metric
      const collector = new Collector(metric)
      if (buckets !== undefined) {
        const histogram = meter.createHistogram(name, { description, advice: { explicitBucketBoundaries: [...buckets] } })
        this.#recorded.push([metric, (seconds, ...labels) => histogram.record(seconds, collector.labels(labels) as Attributes)])
        continue
      }
      const observable = type === 'counter'
        ? meter.createObservableCounter(name, { description, valueType: metric.isFractional === true ? ValueType.DOUBLE : ValueType.INT })
        : meter.createObservableGauge(name, { description })
      this.#observed.push([observable, (result) => {
        for (const { labels, value } of collector.read(this.#sources)) result.observe(value as number, labels as Attributes)
      }])
    }
  }

  /** Adds an app as a source of the metrics; returns the function that removes the app. */
  add (source: Source): () => void {
    if (this.#sources.isEmpty) for (const [observable, observe] of this.#observed) observable.addCallback(observe)
    this.#sources.add(source)
    this.#follow()
    return () => {
      this.#sources.delete(source)
      this.#follow()
      if (this.#sources.isEmpty) for (const [observable, observe] of this.#observed) observable.removeCallback(observe)
    }
  }

  /** Subscribes once to the durations of each cache and each app, and unsubscribes from those of removed apps. */
  #follow (): void {
    const caches = this.#sources.caches()
    const traffics = this.#sources.traffics()
    for (const cache of caches) this.#listen(cache, (metric, record) => metric.followCache?.(cache, record))
    for (const traffic of traffics) this.#listen(traffic, (metric, record) => metric.followTraffic?.(traffic, record))
    for (const [followed, stops] of this.#followed) {
      if (caches.has(followed as CacheRegistry) || traffics.has(followed as Traffic)) continue
      for (const stop of stops) stop()
      this.#followed.delete(followed)
    }
  }

  #listen (to: CacheRegistry | Traffic, follow: (metric: Metric, record: Emit<number>) => (() => void) | undefined): void {
    if (this.#followed.has(to)) return
    const stops = this.#recorded.map(([metric, record]) => follow(metric, record))
    this.#followed.set(to, stops.filter((stop) => stop !== undefined))
  }
}
