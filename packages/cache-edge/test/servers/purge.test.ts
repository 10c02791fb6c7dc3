import { cacheCore } from '@x/cache-core'
import { cacheRedis } from '@x/cache-redis'
import Fastify from 'fastify'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { freePort } from '@x/test-kit/servers'
import { RedisServer } from '@x/test-kit/redis-server'
import { cacheEdge, type CacheEdgeOptions } from '../../src/index.js'
import { FakeVarnish } from '../fixtures/fake-varnish.js'
import { Proxy, until } from '@x/test-kit/proxies'

/** Starts an app with the plugin and one tagged page. */
async function startApp (t: Test, purge?: CacheEdgeOptions['purge'], port = 0) {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, { implementation: 'memory' })
  await app.register(cacheEdge, { proxies: 'cookie-aware', rules: [{ prefix: '/pages', store: true }], ...purge === undefined ? {} : { purge } })
  let version = 1
  app.get('/pages/:id', { config: { cache: { tags: (request) => [`page:${(request.params as { id: string }).id}`] } } }, async () => ({ version }))
  app.get('/personal', async () => ({ version }))
  await app.listen({ port, host: '127.0.0.1' })
  return { app, port: (app.server.address() as AddressInfo).port, change: () => { version++ } }
}

t.test('purge: what a tag invalidates is gone from Varnish, and nothing else', async (t) => {
  const port = await freePort()
  const varnish = await Proxy.start(t, 'varnish', port)
  const { app, change } = await startApp(t, { varnish: [`http://127.0.0.1:${varnish.port}`], againAfterMs: 0 }, port)
  const read = async (path: string) => JSON.parse((await varnish.ask(path, {})).body) as { version: number }
  await read('/pages/1')
  await read('/pages/12')
  change()
  t.match(await read('/pages/1'), { version: 1 }, 'Varnish has it')
  t.match(await app.cache.tags.invalidate('page:1'), { ok: true })
  await until('Varnish has heard', async () => (await read('/pages/1')).version === 2)
  t.match(await read('/pages/12'), { version: 1 })
})

t.test('purge: more tags than one request takes are gone from Varnish, and after a clear all is', async (t) => {
  const port = await freePort()
  const varnish = await Proxy.start(t, 'varnish', port)
  const { app, change } = await startApp(t, { varnish: [`http://127.0.0.1:${varnish.port}`], againAfterMs: 0 }, port)
  const read = async (path: string) => JSON.parse((await varnish.ask(path, {})).body) as { version: number }
  const paths = Array.from({ length: 100 }, (_none, at) => `/pages/${at}`)
  for (const path of [...paths, '/pages/other']) await read(path)
  change()
  for (const at of paths.keys()) t.match(await app.cache.tags.invalidate(`page:${at}`), { ok: true })
  for (const path of paths) await until('Varnish has heard', async () => (await read(path)).version === 2)
  t.match(await read('/pages/other'), { version: 1 })
  t.match(await app.cache.clear(), { ok: true })
  await until('Varnish has heard', async () => (await read('/pages/other')).version === 2)
  t.equal(app.cacheEdge.purgeFailures, 0)
})

t.test('purge: nobody waits for a proxy that is down; it is tried again, given up, logged and counted', async (t) => {
  const lines: { msg: string; proxy?: string }[] = []
  const port = await freePort()
  const app = Fastify({ logger: { level: 'error', stream: { write: (line: string) => { lines.push(JSON.parse(line)) } } } })
  t.teardown(() => app.close())
  await app.register(cacheEdge, { purge: { varnish: [`http://user:secret@127.0.0.1:${port}`], attempts: 2, timeoutMs: 100, againAfterMs: 0 } })
  await app.ready()
  t.match(await app.cache.tags.invalidate('a'), { ok: true }, 'the Result is that of the cache')
  await until('it is given up', () => app.cacheEdge.purgeFailures === 1)
  t.match(lines, [{ msg: /did not take a ban/, proxy: `127.0.0.1:${port}` }])
  t.notMatch(JSON.stringify(lines), 'secret')
})

t.test('purge: a proxy that comes back hears of it, and each tag is said once more later', async (t) => {
  const proxy = await FakeVarnish.start(t)
  proxy.status = 503
  proxy.hold()
  const { app } = await startApp(t, { varnish: [proxy.url], againAfterMs: 50, timeoutMs: 10_000 })
  await app.cache.tags.invalidate(['a', 'not a tag of a header', 'b/c:1'])
  await until('it was tried', () => proxy.requests.length === 1)
  proxy.release()
  proxy.status = 200
  await until('it came, and once more', () => proxy.tags.length === 6)
  t.same(proxy.requests.slice(0, 2), Array(2).fill('a b/c:1'))
  // The second bans may come in one request or in two, since the tags may be due in different milliseconds.
  t.same(proxy.tags.slice(4).toSorted(), ['a', 'b/c:1'])
  t.equal(app.cacheEdge.purgeFailures, 0)
})

t.test('purge: what waits for Redis is told at once, and anew when Redis has it', async (t) => {
  const proxy = await FakeVarnish.start(t)
  const redis = await RedisServer.start()
  t.teardown(() => redis.close())
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheRedis, { url: redis.url, connectTimeoutMs: 60_000, breaker: { minimumCalls: 3, probeMs: 50 } })
  await app.register(cacheEdge, { purge: { varnish: [proxy.url], againAfterMs: 0 } })
  await app.ready()
  await redis.kill()
  t.match(await app.cache.tags.invalidate('a'), { ok: false, error: { queued: true } })
  t.match(await app.cache.tags.invalidate('b', { soft: true }), { ok: false, error: { queued: true } })
  await until('both were told', () => proxy.tags.length === 2)
  t.same(proxy.tags, ['a', 'b'])
  await redis.start()
  await until('both were told anew', () => proxy.tags.length === 4)
  t.same(proxy.tags.slice(2).toSorted(), ['a', 'b'])
  await redis.kill()
  t.match(await app.cache.clear(), { ok: false, error: { queued: true } })
  await redis.start()
  await until('all was told twice', () => proxy.tags.length === 6)
  t.same(proxy.tags.slice(4), ['*', '*'])
})

t.test('nginx in front of the plugin: hit, 304 to the client, and a personal response is never stored', async (t) => {
  const { port } = await startApp(t)
  const nginx = await Proxy.start(t, 'nginx', port)
  const first = await nginx.ask('/pages/1', {})
  const second = await nginx.ask('/pages/1', {})
  t.match(second.headers['cache-status'], /nginx; hit/)
  t.equal(second.body, first.body)
  t.match(await nginx.ask('/pages/1', { headers: { 'if-none-match': String(first.headers.etag) } }), { status: 304 })
  for (let times = 0; times < 2; times++) t.notMatch((await nginx.ask('/pages/1', { headers: { authorization: 'Bearer a' } })).headers['cache-status'], /nginx; hit/)
})
