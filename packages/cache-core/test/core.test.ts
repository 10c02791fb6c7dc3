import { cacheCore, CacheRegistry, coreOf, MemoryCache, NullCache, type Cache, type CacheCoreOptions } from '@x/cache-core'
import { ok } from '@x/cache-core/implementing'
import Fastify from 'fastify'
import t from 'tap'
import { bareApp, buildApp, type LogLine } from '@x/test-kit/build-app'
import { settle, stateOf } from '@x/test-kit/deferred'
import { FakeClock } from '@x/test-kit/fake-clock'
import { ForeignCache, ThreeMethodCache } from '@x/test-kit/foreign-caches'
import { runScript } from '@x/test-kit/run-script'

function closeable (closed: string[], name = 'closed'): ForeignCache {
  return Object.assign(new ForeignCache(), { close: async () => { closed.push(name) } })
}

t.test('start: says in one line what is in service', async (t) => {
  const cases: [CacheCoreOptions, string][] = [
    [{ enabled: false }, 'Cache: disabled (impl: NullCache)'],
    [{ enabled: false, implementation: 'memory' }, 'Cache: disabled (impl: NullCache)'],
    [{}, 'Cache: observing (impl: NullCache)'],
    [{ enabled: true, implementation: 'null' }, 'Cache: observing (impl: NullCache)'],
    [{ implementation: 'memory' }, 'Cache: enabled (impl: MemoryCache)'],
    [{ implementation: new ThreeMethodCache() }, 'Cache: enabled (impl: ThreeMethodCache)']
  ]
  for (const [options, line] of cases) {
    const lines: LogLine[] = []
    const app = await buildApp(t, options, lines)
    await app.ready()
    t.same(lines.map(({ level, msg }) => [level, msg]).filter(([, msg]) => !/internal/.test(String(msg))), [[30, line]])
  }
})

t.test('implementation: a name, an instance, a function, or one that promises', async (t) => {
  const instance = new ThreeMethodCache()
  const made = new ThreeMethodCache()
  for (const [implementation, expected] of [
    ['null', NullCache], ['memory', MemoryCache], [instance, instance], [() => made, made], [async () => { await settle(); return made }, made]
  ] as [CacheCoreOptions['implementation'], unknown][]) {
    const app = await buildApp(t, { implementation: implementation! })
    const { current } = app.cache.registry
    t.ok(typeof expected === 'function' ? current instanceof expected : current === expected)
  }
})

t.test('implementation: the function is given the instance', async (t) => {
  const app = bareApp(t)
  app.decorate('own' as never, 'decorator' as never)
  let seen: unknown
  await app.register(cacheCore, { implementation: (fastify) => { seen = (fastify as any).own; return new ThreeMethodCache() } })
  t.equal(seen, 'decorator')
})

t.test('implementation: one that cannot be made, or is none, stops the start, and the app can be closed', async (t) => {
  for (const implementation of [() => { throw new Error('no connection') }, async () => { throw new Error('no connection') }]) {
    await t.rejects(buildApp(t, { implementation }), { message: 'no connection' })
  }
  for (const made of [undefined, null, {}, 'memory']) {
    await t.rejects(buildApp(t, { implementation: () => made as never }), { code: 'CACHE_ERR_NOT_A_CACHE' })
  }
  await t.rejects(buildApp(t, { implementation: {} as never }), { code: 'CACHE_ERR_NOT_A_CACHE' })
})

t.test('memory: its bounds and the clock reach the built-in cache', async (t) => {
  const clock = new FakeClock()
  const app = await buildApp(t, { implementation: 'memory', memory: { maxEntries: 2, isolation: 'freeze' }, clock })
  for (const key of ['a:1', 'a:2', 'a:3']) await app.cache.set(key, { key }, 10)
  t.same(await app.cache.getMany(['a:1', 'a:2', 'a:3']), ok([null, { key: 'a:2' }, { key: 'a:3' }]))
  t.ok(Object.isFrozen((await app.cache.get('a:2') as any).value))
  clock.advance(10)
  t.same(await app.cache.get('a:2'), ok(null))
})

t.test('enabled false: beats the implementation, and makes none', async (t) => {
  const app = await buildApp(t, { enabled: false, implementation: () => t.fail('made') as never })
  t.ok(app.cache.registry.active.passThrough)
  const registry = new CacheRegistry()
  registry.register(new MemoryCache())
  t.ok((await buildApp(t, { enabled: false, registry })).cache.registry.active.passThrough, 'of a shared registry, too')
})

