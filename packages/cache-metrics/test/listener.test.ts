import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify from 'fastify'
import { Counter, Registry } from 'prom-client'
import t from 'tap'
import { cacheMetrics } from '../src/index.js'
import { buildApp } from './fixtures/build-app.js'
import { parseText } from './fixtures/parse-text.js'

const listener = { port: 0, host: '127.0.0.1' }

t.test('listener: serves the metrics and nothing else', async (t) => {
  const app = await buildApp(t, { otel: true, listener })
  app.get('/', async () => 'root')
  t.equal(app.cacheMetrics.listener, undefined, 'not before the app is ready')
  await app.ready()
  const base = `http://127.0.0.1:${app.cacheMetrics.listener!.port}`
  const page = await fetch(`${base}/metrics/prom?name=x`)
  t.equal(page.status, 200)
  t.equal(page.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  t.equal(page.headers.get('cache-control'), 'no-store')
  t.match(parseText(await page.text()).types, { cache_enabled: 'gauge' })
  t.match(parseText(await (await fetch(`${base}/metrics/otel`)).text()).types, { cache_enabled: 'gauge' })
  t.ok(Array.isArray(await (await fetch(`${base}/metrics`)).json()))
  for (const url of ['/', '/internal/cache', '/metrics/', '/metrics/prom/x']) t.equal((await fetch(base + url)).status, 404)
  t.equal((await fetch(`${base}/metrics/prom`, { method: 'POST', body: 'x' })).status, 404)
  const head = await fetch(`${base}/metrics/prom`, { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(await head.text(), '')
})

t.test('listener: has the pages that are not on the app', async (t) => {
  const app = await buildApp(t, { listener, endpoint: false })
  await app.ready()
  t.equal((await app.inject('/metrics/prom')).statusCode, 404)
  t.equal((await fetch(`http://127.0.0.1:${app.cacheMetrics.listener!.port}/metrics/prom`)).status, 200)
})

t.test('listener: has a page where the app has it', async (t) => {
  const app = await buildApp(t, { listener, endpoint: { prom: '/prom' } })
  await app.ready()
  t.equal((await fetch(`http://127.0.0.1:${app.cacheMetrics.listener!.port}/prom`)).status, 200)
})

t.test('listener: closes with the app, whatever connections scrapers keep', async (t) => {
  const app = await buildApp(t, { listener })
  await app.ready()
  const { port } = app.cacheMetrics.listener!
  await (await fetch(`http://127.0.0.1:${port}/metrics/prom`)).text()
  await app.close()
  t.equal(app.cacheMetrics.listener, undefined)
  await t.rejects(fetch(`http://127.0.0.1:${port}/metrics/prom`))
})

t.test('listener: says in the log where it listens', async (t) => {
  const lines: string[] = []
  const app = Fastify({ logger: { stream: { write: (line: string) => { lines.push(line) } } } })
  t.teardown(() => app.close())
  await app.register(cacheMetrics, { listener })
  await app.ready()
  t.ok(lines.some((line) => line.includes(`Cache metrics: listening on http://127.0.0.1:${app.cacheMetrics.listener!.port}`)))
})

t.test('listener: a port that is taken stops the start with its number', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  const app = await buildApp(t, { listener: { port, host: '127.0.0.1' } })
  await t.rejects(async () => app.ready(), { code: 'CACHE_ERR_METRICS_LISTENER', message: new RegExp(`127.0.0.1:${port} .EADDRINUSE`) })
})

t.test('listener: without a host it listens on all interfaces', async (t) => {
  const app = await buildApp(t, { listener: { port: 0 } })
  await app.ready()
  t.match(app.cacheMetrics.listener!.address, /^(::|0\.0\.0\.0)$/)
})

t.test('listener: a page that fails is a 500 and a line in the log', async (t) => {
  const registry = new Registry()
  const counter = new Counter({ name: 'orders_total', help: 'Orders.', registers: [registry], collect () { throw new Error('broken') } })
  t.ok(counter)
  const app = await buildApp(t, { listener, registry })
  await app.ready()
  const errors: unknown[] = []
  app.log.error = (details: unknown) => { errors.push(details) }
  t.equal((await fetch(`http://127.0.0.1:${app.cacheMetrics.listener!.port}/metrics/prom`)).status, 500)
  t.match(errors, [{ err: { message: 'broken' } }])
})
