import { collectDefaultMetrics, Counter, Registry, type OpenMetricsContentType } from 'prom-client'
import t from 'tap'
import { toPromText } from '../src/metrics/prom-text.js'
import { buildApp } from './fixtures/build-app.js'
import { addRoutes, makeTraffic } from './fixtures/make-traffic.js'
import { parseText } from './fixtures/parse-text.js'

t.test('toPromText: has what the app put into the registry, in its order', async (t) => {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  await buildApp(t, { registry })
  new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry] }).inc(2)
  const page = parseText(String(await toPromText(registry)))
  t.same(Object.keys(page.types), Object.keys(parseText(await registry.metrics()).types))
  t.equal(page.samples.orders_total, 2)
})

t.test('toPromText: default labels are on every sample, and a label of a metric\'s own wins', async (t) => {
  const registry = new Registry()
  registry.setDefaultLabels({ app: 'orders', impl: 'not this one' })
  const app = await buildApp(t, { registry })
  addRoutes(app)
  await makeTraffic(app)
  const { samples } = parseText(String(await toPromText(registry)))
  t.ok(Object.keys(samples).every((name) => name.includes('app="orders"')))
  t.equal(samples['cache_miss_total{app="orders",impl="null",key_pattern="table"}'], 6)
  t.same(samples, parseText(await registry.metrics()).samples)
  registry.setDefaultLabels({ text: 'a "quoted", \\ text', number: 1 })
  t.same(parseText(String(await toPromText(registry))).samples, parseText(await registry.metrics()).samples)
})

t.test('toPromText: an OpenMetrics registry gets OpenMetrics, scrape after scrape', async (t) => {
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  const app = await buildApp(t, { registry })
  addRoutes(app)
  await makeTraffic(app)
  for (let times = 0; times < 2; times++) {
    const text = String(await toPromText(registry))
    t.match(text, /# EOF\n$/)
    const { types, samples } = parseText(text)
    t.equal(types.cache_hits, 'counter')
    t.equal(samples['cache_miss_total{impl="null",key_pattern="table"}'], 6)
    t.equal(samples['cache_candidate_requests_total{method="GET",route="/tables/:id"}'], 5, 'the format wants the suffix')
    t.equal(samples['cache_load_duration_seconds_count{key_pattern="table"}'], 6)
  }
  await app.close()
  t.same(registry.getMetricsAsArray(), [])
})

t.test('toPromText: a registry that was cleared is empty', async (t) => {
  const registry = new Registry()
  await buildApp(t, { registry })
  registry.clear()
  t.equal(String(await toPromText(registry)).trim(), '')
})
