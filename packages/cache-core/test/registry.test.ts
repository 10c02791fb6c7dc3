import { CacheRegistry, MemoryCache, NullCache, type Cache } from '@x/cache-core'
import { ok } from '@x/cache-core/implementing'
import t from 'tap'
import { settle, stateOf } from '@x/test-kit/deferred'
import { FakeClock } from '@x/test-kit/fake-clock'
import { fakeTimers } from '@x/test-kit/fake-timers'
import { ForeignCache, ThreeMethodCache } from '@x/test-kit/foreign-caches'
import { makeClient } from '@x/test-kit/make-client'
import { runScript } from '@x/test-kit/run-script'

const KEY = 'user:1'

t.test('CacheRegistry: begins by observing', async (t) => {
  const registry = new CacheRegistry()
  t.ok(registry.current instanceof NullCache)
  t.ok(registry.active.passThrough)
  t.match(registry.status(), { enabled: false, implName: 'NullCache', recentStats: { hits: 0, misses: 0, errors: 0, hitRate: 0 } })
})

t.test('CacheRegistry: a misspelt or impossible option is refused, so that no typo caches everything', async (t) => {
  for (const [options, path] of [
    [{ rolout: { percent: 10 } }, 'rolout'],
    [{ rollout: { percnt: 10 } }, 'rollout.percnt'],
    [{ rollout: { canary: true } }, 'rollout.canary'],
    [{ rollout: 10 }, 'rollout'],
    [{ rollout: { percent: '10' } }, 'rollout.percent'],
    [{ rollout: { holdOut: 60 } }, 'rollout.holdOut'],
    [{ rollout: { allow: 'user' } }, 'rollout.allow'],
    [{ rollout: { shadow: null } }, 'rollout.shadow'],
    [{ rollout: { shadow: { percnt: 5 } } }, 'rollout.shadow.percnt'],
    [{ readTimeoutMs: NaN }, 'readTimeoutMs'],
    ['memory', 'options']
  ] as const) {
    t.throws(() => new CacheRegistry(options as never), { code: 'CACHE_ERR_OPTION_INVALID', message: new RegExp(`^Option "${path}" is invalid`) })
  }
  const clock = new FakeClock()
  const registry = new CacheRegistry({ rollout: { percent: 10, allow: ['user'], holdOut: undefined as never }, clock })
  t.match(registry.rollout, { percent: 10, allow: ['user'] })
  t.equal(registry.clock, clock)
})

t.test('register: puts an implementation into service at once, and says what was before', async (t) => {
  const registry = new CacheRegistry()
  const swapped: string[] = []
  registry.events.on('swapped', (from, to) => swapped.push(`${from} → ${to}`))
  const before = registry.current
  const impl = new MemoryCache()
  const { previous, drained } = registry.register(impl)
  t.equal(previous, before)
  t.equal(registry.current, impl)
  t.equal(registry.active.implName, 'MemoryCache')
  t.equal(registry.active.stats.label, 'memory')
  await drained
  t.same(swapped, ['NullCache → MemoryCache'])
})

t.test('register: the one in service again changes nothing', async (t) => {
  const registry = new CacheRegistry()
  const impl = new ThreeMethodCache()
  registry.register(impl)
  impl.values.set(KEY, 1)
  const { active } = registry
  const { previous, drained } = registry.register(impl, 'OtherName')
  await drained
  t.equal(previous, impl)
  t.equal(registry.active, active)
  t.same(impl.values, new Map([[KEY, 1]]))
})

t.test('register: refuses what is no cache', async (t) => {
  const registry = new CacheRegistry()
  for (const wrong of [undefined, null, {}, 'memory', 7, { get () {} }, { get () {}, set () {} }, { get () {}, set () {}, del: 1 }]) {
    t.throws(() => registry.register(wrong as unknown as Cache), { code: 'CACHE_ERR_NOT_A_CACHE' }, JSON.stringify(wrong))
  }
  t.ok(registry.current instanceof NullCache)
})

t.test('register: the name is bounded and checked, since it becomes a label', async (t) => {
  const make = (name?: unknown) => Object.assign(new ThreeMethodCache(), { name }) as Cache
  for (const name of ['', '1st', 'a b', 'x'.repeat(65), 'ä', 'a\nb', '"', 7, {}]) {
    const registry = new CacheRegistry()
    t.throws(() => registry.register(new ThreeMethodCache(), name as string), { code: 'CACHE_ERR_OPTION_INVALID' }, String(name))
    t.throws(() => registry.register(make(name)), { code: 'CACHE_ERR_OPTION_INVALID' }, String(name))
  }
  const registry = new CacheRegistry()
  registry.register(new ThreeMethodCache(), 'x'.repeat(64))
  registry.register(make('team.cache_v2-b'), 'Team')
  t.match(registry.active, { implName: 'Team', stats: { label: 'team.cache_v2-b' } })
})

