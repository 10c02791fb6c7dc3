import t, { type Test } from 'tap'
import { readNear } from '@x/cache-core/implementing'
import type { RedisCache, RedisCacheOptions } from '../../../src/index.js'
import { clientOf, copyOf, holdCopy, isSettled, read, startCache, startProxy, startServer, store, valueOf } from '../../fixtures/caches.js'
import type { Proxy } from '../../fixtures/proxy.js'
import { until, type RedisServer } from '@x/test-kit/redis-server'

t.setTimeout(300_000)

/** The time limits are long, so that a test can hold a reply as long as it needs. */
const patient: RedisCacheOptions = {
  commandTimeoutMs: 10_000, socketTimeoutMs: 20_000, connectTimeoutMs: 20_000, heartbeatTimeoutMs: 10_000
}

/** Starts a process with copies that is connected to Redis through a proxy, and another one that is connected directly. */
async function twoProcesses (t: Test, options: RedisCacheOptions = {}): Promise<{
  other: RedisCache; cache: RedisCache; proxy: Proxy; server: RedisServer
}> {
  const server = await startServer(t)
  const proxy = await startProxy(t, server.port)
  const other = await startCache(t, { url: server.url })
  const cache = await startCache(t, { url: proxy.url, heartbeatMs: 20, near: true, ...options })
  return { other, cache, proxy, server }
}

/** Waits until two heartbeats of the process were answered, so that all earlier messages have arrived. */
async function messagesArrived (proxy: Proxy): Promise<void> {
  const before = proxy.seen('cache-tracking').length
  await until('two heartbeats are answered', () => proxy.seen('cache-tracking').slice(before).split('pong').length > 3)
}

t.test('get: a copy is read without a command, its lifetimes included', async (t) => {
  const { other, cache, server } = await twoProcesses(t)
  await store(other, 'key', { a: 1 }, 'tag')
  await holdCopy(cache, 'key')
  await server.cli('CONFIG', 'RESETSTAT')
  for (let times = 0; times < 10; times++) {
    t.same(await read(cache, 'key'), { a: 1 })
    t.match(await cache.getEntry('key', { tags: ['tag'] }), { ok: true, value: { fresh: true, tags: ['tag'], value: { a: 1 } } })
    t.same(valueOf(await cache.getMany(['key'])), [{ a: 1 }])
    t.same(await clientOf(cache).getOrSet('key', () => t.fail('no load'), { tags: ['tag'], staleWhileRevalidate: 5 }), { a: 1 })
  }
  t.notMatch(await server.cli('INFO', 'commandstats'), /cmdstat_get:/)
  const entry = valueOf(await cache.getEntry('key'))!
  t.ok(entry.ttlLeft > 500 && entry.ttlLeft <= 600 && entry.staleLeft === entry.ttlLeft && entry.age >= 0 && entry.age < 100)
  t.match(cache.status().near, { entries: 1, ageBoundMs: 1000 })
})

const elsewhere: Record<string, (other: RedisCache, server: RedisServer) => Promise<unknown>> = {
  del: (other) => other.del('key'),
  set: (other) => other.set('key', 'new'),
  clear: (other) => other.clear(),
  'touch with ttl 0': (other) => other.touch('key', 0),
  'tags.invalidate': (other) => other.tags.invalidate('tag'),
  'a soft invalidation': (other) => other.tags.invalidate('tag', { soft: true }),
  FLUSHALL: (_other, server) => server.cli('FLUSHALL'),
  'the expiry of the key': (_other, server) => server.cli('EVAL', "for _, key in ipairs(redis.call('KEYS', 'cache:e:*')) do redis.call('PEXPIRE', key, 0) end", '0')
}

