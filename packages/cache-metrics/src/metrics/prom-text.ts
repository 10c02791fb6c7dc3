import type { PromRegistry } from '../options.js'
import { Page } from './page.js'
import { PromMetric } from './prom-metric.js'
import { TEXT_TYPE } from './text.js'

/** Returns the text of a prom-client registry, equal to `registry.metrics()`. `PromMetric` writes the cache metrics, since it is faster. */
export async function toPromText (registry: PromRegistry): Promise<string | Buffer> {
  const metrics = registry.getMetricsAsArray() as unknown as readonly { name: string }[]
  const bare = metrics.find((metric) => metric instanceof PromMetric && metric.labelNames.length === 0)
  if (registry.contentType !== TEXT_TYPE || bare === undefined) return registry.metrics()
  // A registry does not expose its default labels, so they are read from the text of a metric without labels of its own.
  const [, defaultLabels = ''] = /\{(.*)\} \S+$/.exec(await registry.getSingleMetricAsString(bare.name)) ?? []
  const page = new Page()
  for (const metric of metrics) {
    await page.add(metric instanceof PromMetric ? metric.toText(defaultLabels) : [await registry.getSingleMetricAsString(metric.name)])
  }
  return page.toBuffer()
}
