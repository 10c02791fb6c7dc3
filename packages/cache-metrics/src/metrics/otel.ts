import { metrics as api, type MeterProvider } from '@opentelemetry/api'
import { DataPointType, MeterProvider as SdkMeterProvider, MetricReader, type MetricData } from '@opentelemetry/sdk-metrics'
import type { Labels, Point } from './collect.js'
import { Instruments } from './instruments.js'
import { toJson, type JsonMetric } from './json.js'
import type { Metric } from './metric.js'
import { METRICS } from './metrics.js'
import { Page } from './page.js'
import type { Source } from './sources.js'
import { TextWriter } from './text.js'

const SCOPE = '@x/cache-metrics'

// The instruments of each meter provider. Apps share them, since two apps with one provider would overwrite each other's numbers.
const given = new WeakMap<MeterProvider, Instruments>()

/** A reader of OpenTelemetry that collects the metrics only when a page is requested. */
class PageReader extends MetricReader {
  // The SDK's limit of 2000 series per metric is raised: each label has a limit of its own, but there may be more combinations of labels.
  constructor () { super({ cardinalitySelector: () => Number.MAX_SAFE_INTEGER }) }
  protected override async onForceFlush (): Promise<void> {}
  protected override async onShutdown (): Promise<void> {}
}

/**
 * The metrics in two OpenTelemetry providers: the provider of the plugin, from which the pages are made, and the provider of the app.
 * OpenTelemetry's exporter for Prometheus is not used, since it renames counters and adds labels.
 */
export class OtelMetrics {
  readonly #reader = new PageReader()
  readonly #provider = new SdkMeterProvider({ readers: [this.#reader] })
  readonly #writers = new Map(METRICS.map((metric) => [metric, new TextWriter(metric)]))
  readonly #detach: (() => void)[]

  /**
   * Adds an app to both providers.
   * @param meterProvider the app's provider; default: the global provider, which does nothing unless the app has set it
   */
  constructor (source: Source, meterProvider: MeterProvider = api.getMeterProvider()) {
    let apps = given.get(meterProvider)
    if (apps === undefined) given.set(meterProvider, apps = new Instruments(meterProvider.getMeter(SCOPE)))
    this.#detach = [apps.add(source), new Instruments(this.#provider.getMeter(SCOPE)).add(source)]
  }

  async toText (): Promise<Buffer> {
    const page = new Page()
    for (const [metric, points] of await this.#collect()) await page.add(this.#writers.get(metric)!.write(points))
    return page.toBuffer()
  }

  async toJson (): Promise<JsonMetric[]> {
    return (await this.#collect()).map(([metric, points]) => toJson(metric, points))
  }

  async close (): Promise<void> {
    for (const detach of this.#detach) detach()
    await this.#provider.shutdown()
  }

  async #collect (): Promise<[metric: Metric, points: readonly Point[]][]> {
    const { resourceMetrics, errors } = await this.#reader.collect()
    if (errors.length > 0) throw errors[0]
    const collected = new Map(resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics).map((data) => [data.descriptor.name, data]))
    // Metrics are listed in the order of `METRICS`; metrics without a series, which the SDK leaves out, are listed without points.
    return METRICS.map((metric) => [metric, toPoints(collected.get(metric.name))])
  }
}

function toPoints (data: MetricData | undefined): readonly Point[] {
  switch (data?.dataPointType) {
    case DataPointType.SUM:
    case DataPointType.GAUGE:
      return data.dataPoints.map(({ attributes, value }) => ({ labels: attributes as Labels, value }))
    case DataPointType.HISTOGRAM:
      return data.dataPoints.map(({ attributes, value: { buckets, count, sum = 0 } }) => {
        return { labels: attributes as Labels, value: { counts: buckets.counts, count, sum } }
      })
    default:
      return []
  }
}
