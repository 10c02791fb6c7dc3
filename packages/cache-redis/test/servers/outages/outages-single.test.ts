import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { RedisCache, type RedisCacheOptions } from '../../../src/index.js'
import { begin, bounded, isSettled, read, startCache, startProxy, startServer, store, valueOf } from '../../fixtures/caches.js'
import { printReports, survive } from '../../fixtures/outage.js'
import { until } from '@x/test-kit/redis-server'
import { sharedNow } from '../../fixtures/world.js'

t.setTimeout(300_000)
t.teardown(() => printReports(t))

const HEARTBEAT_TIMEOUT_MS = 1000
const options: RedisCacheOptions = { breaker: { probeMs: 200 } }

async function startTwo (t: Test, url: string, more: RedisCacheOptions = {}): Promise<RedisCache[]> {
  return Promise.all([1, 2].map(() => startCache(t, { url, ...options, ...more })))
}

t.test('kill -9 and restart', async (t) => {
  const server = await startServer(t)
  const caches = await startTwo(t, server.url)
  await survive(t, 'single: kill -9 and restart', caches, HEARTBEAT_TIMEOUT_MS, async () => {
    await server.kill()
    await until('the outage shows', () => caches.every((cache) => cache.status().degraded))
    t.match(await caches[0]!.tags.invalidate('a'), { ok: false, error: { queued: true } })
    t.match(await caches[0]!.del('own0:0'), { ok: false, error: { queued: true } })
    t.match(await caches[0]!.get('a:0'), { ok: false, error: { code: 'CACHE_ERR_UNAVAILABLE' } })
    await server.start()
    return { mendedAt: sharedNow() }
  })
})

t.test('SIGSTOP and SIGCONT', async (t) => {
  const server = await startServer(t)
  const caches = await startTwo(t, server.url)
  await survive(t, 'single: SIGSTOP and SIGCONT', caches, HEARTBEAT_TIMEOUT_MS, async () => {
    server.signal('SIGSTOP')
    await until('the outage shows', () => caches.every((cache) => cache.status().degraded))
    t.match(await bounded('invalidate', caches[0]!.tags.invalidate('a'), 1000), { ok: false, error: { queued: true } })
    await wait(1000)
    server.signal('SIGCONT')
    return { mendedAt: sharedNow() }
  })
})

t.test('a network that cuts and holds', async (t) => {
  const server = await startServer(t)
  const proxy = await startProxy(t, server.port)
  const caches = await startTwo(t, proxy.url)
  await survive(t, 'single: silent cut by the network', caches, HEARTBEAT_TIMEOUT_MS, async () => {
    for (const name of ['cache', 'cache-tracking', 'cache-subscriber'] as const) proxy.hold(name, 'up', 'down')
    await until('the outage shows', () => caches.every((cache) => cache.status().degraded))
    proxy.refuses = true
    proxy.cut()
    await wait(300)
    proxy.refuses = false
    for (const name of ['cache', 'cache-tracking', 'cache-subscriber'] as const) proxy.release(name, 'up', 'down')
    return { mendedAt: sharedNow() }
  })
})

t.test('a server that became a READONLY replica, and a master again', async (t) => {
  const server = await startServer(t)
  const other = await startServer(t)
  const caches = await startTwo(t, server.url)
  await survive(t, 'single: READONLY replica', caches, HEARTBEAT_TIMEOUT_MS, async () => {
    await server.cli('REPLICAOF', '127.0.0.1', String(other.port))
    await until('the outage shows', () => caches.every((cache) => cache.status().degraded))
    t.match(await caches[0]!.tags.invalidate('a'), { ok: false, error: { queued: true } })
    await server.cli('REPLICAOF', 'NO', 'ONE')
    return { mendedAt: sharedNow() }
  })
})