t.test('register: without a name it is that of the class, else of the cache', async (t) => {
  const literal = (): Cache => ({ get: async () => ok(null), set: async () => ok(), del: async () => ok() })
  for (const [impl, implName, label] of [
    [new ThreeMethodCache(), 'ThreeMethodCache', 'ThreeMethodCache'],
    [{ ...literal(), name: 'own' }, 'own', 'own'],
    [literal(), 'custom', 'custom'],
    [Object.assign(Object.create(null), literal()), 'custom', 'custom']
  ] as const) {
    const registry = new CacheRegistry()
    registry.register(impl)
    t.match(registry.active, { implName, stats: { label } })
  }
})

t.test('register: labels are bounded, whatever is swapped in', async (t) => {
  const registry = new CacheRegistry()
  for (let at = 0; at < 100; at++) registry.register(new ThreeMethodCache(), `Cache${at}`)
  t.ok(registry.stats.impls.size <= 17)
  t.equal(registry.active.stats.label, 'other')
  t.equal(registry.active.implName, 'Cache99')
})

t.test('register: drained resolves when the calls under way have ended on the old one', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache())
  await impl.memory.set(KEY, 'value')
  impl.held.add('get')
  const read = client.get(KEY)
  const { drained } = registry.register(new MemoryCache())
  t.equal(await stateOf(drained), 'pending')
  await impl.release('get')
  t.same(await read, ok('value'))
  await drained
})

t.test('register: drained comes although a call hangs', async (t) => {
  const { tick } = fakeTimers(t)
  const { client, registry, impl } = makeClient(() => new ForeignCache(), { readTimeoutMs: 80 })
  impl.faults.set('get', 'hangs')
  void client.get(KEY)
  const { drained } = registry.register(new MemoryCache())
  await tick(90)
  await drained
})

t.test('register: one that comes back in this process is cleared first', async (t) => {
  const { client, registry, impl } = makeClient()
  await client.set(KEY, 'stale')
  registry.register(new NullCache())
  await client.del(KEY)
  registry.register(impl)
  t.same(await client.get(KEY), ok(null))
})

t.test('register: one that comes back and answers later is withheld until it is cleared', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache())
  await client.set(KEY, 'stale')
  registry.register(new NullCache())
  impl.held.add('clear')
  registry.register(impl)
  t.same(await client.get(KEY), ok(null))
  t.equal(await client.getOrSet(KEY, () => 'new'), 'new')
  await impl.release('clear')
  await settle()
  t.same(await client.get(KEY), ok(null))
  t.equal(await client.getOrSet(KEY, () => 'newer'), 'newer')
  await settle()
  t.same(await client.get(KEY), ok('newer'))
})

t.test('register: one that comes back is not cleared before its last store has landed', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache())
  impl.held.add('set')
  const set = client.set(KEY, 'stale')
  registry.register(new MemoryCache())
  registry.register(impl)
  await settle()
  t.same(await client.get(KEY), ok(null))
  await impl.release('set')
  t.ok((await set).ok)
  await settle()
  t.same(await client.get(KEY), ok(null))
  t.same(await impl.memory.get(KEY), ok(null))
})

t.test('register: one that comes back and cannot be cleared is refused', async (t) => {
  const registry = new CacheRegistry()
  const impl = new ThreeMethodCache()
  registry.register(impl)
  registry.register(new MemoryCache())
  t.throws(() => registry.register(impl), { code: 'CACHE_ERR_IMPLEMENTATION_STALE' })
  t.equal(registry.active.implName, 'MemoryCache')
})

t.test('register: a pass-through comes back as it is', async (t) => {
  const registry = new CacheRegistry()
  const impl: Cache = { passThrough: true, get: async () => ok(null), set: async () => ok(), del: async () => ok() }
  registry.register(impl, 'Observer')
  registry.register(new MemoryCache())
  registry.register(impl, 'Observer')
  t.equal(registry.current, impl)
})

t.test('del: that waits for a store across a swap reaches the one that is in service then', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache())
  const next = new MemoryCache()
  await next.set(KEY, 'of another process')
  impl.held.add('set')
  await client.getOrSet(KEY, () => 'old')
  const del = client.del(KEY)
  registry.register(next)
  await impl.release('set')
  t.ok((await del).ok)
  t.same(await client.get(KEY), ok(null))
})

