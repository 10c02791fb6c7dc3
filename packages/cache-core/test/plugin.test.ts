import defaultExport, { cacheCore, coreOf, MemoryCache, NullCache } from '@x/cache-core'
import { ensureCore } from '@x/cache-core/suite'
import fp from 'fastify-plugin'
import t from 'tap'
import { bareApp, buildApp } from '@x/test-kit/build-app'

t.test('cacheCore: decorates the instance and its requests, with one object for the life of the app', async (t) => {
  const app = await buildApp(t)
  const { cache } = app
  app.get('/', async (request) => typeof request.cache.getOrSet)
  t.equal((await app.inject('/')).body, 'function')
  cache.registry.register(new MemoryCache())
  t.equal(app.cache, cache)
  t.equal(defaultExport, cacheCore)
})

t.test('cacheCore: observes unless told otherwise', async (t) => {
  const app = await buildApp(t)
  t.ok(app.cache.registry.current instanceof NullCache)
})

t.test('cacheCore: is named after its package and made for Fastify 5', async (t) => {
  t.match((cacheCore as any)[Symbol.for('plugin-meta')], { name: '@x/cache-core', fastify: '5.x' })
  const app = await buildApp(t)
  t.ok(app.hasPlugin('@x/cache-core'))
})

t.test('cacheCore: refuses wrong options and leaves them as they are', async (t) => {
  const options = Object.freeze({ implementation: 'memory', memory: Object.freeze({ maxEntries: 5 }) } as const)
  await buildApp(t, options)
  for (const wrong of [{ implementation: 'valkey' }, { readTimeoutMs: 0 }, { unknown: 1 }, { rollout: { percent: 101 } }] as object[]) {
    await t.rejects(buildApp(t, wrong), { code: 'CACHE_ERR_OPTION_INVALID' }, JSON.stringify(wrong))
  }
})

t.test('cacheCore: two explicit registrations conflict', async (t) => {
  const app = await buildApp(t)
  await t.rejects(async () => app.register(cacheCore, {}), { code: 'CACHE_ERR_ALREADY_REGISTERED' })
  const nested = await buildApp(t)
  nested.register(async (child) => { await child.register(cacheCore, { implementation: 'memory' }) })
  await t.rejects(async () => nested.ready(), { code: 'CACHE_ERR_ALREADY_REGISTERED' })
})

t.test('cacheCore: adopts a core that another package registered, and its options hold from then on', async (t) => {
  const app = bareApp(t)
  await app.register(fp(async (fastify) => { await ensureCore(fastify) }, { name: '@x/cache-metrics' }))
  const { cache } = app
  const core = coreOf(app)
  t.ok(app.cache.registry.active.passThrough)
  await app.register(cacheCore, { implementation: 'memory', defaultTtl: 7, rollout: { percent: 100, allow: ['user'] } })
  t.equal(app.cache, cache, 'which handlers may have kept')
  t.equal(coreOf(app), core)
  t.equal(app.cache.registry.active.implName, 'MemoryCache')
  await cache.set('user:1', 1)
  const { value: { ttlLeft } } = await cache.getEntry('user:1') as any
  t.ok(ttlLeft > 6 && ttlLeft <= 7)
  await t.rejects(async () => app.register(cacheCore), { code: 'CACHE_ERR_ALREADY_REGISTERED' })
})

t.test('ensureCore: finds the core that is there, in nested contexts too', async (t) => {
  const app = await buildApp(t, { implementation: 'memory' })
  t.equal(await ensureCore(app), coreOf(app))
  await app.register(async (child) => {
    t.equal(await ensureCore(child), coreOf(app))
    t.equal(child.cache, app.cache)
  })
  t.equal(app.cache.registry.active.implName, 'MemoryCache')
  t.equal(coreOf(bareApp(t)), undefined)
})

t.test('cacheCore: a registry cannot be changed under a core that is there', async (t) => {
  const app = bareApp(t)
  const { registry } = await ensureCore(app)
  const other = bareApp(t)
  await other.register(cacheCore, { registry })
  t.equal(other.cache.registry, registry)
  await t.rejects(async () => app.register(cacheCore, { registry: (coreOf(await buildApp(t))!).registry }), { code: 'CACHE_ERR_ALREADY_REGISTERED' })
})