for (const [change, make] of Object.entries(elsewhere)) {
  t.test(`get: ${change} elsewhere holds once its message has arrived`, async (t) => {
    const { other, cache, proxy, server } = await twoProcesses(t)
    await store(other, 'key', 'old', 'tag')
    await holdCopy(cache, 'key')
    await make(other, server)
    await messagesArrived(proxy)
    t.equal(copyOf(cache, 'key'), undefined)
    await until('Redis gives what is there now', async () => await read(cache, 'key') === (change === 'set' ? 'new' : null))
    t.not(copyOf(cache, 'key'), 'old')
  })

  t.test(`get: ${change} elsewhere holds within heartbeatTimeoutMs of a silent cut`, async (t) => {
    const { other, cache, proxy, server } = await twoProcesses(t, { heartbeatTimeoutMs: 500, commandTimeoutMs: 5000 })
    await store(other, 'key', 'old', 'tag')
    await holdCopy(cache, 'key')
    proxy.hold('cache-tracking', 'up', 'down')
    await make(other, server)
    const changedAt = performance.now()
    let servedAt = changedAt
    // A late message about the store may remove the copy before the silence is detected. Redis is then read, and remembered tokens of the
    // same age are compared.
    await until('the old value is not served', async () => {
      const now = performance.now()
      if (await read(cache, 'key') !== 'old') return true
      servedAt = now
      return false
    })
    t.ok(servedAt - changedAt <= 500, `served for ${Math.round(servedAt - changedAt)} ms`)
    t.equal(copyOf(cache, 'key'), undefined)
  })
}

t.test('get: a slow reply does not bring back what a message removed', async (t) => {
  const { other, cache, proxy } = await twoProcesses(t, patient)
  valueOf(await other.set('key', 'old', 600))
  await holdCopy(cache, 'key')
  await messagesArrived(proxy)
  proxy.hold('cache', 'down')
  const slow = cache.getEntry('key', { near: false })
  await until('the old value is on its way', () => proxy.held('cache', 'down').includes('old'))
  valueOf(await other.del('key'))
  await messagesArrived(proxy)
  proxy.release('cache', 'down')
  t.match(await slow, { ok: true, value: { value: 'old' } }, 'the call began before the removal')
  t.equal(copyOf(cache, 'key'), undefined)
  t.equal(await read(cache, 'key'), null)
})

for (const [write, make, expected] of [
  ['set', (cache) => cache.set('key', 'new', 600), 'new'],
  ['set with a tag', (cache) => cache.set('key', 'new', { ttl: 600, tags: ['new tag'] }), 'new'],
  ['setMany', (cache) => cache.setMany([{ key: 'key', value: 'new', options: { ttl: 600 } }]), 'new'],
  ['del', (cache) => cache.del('key'), null],
  ['delMany', (cache) => cache.delMany(['key']), null],
  ['clear', (cache) => cache.clear(), null],
  ['tags.invalidate', (cache) => cache.tags.invalidate('tag'), null]
] as Array<[string, (cache: RedisCache) => Promise<{ ok: boolean }>, unknown]>) {
  t.test(`${write}: holds in its own process at once, even while the messages are held`, async (t) => {
    const { other, cache, proxy } = await twoProcesses(t, patient)
    await store(other, 'key', 'old', 'tag')
    await holdCopy(cache, 'key')
    proxy.hold('cache-tracking', 'down')
    const pending = make(cache)
    t.equal(copyOf(cache, 'key'), undefined, 'from the call on')
    // Reads that are sent while the write is pending may return the old value, but it must not be served later.
    const reads = Array.from({ length: 20 }, () => cache.get('key'))
    t.match(await pending, { ok: true })
    for (let times = 0; times < 5; times++) t.equal(await read(cache, 'key'), expected)
    await Promise.all(reads)
    for (let times = 0; times < 5; times++) t.equal(await read(cache, 'key'), expected)
  })
}