t.test('status: what GET /internal/cache shows', async (t) => {
  const { client, registry } = makeClient()
  await client.set(KEY, 1)
  await client.get(KEY)
  await client.get('user:2')
  await client.get('')
  const { registeredAt, ...status } = registry.status()
  const { bytes } = registry.current as MemoryCache
  t.same(status, {
    enabled: true,
    implName: 'MemoryCache',
    recentStats: { hits: 1, misses: 1, errors: 1, hitRate: 0.5 },
    memory: { entries: 1, bytes, maxEntries: 10_000, maxBytes: 64 * 1024 * 1024 }
  })
  t.equal(registeredAt, registry.active.registeredAt.toISOString())
})

t.test('status: degraded, health and rollout where they apply', async (t) => {
  const registry = new CacheRegistry({ rollout: { percent: 12.5, allow: ['user'] } })
  registry.register(Object.assign(new ThreeMethodCache(), { status: () => ({ degraded: true, health: { ok: false } }) }))
  t.match(registry.status(), {
    enabled: true, implName: 'NullCache', degraded: true, health: { ok: false }, rollout: { percent: 12.5, allow: ['user'] }
  })
})

t.test('configure: changes what is given and leaves the rest', async (t) => {
  const clock = new FakeClock()
  const registry = new CacheRegistry({ clock, rollout: { percent: 10, allow: ['user'], salt: 's' } })
  registry.configure({ rollout: { percent: 20 } })
  t.equal(registry.clock, clock)
  t.same([registry.rollout.percent, registry.rollout.allow, registry.rollout.salt], [20, ['user'], 's'])
  registry.configure({ maxKeyPatterns: 2, keyPattern: (key) => key })
  t.same(['a', 'b', 'user'].map((key) => registry.stats.patterns.of(key)), ['a', 'other', 'user'], 'the allow-list has its labels')
})

t.test('configure: timeouts hold for what is registered from then on', async (t) => {
  const { tick } = fakeTimers(t)
  const { client, registry } = makeClient(() => new ForeignCache(), { readTimeoutMs: 8 })
  registry.configure({ readTimeoutMs: 80, writeTimeoutMs: 160 })
  const next = new ForeignCache()
  registry.register(next)
  next.faults.set('get', 'hangs').set('del', 'hangs')
  const [read, del] = [client.get(KEY), client.del(KEY)]
  await tick(79)
  t.equal(await stateOf(read), 'pending')
  await tick(11)
  t.match(await read, { ok: false, error: { code: 'CACHE_ERR_TIMEOUT' } })
  await tick(69)
  t.equal(await stateOf(del), 'pending')
  await tick(21)
  t.match(await del, { ok: false, error: { code: 'CACHE_ERR_TIMEOUT' } })
})

t.test('start, stop: the timer runs while anybody uses the registry', async (t) => {
  const timers = fakeTimers(t)
  const registry = new CacheRegistry()
  registry.start()
  registry.start()
  t.equal(timers.pending, 1)
  t.notOk(registry.stop())
  t.equal(timers.pending, 1)
  t.ok(registry.stop())
  t.equal(timers.pending, 0)
})

t.test('getInstance: is the same for the whole process, also in a second copy of the package', async (t) => {
  t.equal(CacheRegistry.getInstance(), CacheRegistry.getInstance())
  const printed = await runScript(`
    import { CacheRegistry } from '@x/cache-core'
    import { CacheClient } from '@x/cache-core/suite'
    import { cpSync, mkdtempSync, rmSync } from 'node:fs'
    import { join } from 'node:path'
    const home = mkdtempSync('.tap/copy-')
    try {
      cpSync('packages/cache-core/src', join(home, 'src'), { recursive: true })
      cpSync('packages/cache-core/package.json', join(home, 'package.json'))
      const copy = await import(process.cwd() + '/' + home + '/src/index.ts')
      const registry = CacheRegistry.getInstance()
      console.log(copy.CacheRegistry !== CacheRegistry, copy.CacheRegistry.getInstance() === registry)
      // A cache of the copy in the registry of the first: null stays a hit.
      registry.register(new copy.MemoryCache())
      const cache = new CacheClient(registry)
      await cache.getOrSet('user:1', () => null)
      console.log(await cache.getOrSet('user:1', () => 'loaded again'))
    } finally {
      rmSync(home, { recursive: true })
    }`)
  t.equal(printed, 'true true\nnull\n')
})
