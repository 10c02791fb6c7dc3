import type { PromRegistry } from '../options.js'
import { Page } from './page.js'
import { PromMetric } from './prom-metric.js'
import { TEXT_TYPE } from './text.js'

/** The text of a registry: what `registry.metrics()` gives, with the cache metrics written by a faster hand. */
export async function toPromText (registry: PromRegistry): Promise<string | Buffer> {
  const metrics = registry.getMetricsAsArray() as unknown as readonly { name: string }[]
  const bare = metrics.find((metric) => metric instanceof PromMetric && metric.labelNames.length === 0)
  if (registry.contentType !== TEXT_TYPE || bare === undefined) return registry.metrics()
  // A registry does not tell its default labels, but they are all there is in its text of a metric that has no other.
  const [, defaultLabels = ''] = /\{(.*)\} \S+$/.exec(await registry.getSingleMetricAsString(bare.name)) ?? []
  const page = new Page()
  for (const metric of metrics) {
    await page.add(metric instanceof PromMetric ? metric.toText(defaultLabels) : [await registry.getSingleMetricAsString(metric.name)])
  }
  return page.toBuffer()
}