t.test('set: after a store of this process, a read from Redis and its message are all that it takes until a copy is held again', async (t) => {
  const { cache, proxy, server } = await twoProcesses(t)
  await messagesArrived(proxy)
  valueOf(await cache.set('key', 0, 600))
  await holdCopy(cache, 'key')
  for (let round = 1; round <= 10; round++) {
    valueOf(await cache.set('key', round, 600))
    await messagesArrived(proxy)
    await server.cli('CONFIG', 'RESETSTAT')
    for (let times = 0; times < 20; times++) t.equal(await read(cache, 'key'), round)
    // Two reads are allowed: of the entry, and of the generation, whose remembered token the message about the first store removes.
    const [, gets] = /cmdstat_get:calls=(\d+)/.exec(await server.cli('INFO', 'commandstats')) ?? []
    t.ok(Number(gets) <= 2, `${gets} reads`)
  }
})

t.test('get: copies are dropped when the connection for data breaks, and when the breaker opens', async (t) => {
  const { other, cache, proxy } = await twoProcesses(t, { breaker: { probeMs: 50, minimumCalls: 2 } })
  valueOf(await other.set('key', 1, 600))
  for (const name of ['cache', 'cache-tracking'] as const) {
    await holdCopy(cache, 'key')
    proxy.cut(name)
    await until('the copies are dropped', () => cache.status().near!.entries === 0)
    await until('the cache is back', () => isSettled(cache))
  }
  await holdCopy(cache, 'key')
  proxy.hold('cache', 'up')
  await until('the breaker opens', async () => {
    await cache.get('other')
    return cache.status().breaker !== 'closed'
  })
  t.equal(copyOf(cache, 'key'), undefined)
  t.equal(cache.status().near!.entries, 0)
  proxy.release('cache', 'up')
  await until('the cache is back', () => isSettled(cache))
  await holdCopy(cache, 'key')
})

t.test('del: one that waits for Redis takes effect in its process, and no copy is served before it was replayed', async (t) => {
  const { other, cache, proxy } = await twoProcesses(t, { breaker: { probeMs: 50 }, commandTimeoutMs: 300 })
  valueOf(await other.set('key', 'old', 600))
  await holdCopy(cache, 'key')
  proxy.refuses = true
  proxy.cut()
  await until('Redis is away', async () => !(await cache.get('other')).ok)
  t.match(await cache.del('key'), { ok: false, error: { queued: true } })
  t.equal(copyOf(cache, 'key'), undefined)
  proxy.refuses = false
  await until('the cache is back', () => isSettled(cache))
  t.equal(copyOf(cache, 'key'), undefined)
  t.equal(await read(cache, 'key'), null)
})

t.test('getOrSet: a load that another process superseded leaves no copy', async (t) => {
  const { other, cache } = await twoProcesses(t)
  const client = clientOf(cache)
  t.equal(await client.getOrSet('key', async () => {
    valueOf(await other.del('key'))
    return 'old'
  }, { ttl: 600 }), 'old')
  await client.registry.flights.allStored()
  for (let times = 0; times < 3; times++) t.equal(await read(cache, 'key'), null)
})

t.test('restart: a server with another identity, and the old data, serves no copy', async (t) => {
  const server = await startServer(t)
  const cache = await startCache(t, { url: server.url, near: true })
  valueOf(await cache.set('key', 'old', 600))
  await holdCopy(cache, 'key')
  await server.cli('SAVE')
  await server.kill()
  await until('the copies are dropped', () => cache.status().near!.entries === 0)
  await server.start()
  await until('the cache is back', async () => isSettled(cache) && (await cache.get('key')).ok)
  t.equal(await read(cache, 'key'), null)
})

t.test('get: without near no entry is tracked, and there are no copies', async (t) => {
  const server = await startServer(t)
  const cache = await startCache(t, { url: server.url })
  t.equal(readNear in cache, false)
  t.equal(cache.status().near, undefined)
  t.notMatch(await server.cli('CLIENT', 'TRACKINGINFO'), 'cache:e:')
  t.equal((await server.cli('INFO', 'stats')).match(/tracking_total_prefixes:(\d+)/)?.[1], '2')
})