t.test('warm: is done when the app is ready', async (t) => {
  const lines: LogLine[] = []
  const items = [{ key: 'user:1', loader: async () => { await settle(); return 'warm' } }]
  const app = await buildApp(t, { implementation: 'memory', warm: { items, concurrency: 2 } }, lines)
  await app.ready()
  t.same(await app.cache.get('user:1'), ok('warm'))
  t.same(lines.map(({ msg }) => msg).filter((msg) => !msg.includes('/internal')), ['Cache: enabled (impl: MemoryCache)', 'Cache: warmed'])
})

t.test('warm: a loader that fails does not stop the start', async (t) => {
  const app = await buildApp(t, { implementation: 'memory', warm: { items: [{ key: 'user:1', loader: () => { throw new Error('down') } }] } })
  await t.resolves(async () => app.ready())
})

t.test('close: closes what the core made, after it drained', async (t) => {
  const closed: string[] = []
  const impl = closeable(closed)
  const app = await buildApp(t, { implementation: () => impl })
  await app.ready()
  impl.held.add('get')
  const read = app.cache.get('user:1')
  const closing = app.close()
  t.equal(await stateOf(Promise.resolve(closing)), 'pending')
  t.same(closed, [])
  t.same(await app.cache.get('user:2'), ok(null), 'calls that come late are misses')
  await impl.release('get')
  t.same(await read, ok(null))
  await closing
  t.same(closed, ['closed'])
})

t.test('close: leaves open what the app made', async (t) => {
  const closed: string[] = []
  const app = await buildApp(t, { implementation: closeable(closed) })
  app.cache.registry.register(closeable(closed))
  await app.close()
  t.same(closed, [])
})

t.test('close: closes what the core made also if it was swapped out since', async (t) => {
  const closed: string[] = []
  const app = await buildApp(t, { implementation: () => closeable(closed) })
  const next = closeable(closed, 'next')
  app.cache.registry.register(next)
  await app.close()
  t.same(closed, ['closed'])
  t.equal(coreOf(app)!.registry.current, next)
})

t.test('close: a close that rejects fails the close of the app, not that of the others', async (t) => {
  const app = Fastify()
  const impl: Cache = Object.assign(new ThreeMethodCache(), { close: async () => { throw new Error('cannot close') } })
  let isClosed = false
  app.addHook('onClose', async () => { isClosed = true })
  await app.register(cacheCore, { implementation: () => impl })
  await t.rejects(async () => app.close(), { message: 'cannot close' })
  t.ok(isClosed)
})

t.test('registry: an app that closes leaves a shared one to the other', async (t) => {
  const registry = new CacheRegistry()
  const closed: string[] = []
  const one = await buildApp(t, { registry, implementation: () => closeable(closed) })
  const two = await buildApp(t, { registry })
  await one.ready()
  await two.ready()
  await one.cache.set('user:1', 1)
  t.same(await two.cache.get('user:1'), ok(1))
  await one.close()
  t.same(closed, ['closed'])
  t.same(await two.cache.get('user:1'), ok(null), 'observing, since nothing is left')
  t.ok(registry.active.passThrough)
})

t.test('registry: an app that closes without having started leaves the timer of the others', async (t) => {
  const registry = new CacheRegistry()
  const one = await buildApp(t, { registry })
  await one.ready()
  const two = await buildApp(t, { registry })
  await two.close()
  t.ok(registry.stop(), 'one was its only user')
})

t.test('a listener that throws is logged and harms nobody', async (t) => {
  const lines: LogLine[] = []
  const app = await buildApp(t, {}, lines)
  app.cache.registry.events.on('loaded', () => { throw new Error('bug of a listener') })
  t.equal(await app.cache.getOrSet('user:1', () => 1), 1)
  t.match(lines.at(-1), { level: 50, event: 'loaded', err: { message: 'bug of a listener' }, msg: 'Cache: a listener failed' })
})

t.test('an app that closes ends its process by itself, whatever was under way', async (t) => {
  const printed = await runScript(`
    import Fastify from 'fastify'
    import { cacheCore } from '@x/cache-core'
    for (const implementation of ['null', 'memory', () => ({ name: 'hanging', ...Object.fromEntries(['get', 'set', 'del'].map((name) => [name, () => new Promise(() => {})])) })]) {
      const app = Fastify()
      await app.register(cacheCore, { implementation, readTimeoutMs: 40, writeTimeoutMs: 40 })
      app.get('/', (request) => request.cache.getOrSet('user:1', () => 'value', { lock: true, timeoutMs: 60_000, staleIfError: 60 }))
      console.log((await app.inject('/')).body)
      void app.cache.lock('user:1', { ttl: 3600 })
      void app.cache.get('user:1')
      await app.close()
    }`)
  t.equal(printed, 'value\nvalue\nvalue\n')
})