t.test('maxmemory with noeviction: stores fail with a coded error, removals are carried out', async (t) => {
  const server = await startServer(t)
  const cache = await startCache(t, { url: server.url, ...options })
  await store(cache, 'key', 1, 'tag')
  await store(cache, 'soft', 1, 'soft')
  await store(cache, 'plain', 1)
  await server.cli('CONFIG', 'SET', 'maxmemory', '1')
  t.match(await cache.set('more', 1), { ok: false, error: { code: 'CACHE_ERR_OUT_OF_MEMORY' } })
  t.match(await cache.tags.capture(['new']), { ok: false, error: { code: 'CACHE_ERR_OUT_OF_MEMORY' } })
  t.equal(await read(cache, 'key'), 1, 'reads go on')
  t.match(await cache.tags.invalidate('tag'), { ok: true })
  t.equal(await read(cache, 'key'), null)
  t.match(await cache.tags.invalidate('soft', { soft: true }), { ok: true })
  t.equal(await read(cache, 'soft'), null)
  t.match(await cache.del('plain'), { ok: true })
  t.equal(await read(cache, 'plain'), null)
  t.match(cache.status(), { degraded: false, queuedInvalidations: 0 })
  t.match(await cache.clear(), { ok: true })
  await server.cli('CONFIG', 'SET', 'maxmemory', '0')
  await store(cache, 'key', 2, 'tag')
  t.equal(await read(cache, 'key'), 2)
})

t.test('a token key of another type: the next read that needs it replaces it, and so does a soft invalidation', async (t) => {
  const server = await startServer(t)
  const cache = await startCache(t, { url: server.url, ...options })
  await server.cli('RPUSH', 'cache:t:tag', 'x')
  t.match(await cache.tags.invalidate('tag', { soft: true }), { ok: true })
  await server.cli('DEL', 'cache:t:tag')
  await server.cli('RPUSH', 'cache:t:tag', 'x')
  t.match(await cache.tags.capture(['tag']), { ok: true })
  await store(cache, 'key', 1, 'tag')
  t.equal(await read(cache, 'key'), 1)
})

t.test('Redis down at start: removals wait, and the cache comes into service when it is there', async (t) => {
  const server = await startServer(t)
  await server.kill()
  const cache = new RedisCache({ url: server.url, ...options })
  t.teardown(() => cache.close())
  t.equal(await cache.ready(300), false)
  t.match(cache.status(), { degraded: true })
  t.match(await bounded('get', cache.get('key'), 100), { ok: false, error: { code: 'CACHE_ERR_UNAVAILABLE' } })
  t.match(await bounded('set', cache.set('key', 1), 100), { ok: false, error: { code: 'CACHE_ERR_UNAVAILABLE' } })
  t.match(await bounded('lock', cache.lock('key', { ttl: 1, waitMs: 1000 }), 100), { ok: false })
  t.match(await cache.tags.invalidate('tag'), { ok: false, error: { queued: true } })
  t.match(await cache.clear(), { ok: false, error: { queued: true } })
  await server.start()
  await until('it is in service', () => isSettled(cache))
  t.equal(cache.status().queuedInvalidations, 0)
  await store(cache, 'key', 1, 'tag')
  t.equal(await read(cache, 'key'), 1)
})

t.test('a queue that overflows becomes one clear, which is carried out before reads resume', async (t) => {
  const server = await startServer(t)
  const proxy = await startProxy(t, server.port)
  const near = await startCache(t, { url: proxy.url, ...options, maxQueuedInvalidations: 5 })
  const far = await startCache(t, { url: server.url, ...options })
  await store(near, 'untouched', 1, 'none')
  await store(near, 'key', 1, 'tag:3')
  const snapshot = await begin(near, 'none')
  proxy.refuses = true
  proxy.cut()
  await until('the outage shows', async () => !(await near.get('key')).ok)
  for (let each = 0; each < 8; each++) t.match(await near.tags.invalidate(`tag:${each}`), { ok: false, error: { queued: true } })
  t.ok(near.status().queuedInvalidations <= 5)
  t.equal(await read(far, 'key'), 1, 'nobody else has heard')
  proxy.refuses = false
  await until('it is back', async () => (await near.get('key')).ok)
  for (const key of ['key', 'untouched']) t.equal(await read(near, key), null)
  await until('the message has arrived', async () => await read(far, 'untouched') === null)
  t.equal(await read(far, 'key'), null)
  valueOf(await near.set('late', 1, { ttl: 60, snapshot }))
  t.equal(await read(near, 'late'), null, 'what was loaded before the clear is not served')
})
