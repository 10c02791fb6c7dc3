import { cacheCore, MemoryCache, NullCache } from '@x/cache-core'
import defaultExport, { cacheRedis, redisOptionsFromEnv, RedisCache, type CacheRedisOptions } from '@x/cache-redis'
import Fastify from 'fastify'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { bareApp } from '@x/test-kit/build-app'
import { buildApp, QUICK, statusOf } from '../../fixtures/apps.js'
import { startServer } from '../../fixtures/caches.js'
import { RedisServer } from '@x/test-kit/redis-server'

const server = await RedisServer.start()
t.teardown(() => server.close())
let made = 0

/** Returns options for a cache that shares no entries with others. */
function options (more: CacheRedisOptions = {}): CacheRedisOptions {
  return { ...QUICK, url: server.url, keyPrefix: `app${++made}:`, ...more }
}

t.test('cacheRedis: alone decorates the app with fastify.cache on Redis', async (t) => {
  const app = await buildApp(t, options())
  await app.cache.set('user:1', { name: 'Ann' })
  t.same(await app.cache.get('user:1'), { ok: true, value: { name: 'Ann' } })
  t.equal(await app.cache.getOrSet('user:2', async () => 'loaded'), 'loaded')
  t.ok(app.cache.registry.current instanceof RedisCache)
  t.match(await statusOf(app), { enabled: true, implName: 'RedisCache', degraded: false, mode: 'single', breaker: 'closed', queuedInvalidations: 0 })
  t.equal(defaultExport, cacheRedis)
  t.match((cacheRedis as any)[Symbol.for('plugin-meta')], { name: '@x/cache-redis', fastify: '5.x' })
})

t.test('cacheRedis: fills an explicit core, whose options hold', async (t) => {
  const app = bareApp(t)
  await app.register(cacheCore, { defaultTtl: 7 })
  const { cache } = app
  await app.register(cacheRedis, options())
  await app.ready()
  t.equal(app.cache, cache)
  await cache.set('user:1', 1)
  const { ttlLeft } = (await cache.getEntry('user:1') as any).value
  t.ok(ttlLeft > 5 && ttlLeft <= 7, String(ttlLeft))
})

t.test('cacheRedis: is adopted by an explicit core that comes later', async (t) => {
  const app = bareApp(t)
  await app.register(cacheRedis, options({ rollout: { percent: 100 } }))
  const { cache } = app
  await app.register(cacheCore, { defaultTtl: 7 })
  await app.ready()
  t.equal(app.cache, cache)
  t.ok(cache.registry.current instanceof RedisCache)
  await cache.set('user:1', 1)
  const { ttlLeft } = (await cache.getEntry('user:1') as any).value
  t.ok(ttlLeft > 5 && ttlLeft <= 7, String(ttlLeft))
})

t.test('cacheRedis: FEATURE_CACHE=false wins, in either order and however it is said', async (t) => {
  const off = [
    async (app: ReturnType<typeof bareApp>) => { await app.register(cacheRedis, { ...options(), ...redisOptionsFromEnv({ CACHE_IMPL: 'redis', FEATURE_CACHE: 'false' }) }) },
    async (app: ReturnType<typeof bareApp>) => {
      await app.register(cacheCore, { enabled: false })
      await app.register(cacheRedis, options())
    },
    async (app: ReturnType<typeof bareApp>) => {
      await app.register(cacheRedis, options())
      await app.register(cacheCore, { enabled: false })
    }
  ]
  for (const register of off) {
    const app = bareApp(t)
    await register(app)
    await app.ready()
    t.ok(app.cache.registry.current instanceof NullCache)
    await app.cache.set('user:1', 1)
    t.same(await app.cache.get('user:1'), { ok: true, value: null })
    await app.close()
  }
  t.equal(await server.cli('CLIENT', 'LIST', 'TYPE', 'pubsub'), '', 'every connection is closed')
})

