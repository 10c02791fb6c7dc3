import { metrics, type MeterProvider as ApiMeterProvider } from '@opentelemetry/api'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { METRICS, type JsonMetric } from '../src/index.js'
import { buildApp } from './fixtures/build-app.js'
import { addRoutes, makeTraffic } from './fixtures/make-traffic.js'
import { scrape, type Page } from './fixtures/parse-text.js'

class Reader extends MetricReader {
  protected override async onForceFlush () {}
  protected override async onShutdown () {}
}

/** Returns the values by metric and labels. */
async function read (reader: Reader): Promise<Record<string, Record<string, any>>> {
  const { resourceMetrics } = await reader.collect()
  return Object.fromEntries(resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics).map(({ descriptor, dataPoints }) => {
    return [descriptor.name, Object.fromEntries(dataPoints.map(({ attributes, value }) => [Object.values(attributes).join(), value]))]
  }))
}

/** Checks that two pages are equal. Sums may differ slightly, since their numbers may be added in another order. */
function same (t: Test, one: Page, other: Page): void {
  t.same(one.types, other.types)
  t.same(one.help, other.help)
  t.same(Object.keys(one.samples).sort(), Object.keys(other.samples).sort())
  t.same(Object.entries(one.samples).filter(([name, value]) => {
    return name.includes('_sum{') ? Math.abs(value - other.samples[name]!) > 1e-9 : value !== other.samples[name]
  }), [])
}
type Test = Parameters<typeof buildApp>[0]

async function trafficOf (t: Test, options: Parameters<typeof buildApp>[1] = { otel: true }): Promise<FastifyInstance> {
  const app = await buildApp(t, options, { implementation: 'memory', personal: ['/user'] })
  addRoutes(app)
  await makeTraffic(app)
  return app
}

t.test('/metrics/otel: has the same names, labels and values as /metrics/prom', async (t) => {
  const app = await trafficOf(t)
  const prom = await scrape(app)
  same(t, prom, await scrape(app, '/metrics/otel'))
  t.ok(Object.keys(prom.samples).length > 150)
  app.cache.registry.rollout.percent = 25
  await app.inject('/tables/9')
  await app.cache.get('user:1')
  same(t, await scrape(app), await scrape(app, '/metrics/otel'))
})

t.test('/metrics/otel: lists every metric before anything happened', async (t) => {
  const app = await buildApp(t, { otel: true })
  same(t, await scrape(app), await scrape(app, '/metrics/otel'))
})

t.test('/metrics: is the same as JSON', async (t) => {
  const app = await trafficOf(t)
  const { samples } = await scrape(app)
  const json = (await app.inject('/metrics')).json<JsonMetric[]>()
  t.same(json.map(({ name, type, help }) => ({ name, type, help })), METRICS.map(({ name, type, help }) => ({ name, type, help })))
  let lines = 0
  for (const { name, series } of json) {
    for (const one of series) {
      const key = (suffix: string, more = {}) => {
        const labels = Object.entries({ ...one.labels, ...more }).map(([label, value]) => `${label}="${String(value).replaceAll('"', '\\"')}"`).sort().join()
        return labels === '' ? name + suffix : `${name}${suffix}{${labels}}`
      }
      if ('value' in one) {
        t.equal(one.value, samples[key('')])
        lines++
        continue
      }
      t.equal(one.count, samples[key('_count')])
      for (const { le, count } of one.buckets) t.equal(count, samples[key('_bucket', { le })])
      lines += 2 + one.buckets.length
    }
  }
  t.equal(lines, Object.keys(samples).length)
})

t.test('otel: scrapes at the same time see the same', async (t) => {
  const app = await trafficOf(t)
  const pages = await Promise.all([1, 2, 3].map(() => scrape(app, '/metrics/otel')))
  const prom = await scrape(app)
  for (const page of pages) same(t, prom, page)
})

t.test('otel: more series than the SDK allows by itself all have their labels', async (t) => {
  const app = await buildApp(t, { otel: true }, { maxKeyPatterns: 1000 })
  for (const impl of ['one', 'two', 'three']) {
    for (let at = 0; at < 1000; at++) app.cache.registry.stats.for(impl).of(`p${at}:1`).hits = at
  }
  same(t, await scrape(app), await scrape(app, '/metrics/otel'))
})

t.test('otel: the meter provider of the app gets the same instruments', async (t) => {
  const reader = new Reader()
  const app = await trafficOf(t, { otel: { meterProvider: new MeterProvider({ readers: [reader] }) } })
  const data = await read(reader)
  t.match(data.cache_hits_total, { 'memory,table': 3 })
  t.match(data.cache_request_duration_seconds, { '/tables/:id,cached': { count: 6 } })
  await app.close()
  await t.resolves(reader.collect(), 'which is not the plugin\'s to shut down')
})

t.test('otel: a global meter provider gets them without being named', async (t) => {
  const reader = new Reader()
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }))
  t.teardown(() => metrics.disable())
  await trafficOf(t)
  t.match((await read(reader)).cache_hits_total, { 'memory,table': 3 })
})

t.test('otel: two apps with one meter provider are added up there, and each has its own page', async (t) => {
  const reader = new Reader()
  const meterProvider = new MeterProvider({ readers: [reader] })
  const [one, other] = [await buildApp(t, { otel: { meterProvider } }), await buildApp(t, { otel: { meterProvider } })]
  for (const app of [one, other]) await app.cache.getOrSet('table:1', () => 1)
  const data = await read(reader)
  t.same(data.cache_miss_total, { 'null,table': 2 })
  t.match(data.cache_load_duration_seconds, { table: { count: 2 } })
  t.match((await scrape(one, '/metrics/otel')).samples, { 'cache_miss_total{impl="null",key_pattern="table"}': 1 })
  await one.close()
  t.match((await scrape(other, '/metrics/otel')).samples, { 'cache_miss_total{impl="null",key_pattern="table"}': 1 })
})

t.test('otel: an instrument that cannot be read is an error and no page', async (t) => {
  const app = await buildApp(t, { otel: true, advisor: false })
  app.cache.registry.stats.impls.set('broken', null as never)
  t.equal((await app.inject('/metrics/otel')).statusCode, 500)
  t.equal((await app.inject('/metrics')).statusCode, 500)
})

t.test('otel: any meter provider of the API will do', async (t) => {
  const meterProvider: ApiMeterProvider = { getMeter: () => metrics.getMeter('noop') }
  const app = await trafficOf(t, { otel: { meterProvider } })
  same(t, await scrape(app), await scrape(app, '/metrics/otel'))
})
