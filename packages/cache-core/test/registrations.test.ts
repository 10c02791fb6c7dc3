import { cacheCore, cacheOptionsFromEnv, MemoryCache, type Cache } from '@x/cache-core'
import { ensureCore } from '@x/cache-core/suite'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'

interface Line { level: number; msg: string; implName?: string }

function bareApp (t: Test): { app: FastifyInstance; warnings: Line[] } {
  const warnings: Line[] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: (line: string) => { warnings.push(JSON.parse(line)) } } } })
  t.teardown(() => app.close())
  return { app, warnings }
}

for (const env of [{ CACHE_IMPL: 'redis' }, { FEATURE_CACHE_REDIS: 'true' }]) {
  t.test(`cacheOptionsFromEnv: ${Object.keys(env)[0]} without cacheRedis stops the start, in place of observing`, async (t) => {
    const { app } = bareApp(t)
    await app.register(cacheCore, cacheOptionsFromEnv(env))
    await t.rejects(async () => app.ready(), { code: 'CACHE_ERR_IMPLEMENTATION_MISSING', message: /register\(cacheRedis/ })
  })
}

t.test('implementation "redis": is content with a cache that was registered by hand, and with the switch off', async (t) => {
  const { app } = bareApp(t)
  await app.register(cacheCore, { implementation: 'redis' })
  app.cache.registry.register(new MemoryCache())
  await app.ready()
  const off = bareApp(t).app
  await off.register(cacheCore, cacheOptionsFromEnv({ FEATURE_CACHE: 'false', CACHE_IMPL: 'redis' }))
  await off.ready()
})

t.test('implementation: a class in place of an instance is named as such, in place of a TypeError of its constructor', async (t) => {
  const { app } = bareApp(t)
  await t.rejects(async () => app.register(cacheCore, { implementation: MemoryCache as never }), { code: 'CACHE_ERR_OPTION_INVALID', message: /got a class, allowed is an instance/ })
  const made = bareApp(t).app
  await made.register(cacheCore, { implementation: function makeCache () { return new MemoryCache() } })
  t.equal(made.cache.registry.status().implName, 'MemoryCache')
})

t.test('cacheCore in two contexts side by side: CACHE_ERR_SIBLING_CONTEXTS in place of a duplicated route', async (t) => {
  const { app } = bareApp(t)
  const register = async (context: FastifyInstance): Promise<void> => { await context.register(cacheCore) }
  app.register(register).register(register)
  await t.rejects(async () => app.ready(), { code: 'CACHE_ERR_SIBLING_CONTEXTS' })
})

t.test('cacheCore in two contexts with prefixes of their own: two caches', async (t) => {
  const { app } = bareApp(t)
  const caches = new Set<unknown>()
  for (const prefix of ['/a', '/b']) app.register(async (context) => { await context.register(cacheCore); caches.add(context.cache) }, { prefix })
  await app.ready()
  t.equal(caches.size, 2)
})

t.test('ensureCore beside the core of another context: CACHE_ERR_SIBLING_CONTEXTS, not a cache that nobody asked for', async (t) => {
  const { app } = bareApp(t)
  app.register(async (context) => { await context.register(cacheCore) }, { prefix: '/a' })
  app.register(async (context) => { await ensureCore(context) }, { prefix: '/b' })
  await t.rejects(async () => app.ready(), { code: 'CACHE_ERR_SIBLING_CONTEXTS' })
})

t.test('ensureCore within the context of a core, and in another app: fine', async (t) => {
  for (const { app } of [bareApp(t), bareApp(t)]) {
    await app.register(cacheCore)
    app.register(async (context) => { t.equal((await ensureCore(context)).client, app.cache) })
    await app.ready()
  }
})

/** Makes a cache whose class has a name that a bundler made, or no name. */
function cacheOf (className: string, name?: string): Cache {
  const inner = new MemoryCache()
  const Named = class { get = inner.get.bind(inner); set = inner.set.bind(inner); del = inner.del.bind(inner) }
  Object.defineProperty(Named, 'name', { value: className })
  return Object.assign(new Named(), name === undefined ? {} : { name }) as Cache
}

for (const className of ['', 't', 'a1', '_F', '$t']) {
  t.test(`an implementation whose class is called "${className}" is in service as custom, with one warning`, async (t) => {
    const { app, warnings } = bareApp(t)
    await app.register(cacheCore, { implementation: cacheOf(className) })
    await app.ready()
    t.equal(app.cache.registry.status().implName, 'custom')
    t.equal(app.cache.registry.active.stats.label, 'custom')
    t.match(warnings, [{ implName: 'custom', msg: /"name"/ }])
    t.equal(warnings.length, 1)
  })
}

t.test('an implementation that says its name, or is registered under one, keeps it without a warning', async (t) => {
  const { app, warnings } = bareApp(t)
  await app.register(cacheCore, { implementation: cacheOf('t', 'files') })
  t.equal(app.cache.registry.status().implName, 'files')
  app.cache.registry.register(cacheOf(''), 'S3')
  t.equal(app.cache.registry.status().implName, 'S3')
  app.cache.registry.register(cacheOf('FileCache'))
  t.equal(app.cache.registry.status().implName, 'FileCache')
  t.same(warnings, [])
})

t.test('the built-in MemoryCache is called so in a bundle, too', async (t) => {
  const { name } = MemoryCache
  t.teardown(() => Object.defineProperty(MemoryCache, 'name', { value: name }))
  Object.defineProperty(MemoryCache, 'name', { value: 'e', configurable: true })
  const { app, warnings } = bareApp(t)
  await app.register(cacheCore, { implementation: 'memory' })
  t.equal(app.cache.registry.status().implName, 'MemoryCache')
  t.same(warnings, [])
})
