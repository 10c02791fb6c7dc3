import { cacheCore } from '@x/cache-core'
import Fastify from 'fastify'
import { Counter, Registry, type OpenMetricsContentType } from 'prom-client'
import t from 'tap'
import { cacheMetrics, METRICS, type JsonMetric } from '../src/index.js'
import { buildApp } from './fixtures/build-app.js'

const TEXT = 'text/plain; version=0.0.4; charset=utf-8'

t.test('/metrics/prom: is Prometheus text that no cache stores', async (t) => {
  const response = await (await buildApp(t)).inject('/metrics/prom')
  t.match(response, { statusCode: 200, headers: { 'content-type': TEXT, 'cache-control': 'no-store' } })
  t.match(response.body, /^# HELP cache_hits_total .*\n# TYPE cache_hits_total counter\n/)
})

t.test('/metrics/prom: answers HEAD', async (t) => {
  const app = await buildApp(t)
  const { body } = await app.inject('/metrics/prom')
  const response = await app.inject({ method: 'HEAD', url: '/metrics/prom' })
  t.match(response, { statusCode: 200, headers: { 'content-length': String(body.length) }, body: '' })
})

t.test('/metrics/prom: has the content type of its registry', async (t) => {
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  const app = await buildApp(t, { registry })
  t.equal((await app.inject('/metrics/prom')).headers['content-type'], Registry.OPENMETRICS_CONTENT_TYPE)
})

t.test('endpoints: are open in production', async (t) => {
  t.intercept(process, 'env', { value: { ...process.env, NODE_ENV: 'production' } })
  const app = await buildApp(t, { otel: true })
  for (const url of ['/metrics/prom', '/metrics/otel', '/metrics']) t.equal((await app.inject(url)).statusCode, 200)
  t.equal((await app.inject('/internal/cache')).statusCode, 404)
})

t.test('/metrics, /metrics/otel: are there with OpenTelemetry only', async (t) => {
  const off = await buildApp(t)
  for (const url of ['/metrics', '/metrics/otel']) t.equal((await off.inject(url)).statusCode, 404)
  const on = await buildApp(t, { otel: true })
  t.match(await on.inject('/metrics/otel'), { statusCode: 200, headers: { 'content-type': TEXT, 'cache-control': 'no-store' } })
  const json = await on.inject('/metrics')
  t.match(json, { statusCode: 200, headers: { 'content-type': 'application/json; charset=utf-8' } })
  t.same(json.json<JsonMetric[]>().map(({ name }) => name), METRICS.map(({ name }) => name))
})

t.test('endpoint: moves or leaves out each of them', async (t) => {
  const app = await buildApp(t, { otel: true, endpoint: { prom: '/prom', otel: false } })
  const status = async (url: string) => (await app.inject(url)).statusCode
  t.equal(await status('/prom'), 200)
  t.equal(await status('/metrics'), 200)
  t.equal(await status('/metrics/prom'), 404)
  t.equal(await status('/metrics/otel'), 404)
})

t.test('endpoint: false leaves the paths to others', async (t) => {
  const app = await buildApp(t, { otel: true, endpoint: false })
  app.get('/metrics/prom', async () => 'mine')
  t.equal((await app.inject('/metrics/prom')).body, 'mine')
  t.equal((await app.inject('/metrics')).statusCode, 404)
})

t.test('addEndpoints: a route that is there already is refused with its path', async (t) => {
  for (const [url, otel] of [['/metrics/prom', false], ['/metrics', true]] as const) {
    const app = Fastify()
    t.teardown(() => app.close())
    app.get(url, async () => 'mine')
    await t.rejects(async () => app.register(cacheMetrics, { otel }), { code: 'CACHE_ERR_ENDPOINT_TAKEN', message: new RegExp(`GET ${url} `) })
  }
  await t.rejects(buildApp(t, { otel: true, endpoint: { prom: '/metrics' } }), { code: 'CACHE_ERR_ENDPOINT_TAKEN' })
})

t.test('addEndpoints: in a context with a prefix they are under the prefix', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(async (child) => {
    await child.register(cacheCore)
    await child.register(cacheMetrics)
  }, { prefix: '/admin' })
  const { body } = await app.inject('/admin/metrics/prom')
  t.match(body, /cache_enabled/)
  t.notMatch((await app.inject('/admin/metrics/prom')).body, /cache_candidate_requests\{/)
})

t.test('/metrics/prom: a metric of the app that fails is an error and no page', async (t) => {
  const registry = new Registry()
  const counter = new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry], collect () { throw new Error('broken') } })
  t.ok(counter)
  t.equal((await (await buildApp(t, { registry })).inject('/metrics/prom')).statusCode, 500)
})