t.test('cacheRedis: with enabled false leaves the implementation of the core alone', async (t) => {
  const app = bareApp(t)
  await app.register(cacheCore, { implementation: 'memory' })
  await app.register(cacheRedis, { enabled: false })
  await app.ready()
  t.ok(app.cache.registry.current instanceof MemoryCache)
})

t.test('cacheRedis: wrong options stop the start with a coded error', async (t) => {
  for (const wrong of [{ url: 'localhost' }, { enabled: 'yes' }, { unknown: 1 }, { rollout: { percent: 101 } }, { mode: 'cluster', connections: 2 }] as object[]) {
    await t.rejects(buildApp(t, wrong), { code: 'CACHE_ERR_OPTION_INVALID' }, JSON.stringify(wrong))
  }
})

t.test('cacheRedis: what Fastify adds to the options of a plugin is no mistake', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheRedis, { ...options(), prefix: '/x', logLevel: 'warn' } as object)
  await app.ready()
  t.ok(app.cache.registry.current instanceof RedisCache)
})

t.test('cacheRedis: patterns and requests outside the rollout stay on NullCache', async (t) => {
  const app = await buildApp(t, options({ rollout: { percent: 100, allow: ['user'] } }))
  for (const key of ['user:1', 'post:1']) await app.cache.set(key, 'stored')
  t.same(await app.cache.get('user:1'), { ok: true, value: 'stored' })
  t.same(await app.cache.get('post:1'), { ok: true, value: null })
})

t.test('cacheRedis: an entry that getMany cannot read is counted as an error, and a miss', async (t) => {
  const own = options()
  const app = await buildApp(t, own)
  for (const key of ['user:1', 'user:2']) await app.cache.set(key, key)
  const names = (await server.cli('KEYS', `${own.keyPrefix}e:*user:1`)).split('\n')
  t.equal(names.length, 1)
  await server.cli('SET', names[0]!, 'no JSON')
  t.same(await app.cache.getMany(['user:1', 'user:2']), { ok: true, value: [null, 'user:2'] })
  t.equal((await statusOf(app)).recentStats.errors, 1)
})

t.test('cacheRedis: closes what it opened, and only that', async (t) => {
  const own = await startServer(t)
  const clients = async (): Promise<number> => (await own.cli('CLIENT', 'LIST')).split('\n').filter((line) => / name=cache/.test(line)).length
  const app = await buildApp(t, { url: own.url, connections: 3 })
  t.equal(await clients(), 4, 'three for data, one for tracking')
  await app.cache.lock('key', { ttl: 5 })
  await app.close()
  t.equal(await clients(), 0)
})

t.test('cacheRedis: hot swaps under load lose no call and give no wrong value', async (t) => {
  const app = await buildApp(t, options())
  const { cache } = app
  const redis = cache.registry.current
  let isOver = false
  let calls = 0
  const load = async (worker: number): Promise<void> => {
    for (let at = 0; !isOver; at++) {
      const key = `user:${(worker + at) % 7}`
      const value = await cache.getOrSet(key, async () => key, { tags: [`tag ${at % 3}`] })
      if (value !== key) t.fail(`${key} gave ${value}`)
      const result = at % 5 === 0 ? await cache.tags.invalidate(`tag ${at % 3}`) : await cache.get(key)
      if (!result.ok) t.fail(`${result.error.code}: ${result.error.message}`)
      calls++
      // The loop waits for a turn of the event loop, since calls on NullCache alone would block it.
      await nextTurn()
    }
  }
  const workers = Array.from({ length: 8 }, (_, worker) => load(worker))
  for (let swap = 0; swap < 20; swap++) {
    const before = calls
    const { drained } = swap % 2 === 0 ? cache.registry.register(new NullCache(), 'NullCache') : cache.registry.register(redis, 'RedisCache')
    await drained
    while (calls < before + 50) await nextTurn()
  }
  isOver = true
  await Promise.all(workers)
  t.ok(cache.registry.current === redis)
  t.ok(calls >= 1000)
})