t.test('cacheCore: contexts beside each other each have their own, under their own prefix', async (t) => {
  const app = bareApp(t)
  for (const [prefix, implementation] of [['/a', 'memory'], ['/b', 'null']] as const) {
    app.register(async (child) => {
      await child.register(cacheCore, { implementation })
      child.get('/name', async (request) => request.cache.registry.active.implName)
    }, { prefix })
  }
  await app.ready()
  t.notOk(app.hasDecorator('cache'))
  t.equal((await app.inject('/a/name')).body, 'MemoryCache')
  t.equal((await app.inject('/b/name')).body, 'NullCache')
  t.match((await app.inject('/a/internal/cache')).json(), { implName: 'MemoryCache' })
  t.match((await app.inject('/b/internal/cache')).json(), { implName: 'NullCache' })
  t.equal((await app.inject('/internal/cache')).statusCode, 404)
})

/** The callback and the decorations are the same as those of @fastify/caching 9.0.4. */
const fastifyCaching = fp((instance, _options, next) => {
  instance.decorate('cache' as never, { get () {}, set () {} } as never)
  instance.decorate('etagMaxLife' as never, 1 as never)
  Object.assign(instance, { [Symbol.for('fastify-caching.registered')]: true })
  next()
}, { name: '@fastify/caching', fastify: '5.x' })

t.test('cacheCore: says so when @fastify/caching has taken fastify.cache', async (t) => {
  const app = bareApp(t)
  await app.register(fastifyCaching)
  await t.rejects(async () => app.register(cacheCore), { code: 'CACHE_ERR_CACHING_CLASH' })
  await t.rejects(ensureCore(app), { code: 'CACHE_ERR_CACHING_CLASH' })
  const nested = bareApp(t)
  await nested.register(fastifyCaching)
  nested.register(async (child) => { await child.register(cacheCore) })
  await t.rejects(async () => nested.ready(), { code: 'CACHE_ERR_CACHING_CLASH' }, 'in a nested context, too')
})

t.test('cacheCore: says so when @fastify/caching comes after it, in place of FST_ERR_DEC_ALREADY_PRESENT', async (t) => {
  const app = bareApp(t)
  await app.register(cacheCore)
  await t.rejects(async () => app.register(fastifyCaching), { code: 'CACHE_ERR_CACHING_CLASH' })
  const later = bareApp(t)
  later.register(cacheCore)
  later.register(fastifyCaching)
  await t.rejects(async () => later.ready(), { code: 'CACHE_ERR_CACHING_CLASH' }, 'at the start, where no registration is awaited')
  const other = bareApp(t)
  await other.register(cacheCore)
  t.throws(() => other.decorate('cache' as never, {} as never), { code: 'FST_ERR_DEC_ALREADY_PRESENT' }, 'others keep their error')
  t.equal(other.decorate('other' as never, {} as never), other)
})

t.test('cacheCore: lives beside @fastify/caching in a context of its own, as its error says', async (t) => {
  const app = bareApp(t)
  app.register(async (child) => { await child.register(fastifyCaching) })
  app.register(async (child) => {
    await child.register(cacheCore)
    child.get('/', async (request) => request.cache.registry.active.implName)
  })
  await app.ready()
  t.equal((await app.inject('/')).body, 'NullCache')
})

t.test('cacheCore: says so when something else has taken a decorator', async (t) => {
  const app = bareApp(t)
  app.decorate('cache' as never, {} as never)
  await t.rejects(async () => app.register(cacheCore), { code: 'CACHE_ERR_DECORATOR_TAKEN', message: /fastify\.cache/ })
  const other = bareApp(t)
  other.decorateRequest('cache' as never, null as never)
  await t.rejects(async () => other.register(cacheCore), { code: 'CACHE_ERR_DECORATOR_TAKEN', message: /request\.cache/ })
})