const warnings = (lines: readonly LogLine[]): unknown[] => lines.filter(({ level }) => level === 40).map(({ msg }) => msg)

t.test('registry: the second app of a registry that chooses the implementation is said to replace it, and not if both give one object', async (t) => {
  const registry = new CacheRegistry()
  const lines: LogLine[] = []
  await buildApp(t, { registry, implementation: 'memory' }, lines)
  t.same(warnings(lines), [])
  await buildApp(t, { registry, implementation: 'memory' }, lines)
  t.match(warnings(lines), [/MemoryCache, which was in service in this registry, is replaced for all apps .* Give the option implementation in one app alone/])
  const impl = new ThreeMethodCache()
  const shared = new CacheRegistry()
  for (let app = 0; app < 2; app++) await buildApp(t, { registry: shared, implementation: impl }, lines)
  t.equal(warnings(lines).length, 1)
  await buildApp(t, { registry: shared, enabled: false }, lines)
  t.match(warnings(lines)[1], /option enabled: false takes ThreeMethodCache out of service for all apps/)
})

t.test('registry: apps that use it one after the other replace nothing, each with an instance of its own', async (t) => {
  const registry = new CacheRegistry()
  const lines: LogLine[] = []
  registry.register(new MemoryCache())
  await (await buildApp(t, { registry, enabled: false }, lines)).close()
  for (const options of [{ implementation: new MemoryCache() }, { implementation: new MemoryCache() }, { enabled: false }]) {
    const app = await buildApp(t, { registry, ...options }, lines)
    await app.close()
  }
  t.same(warnings(lines), [])
})

t.test('registry: other values of options that another app gave are said, and those of an app that closed are not', async (t) => {
  const registry = new CacheRegistry()
  const lines: LogLine[] = []
  const first = await buildApp(t, { registry, rollout: { percent: 10, salt: 'a' }, patterns: { user: { ttl: 5 } }, serializer: 'json', keyPattern: () => 'one', readTimeoutMs: 50 }, lines)
  // The options of a sibling package are added to those of the app.
  coreOf(first)!.configureFor('@x/cache-redis', { patterns: { team: { ttl: 9 } } })
  await buildApp(t, { registry, rollout: { percent: 10, key: () => 'someone' }, defaultTtl: 5, keyPattern: () => 'one' }, lines)
  t.same(warnings(lines), [])
  const third = await buildApp(t, {
    registry, rollout: { percent: 50, salt: 'a' }, patterns: { user: { ttl: 6 }, team: { ttl: 8 } }, serializer: 'rich', keyPattern: () => 'two', readTimeoutMs: 60
  }, lines)
  t.match(warnings(lines), [
    /^Cache: another app with this registry gave other values of serializer, keyPattern, readTimeoutMs, rollout\.percent, patterns\.user, patterns\.team; these now/
  ])
  await first.close()
  await third.close()
  await buildApp(t, { registry, serializer: 'json' }, lines)
  t.equal(warnings(lines).length, 1)
})

t.test('close: of an app whose implementation others use is said, and the last one closes in silence', async (t) => {
  const registry = new CacheRegistry()
  const lines: LogLine[] = []
  const user = await buildApp(t, { registry }, lines)
  const maker = await buildApp(t, { registry, implementation: 'memory' }, lines)
  await maker.close()
  t.match(warnings(lines), [/^Cache: the app that made MemoryCache closes, so the other apps of its registry load each value from now on/])
  const last = await buildApp(t, { registry, implementation: 'memory' }, lines)
  await user.close()
  await last.close()
  t.equal(warnings(lines).length, 1)
})

t.test('registry: a schema may be circular, and two apps of one code have schemas of their own', async (t) => {
  class Schema {
    readonly self = this
    readonly parse = (value: unknown): unknown => value
    readonly '~standard' = { validate: (value: unknown) => ({ value }) }
  }
  const registry = new CacheRegistry()
  const lines: LogLine[] = []
  for (let app = 0; app < 2; app++) await buildApp(t, { registry, patterns: { user: { ttl: 5, schema: new Schema() as never } } }, lines)
  t.same(warnings(lines), [])
  await buildApp(t, { registry, patterns: { user: { ttl: 6, schema: new Schema() as never } } }, lines)
  t.match(warnings(lines), [/other values of patterns\.user;/])
})
