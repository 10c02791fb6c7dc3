import { inspect } from 'node:util'
import t from 'tap'
import { freePort } from '@x/test-kit/servers'
import type { LogLine } from '@x/test-kit/build-app'
import { runScript } from '@x/test-kit/run-script'
import { buildApp, statusOf } from '../../fixtures/apps.js'
import { bounded, startServer } from '../../fixtures/caches.js'
import { until } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

t.test('cacheRedis: starts without Redis, says so, and comes into service by itself', async (t) => {
  const server = await startServer(t)
  await server.kill()
  const lines: LogLine[] = []
  const app = await buildApp(t, { url: server.url }, lines)
  t.match(await statusOf(app), { implName: 'NullCache', degraded: true, breaker: /open/ })
  t.equal(await bounded('getOrSet', app.cache.getOrSet('user:1', async () => 'loaded')), 'loaded')
  t.match(await app.cache.get('user:1'), { ok: false, error: { code: 'CACHE_ERR_UNAVAILABLE' } })
  t.match(await app.cache.tags.invalidate('tag'), { ok: false, error: { code: 'CACHE_ERR_UNAVAILABLE', queued: true } })
  t.equal((await statusOf(app)).queuedInvalidations, 1)
  await server.start()
  await until('Redis is in service', async () => (await statusOf(app)).degraded === false)
  t.match(await statusOf(app), { implName: 'RedisCache', degraded: false, breaker: 'closed', queuedInvalidations: 0 })
  await app.cache.set('user:1', 'stored')
  t.same(await app.cache.get('user:1'), { ok: true, value: 'stored' })
  t.equal(lines.filter(({ msg }) => /not reachable/.test(msg)).length, 1)
  t.equal(lines.filter(({ msg }) => /in service again/.test(msg)).length, 1)
})

t.test('cacheRedis: logs an outage and its end once each, however many operations fail', async (t) => {
  const server = await startServer(t)
  const lines: LogLine[] = []
  const app = await buildApp(t, { url: server.url }, lines)
  for (let outage = 1; outage <= 2; outage++) {
    await server.kill()
    await until('the breaker is open', async () => {
      await app.cache.get('user:1')
      return (await statusOf(app)).degraded === true
    })
    for (let at = 0; at < 200; at++) await app.cache.get(`user:${at}`)
    t.equal((await statusOf(app)).implName, 'NullCache')
    await server.start()
    await until('Redis is in service', async () => (await statusOf(app)).degraded === false)
    t.equal(lines.filter(({ msg }) => /out of service/.test(msg)).length, outage)
    t.equal(lines.filter(({ msg }) => /in service again/.test(msg)).length, outage)
  }
  const own = lines.filter(({ msg }) => msg.startsWith('Cache:'))
  t.ok(own.length < 40, `${own.length} lines for 400 failed operations`)
})

t.test('cacheRedis: no password is ever logged, shown or in an error', async (t) => {
  const server = await startServer(t, '--requirepass', 'right-hunter2')
  for (const password of ['right-hunter2', 'wrong-hunter2']) {
    const lines: LogLine[] = []
    const app = await buildApp(t, { url: `redis://:${password}@127.0.0.1:${server.port}` }, lines)
    const shown: unknown[] = [lines, await statusOf(app)]
    const attempts = async (): Promise<void> => {
      for (const result of [
        await app.cache.get('user:1'), await app.cache.set('user:1', 1), await app.cache.del('user:1'),
        await app.cache.tags.invalidate('tag'), await app.cache.lock('key', { ttl: 1 }), await app.cache.health()
      ]) shown.push(result)
    }
    await attempts()
    t.equal((shown[2] as { ok: boolean }).ok, password === 'right-hunter2')
    if (password === 'wrong-hunter2') await until('the log says why', () => lines.some((line) => /WRONGPASS/.test(JSON.stringify(line))))
    await server.kill()
    await attempts()
    shown.push(await statusOf(app))
    await app.close()
    t.ok(lines.length > 1)
    t.notMatch(inspect(shown, { depth: 20, showHidden: true }), 'hunter2')
    await server.start()
  }
})

t.test('cacheRedis: the process ends by itself when the app closes, with Redis, without, and after a lock', async (t) => {
  const server = await startServer(t)
  const urls = [server.url, `redis://127.0.0.1:${await freePort()}`]
  const source = `
    import Fastify from 'fastify'
    import { cacheRedis } from '@x/cache-redis'
    process.on('unhandledRejection', (error) => { console.log('unhandled', error); process.exit(1) })
    for (const url of ${JSON.stringify(urls)}) {
      const app = Fastify()
      await app.register(cacheRedis, { url, connections: 2, onInvalidated () {} })
      await app.ready()
      console.log(await app.cache.getOrSet('user:1', async () => 'value', { lock: true, tags: ['tag'] }))
      await app.cache.lock('key', { ttl: 60 })
      await app.cache.lock('key', { ttl: 60, waitMs: 50 })
      await app.cache.tags.invalidate('tag')
      await app.close()
    }`
  t.equal(await runScript(source), 'value\nvalue\n')
})
