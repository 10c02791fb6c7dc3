import { cacheCore, CacheRegistry, coreOf } from '@x/cache-core'
import Fastify from 'fastify'
import t from 'tap'
import cacheMetricsByDefault, { cacheMetrics, type CacheMetrics } from '../src/index.js'
import { runScript } from '@x/test-kit/run-script'
import { buildApp } from './fixtures/build-app.js'
import { scrape } from './fixtures/parse-text.js'

t.test('cacheMetrics: loads nothing of the OpenTelemetry SDK unless it is on', async (t) => {
  // All options are tested in one process, the option that loads the SDK last, since a loaded module stays loaded.
  const printed = await runScript(`
    import { createRequire } from 'node:module'
    import Fastify from 'fastify'
    import { cacheMetrics } from '@x/cache-metrics'
    for (const options of [{}, { otel: false }, { otel: true }]) {
      const app = Fastify()
      await app.register(cacheMetrics, options)
      await app.inject('/metrics/prom')
      await app.close()
      const files = Object.keys(createRequire('/').cache)
      console.log(files.some((file) => file.includes('/@opentelemetry/sdk-metrics/')))
    }
  `)
  t.equal(printed, 'false\nfalse\ntrue\n')
})

t.test('cacheMetrics: otel without the OpenTelemetry SDK stops the start and says what to install', async (t) => {
  const printed = await runScript(`
    import { register } from 'node:module'
    import Fastify from 'fastify'
    // Below no folder that has it, so that Node's own error is seen.
    const hook = "export const resolve = (name, context, next) => next(name, name === '@opentelemetry/sdk-metrics' ? { ...context, parentURL: 'file:///nowhere/app.js' } : context)"
    register('data:text/javascript,' + encodeURIComponent(hook))
    const { cacheMetrics } = await import('@x/cache-metrics')
    for (const options of [{}, { otel: true }]) {
      const app = Fastify()
      await app.register(cacheMetrics, options).then(() => console.log('started'), (error) => console.log(error.code, error.message))
      await app.close().catch(() => {})
    }
  `)
  t.match(printed, /^started\nCACHE_ERR_OTEL_MISSING .*npm install @opentelemetry\/sdk-metrics@\^2.*\n$/)
})

t.test('cacheMetrics: is a plugin by name and by default', async (t) => {
  t.equal(cacheMetricsByDefault, cacheMetrics)
  const app = await buildApp(t)
  t.ok(app.hasPlugin('@x/cache-metrics'))
})

t.test('cacheMetrics: alone it brings the core, and the durations with it', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheMetrics)
  await app.cache.get('table:1')
  t.ok(app.cache.registry.stats.measuresDurations)
  t.match((await scrape(app)).samples, {
    'cache_miss_total{impl="null",key_pattern="table"}': 1,
    'cache_operation_duration_seconds_count{impl="null",operation="get"}': 1
  })
})

t.test('cacheMetrics: an explicit core that comes later adopts the one that is measured', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheMetrics)
  const core = coreOf(app)
  await app.register(cacheCore, { implementation: 'memory' })
  t.equal(coreOf(app), core)
  t.match((await scrape(app)).samples, { 'cache_enabled{impl="memory"}': 1 })
})

t.test('cacheMetrics: a second registration without options changes nothing', async (t) => {
  const app = await buildApp(t, { maxRoutes: 10 })
  const { cacheMetrics: before } = app
  await app.register(cacheMetrics)
  await app.register(async (child) => { await child.register(cacheMetrics) })
  app.get('/', async () => 'root')
  await app.inject('/')
  t.equal(app.cacheMetrics, before)
  t.match((await scrape(app)).samples, { 'cache_request_duration_seconds_count{arm="none",route="/"}': 1 })
})

t.test('cacheMetrics: a second registration with options is refused', async (t) => {
  const app = await buildApp(t)
  await t.rejects(async () => app.register(cacheMetrics, { maxRoutes: 10 }), { code: 'CACHE_ERR_METRICS_REGISTERED' })
})

t.test('cacheMetrics: a decorator of a stranger is refused', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.decorate('cacheMetrics', {} as CacheMetrics)
  await t.rejects(async () => app.register(cacheMetrics), { code: 'CACHE_ERR_DECORATOR_TAKEN' })
})

t.test('cacheMetrics: a wrong option stops the start', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await t.rejects(async () => app.register(cacheMetrics, { maxRoutes: -1 }), { code: 'CACHE_ERR_OPTION_INVALID' })
})

t.test('cacheMetrics: two apps with the cache of the process both show all of its counts', async (t) => {
  const registry = CacheRegistry.getInstance()
  const apps = [await buildApp(t, {}, { registry }), await buildApp(t, {}, { registry })]
  await apps[0]!.cache.get('shared:1')
  await apps[1]!.cache.get('shared:1')
  for (const app of apps) t.match((await scrape(app)).samples, { 'cache_miss_total{impl="null",key_pattern="shared"}': 2 })
})

t.test('cacheMetrics: what the edge announces counts from the registration on', async (t) => {
  const app = await buildApp(t)
  app.cache.registry.events.emit('edgeCandidate', '/', 'GET')
  t.match((await scrape(app)).samples, { cache_edge_candidates_total: 1 })
})
