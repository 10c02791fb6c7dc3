import { CacheRegistry } from '@x/cache-core'
import { AggregatorRegistry, Counter, Gauge, register, Registry } from 'prom-client'
import t from 'tap'
import { METRICS } from '../src/index.js'
import { buildApp } from './fixtures/build-app.js'
import { addRoutes, makeTraffic } from './fixtures/make-traffic.js'
import { parseText, scrape } from './fixtures/parse-text.js'

const names = METRICS.map(({ name }) => name)

t.test('addTo: without a registry the plugin has one of its own', async (t) => {
  const app = await buildApp(t)
  t.same(app.cacheMetrics.registry.getMetricsAsArray().map(({ name }) => name), names)
  t.same(register.getMetricsAsArray(), [])
})

t.test('addTo: the metrics are in the registry of the app, beside its own, and leave with it', async (t) => {
  const orders = new Counter({ name: 'orders_total', help: 'Orders.', registers: [register] })
  t.teardown(() => register.clear())
  const app = await buildApp(t, { registry: register })
  orders.inc(3)
  await app.cache.get('table:1')
  t.match(parseText(await register.metrics()).samples, { orders_total: 3, 'cache_miss_total{impl="null",key_pattern="table"}': 1 })
  t.match((await scrape(app)).samples, { orders_total: 3 })
  await app.close()
  t.same(register.getMetricsAsArray().map(({ name }) => name), ['orders_total'])
})

t.test('addTo: two apps in one registry are added up, until one leaves', async (t) => {
  const registry = new Registry()
  const [one, other] = [await buildApp(t, { registry }), await buildApp(t, { registry }, { rollout: { percent: 50 } })]
  for (const app of [one, other]) app.get('/table', async () => app.cache.getOrSet('table:1', () => 1))
  await one.inject('/table')
  await other.inject('/table')
  await other.inject('/table')
  const both = await scrape(one)
  t.match(both.samples, {
    'cache_miss_total{impl="null",key_pattern="table"}': 3,
    'cache_candidate_requests{method="GET",route="/table"}': 3,
    'cache_request_duration_seconds_count{arm="none",route="/table"}': 3,
    'cache_request_duration_seconds_bucket{arm="none",le="+Inf",route="/table"}': 3,
    cache_rollout_percent: 0
  })
  t.same((await scrape(other)).samples, both.samples)
  await one.close()
  t.match((await scrape(other)).samples, {
    'cache_miss_total{impl="null",key_pattern="table"}': 2,
    'cache_candidate_requests{method="GET",route="/table"}': 2,
    cache_rollout_percent: 0
  })
  await other.close()
  t.same(registry.getMetricsAsArray(), [])
})

t.test('addTo: two apps with one cache do not double its counts', async (t) => {
  const registry = new Registry()
  const cache = new CacheRegistry()
  const apps = [await buildApp(t, { registry }, { registry: cache }), await buildApp(t, { registry }, { registry: cache })]
  for (const app of apps) app.get('/', async () => 'root')
  await apps[0]!.cache.get('table:1')
  cache.events.emit('etagMatch', '/', 'GET')
  for (const app of apps) await app.inject('/')
  t.match((await scrape(apps[1]!)).samples, {
    'cache_miss_total{impl="null",key_pattern="table"}': 1,
    etag_match_total: 1,
    'cache_candidate_requests{method="GET",route="/"}': 2
  })
  await apps[0]!.close()
  t.match((await scrape(apps[1]!)).samples, {
    'cache_miss_total{impl="null",key_pattern="table"}': 1,
    'cache_candidate_requests{method="GET",route="/"}': 1
  })
})

t.test('addTo: a name that a stranger has is refused with the name, and nothing changes', async (t) => {
  const registry = new Registry()
  const stranger = new Gauge({ name: 'cache_enabled', help: 'Mine.', registers: [registry] })
  await t.rejects(buildApp(t, { registry }), { code: 'CACHE_ERR_METRIC_TAKEN', message: /"cache_enabled"/ })
  t.strictSame(registry.getMetricsAsArray(), [stranger])
})

t.test('addTo: a stranger that takes a name after a clear keeps it when the app closes', async (t) => {
  const registry = new Registry()
  const app = await buildApp(t, { registry })
  registry.clear()
  const stranger = new Gauge({ name: 'cache_enabled', help: 'Mine.', registers: [registry] })
  await app.close()
  t.strictSame(registry.getMetricsAsArray(), [stranger])
})

t.test('addTo: another app brings back what a clear has removed', async (t) => {
  const registry = new Registry()
  await buildApp(t, { registry })
  registry.clear()
  const app = await buildApp(t, { registry })
  t.same(Object.keys((await scrape(app)).types), names)
})

t.test('reset: resetMetrics of the registry leaves the counts of the cache alone', async (t) => {
  const app = await buildApp(t)
  await app.cache.get('table:1')
  app.cacheMetrics.registry.resetMetrics()
  t.match((await scrape(app)).samples, { 'cache_miss_total{impl="null",key_pattern="table"}': 1 })
})

t.test('getForPromString: prom-client writes the same samples as the plugin', async (t) => {
  const app = await buildApp(t, {}, { implementation: 'memory' })
  addRoutes(app)
  await makeTraffic(app)
  const page = await scrape(app)
  t.strictSame(parseText(await app.cacheMetrics.registry.metrics()), page)
  t.ok(Object.keys(page.samples).length > 100)
})

t.test('get: is what the JSON and the cluster mode of prom-client need', async (t) => {
  const app = await buildApp(t, {}, { implementation: 'memory' })
  addRoutes(app)
  await makeTraffic(app)
  const { samples } = await scrape(app)
  const json = await app.cacheMetrics.registry.getMetricsAsJSON()
  // The metrics pass through JSON, as they do when they arrive from another process.
  const workers = [json, json].map((metrics) => JSON.parse(JSON.stringify(metrics)) as object[])
  const sum = parseText(await AggregatorRegistry.aggregate(workers).metrics()).samples
  for (const [name, value] of Object.entries(samples)) {
    const isGauge = /^cache_(enabled|rollout_percent|breaker_state|tracking_state|queued_invalidations|degraded)/.test(name)
    t.equal(sum[name], isGauge ? value : value * 2, name)
  }
})
