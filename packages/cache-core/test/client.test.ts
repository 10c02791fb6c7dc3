import { CacheRegistry, MemoryCache, type Cache, type FastifyCache } from '@x/cache-core'
import { err, MAX_TTL, ok, STORED_NULL, unavailable } from '@x/cache-core/implementing'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { settle } from '@x/test-kit/deferred'
import { ForeignCache, ThreeMethodCache } from '@x/test-kit/foreign-caches'
import { countsOf, errorsOf, makeClient } from '@x/test-kit/make-client'

const KEY = 'user:1'

for (const [kind, implementation] of Object.entries({ memory: undefined, foreign: () => new ForeignCache() })) {
  t.test(`get, set, del: store, find and remove, and are counted by pattern (${kind})`, async (t) => {
    const { client, registry } = makeClient<any>(implementation)
    t.same(await client.get(KEY), ok(null))
    t.same(await client.set(KEY, { name: 'Ada' }), ok())
    t.same(await client.get(KEY), ok({ name: 'Ada' }))
    t.same(await client.del(KEY), ok())
    t.same(await client.get(KEY), ok(null))
    const { label } = registry.active.stats
    t.same([...registry.stats.for(label).counters.keys()], ['user'])
    t.same(countsOf(registry, label), { hits: 1, misses: 2, sets: 1, dels: 1 })
  })

  t.test(`get: a stored null, 0, '' and false are hits (${kind})`, async (t) => {
    const { client, registry } = makeClient<any>(implementation)
    for (const value of [null, 0, '', false]) {
      await client.set(KEY, value)
      t.same(await client.get(KEY), ok(value))
    }
    t.match(countsOf(registry, registry.active.stats.label), { hits: 4, misses: 0 })
  })

  t.test(`getMany, delMany: the keys are those of the time of the call, whatever the app does to its array (${kind})`, async (t) => {
    const { client, registry } = makeClient<any>(implementation)
    registry.stats.measuresDurations = true
    await client.setMany([{ key: 'user:1', value: 1 }, { key: 'user:2', value: 2 }])
    const call = <T>(of: (keys: string[]) => Promise<T>): Promise<T> => {
      const keys: any[] = ['user:1', 'user:2']
      const pending = of(keys)
      keys.splice(0, 2, undefined)
      return pending
    }
    t.same(await call((keys) => client.getMany(keys)), ok([1, 2]))
    t.same(await call((keys) => client.getOrSetMany(keys, () => [])), [1, 2])
    const removed: (readonly string[])[] = []
    registry.events.on('removed', (keys) => removed.push(keys))
    t.same(await call((keys) => client.delMany(keys)), ok())
    t.same(removed, [['user:1', 'user:2']])
    t.equal(countsOf(registry, registry.active.stats.label).dels, 2)
  })

  t.test(`setMany: the last item of a key takes effect (${kind})`, async (t) => {
    const { client, registry } = makeClient<any>(implementation)
    const events: unknown[] = []
    registry.events.on('stored', (key, _pattern, value) => { events.push([key, value]) })
    registry.events.on('removed', (keys) => { events.push(...keys) })
    const none = { ttl: 0 }
    for (const cache of [client, client.namespace('app')]) {
      await cache.set('c', 0)
      events.length = 0
      t.same(await cache.setMany([
        { key: 'a', value: 1 }, { key: 'a', value: 2, options: none }, { key: 'b', value: 1, options: none }, { key: 'b', value: 2 },
        { key: 'c', value: 1 }, { key: 'c', value: 2 }, { key: 'c', value: 3, options: none }, { key: 'd', value: 1 }, { key: 'd', value: 2 }
      ]), ok())
      t.same(await cache.getMany(['a', 'b', 'c', 'd']), ok([null, 2, null, 2]))
      t.equal(events.length, 4)
    }
  })

  t.test(`getMany, setMany, delMany: in the order of the keys, counted one by one (${kind})`, async (t) => {
    const { client, registry } = makeClient<any>(implementation)
    t.same(await client.setMany([{ key: 'user:1', value: 1 }, { key: 'order:1', value: 2, options: { ttl: 9 } }]), ok())
    t.same(await client.getMany(['order:1', 'user:2', 'user:1', 'order:1']), ok([2, null, 1, 2]))
    t.same(await client.delMany(['user:1', 'user:2']), ok())
    t.same(await client.getMany(['order:1', 'user:1']), ok([2, null]))
    t.same(await client.getMany([]), ok([]))
    t.same(await client.setMany([]), ok())
    t.same(await client.delMany([]), ok())
    t.same(countsOf(registry, registry.active.stats.label), { hits: 4, misses: 2, sets: 2, dels: 2 })
  })

  t.test(`set: what the caller does to the value later is not seen (${kind})`, async (t) => {
    const { client, impl } = makeClient<any>(implementation)
    const value = { list: [1] }
    const set = client.set(KEY, value)
    value.list.push(2)
    await set
    t.same(await client.get(KEY), ok({ list: [1] }))
    if (kind !== 'foreign') return
    // The value is also copied if the store waits behind an earlier store.
    impl.held.add('set')
    const first = client.set(KEY, 1)
    const options = { ttl: 5 }
    const sets = [client.set(KEY, value, options), client.setMany([{ key: 'user:2', value, options }, { key: KEY, value, options }])]
    value.list.push(3)
    options.ttl = 0
    await impl.release('set')
    await first
    await settle()
    await impl.release('set')
    await Promise.all(sets)
    t.same(await client.getMany([KEY, 'user:2']), ok([{ list: [1, 2] }, { list: [1, 2] }]))
  })

  t.test(`getEntry: the value with its lifetimes and tags (${kind})`, async (t) => {
    const { client, clock } = makeClient<any>(kind === 'memory' ? undefined : (clock) => new ForeignCache({ clock }))
    await client.set(KEY, null, { ttl: 10, staleIfError: 5, tags: ['users'] })
    clock.advance(4)
    t.same(await client.getEntry(KEY), ok({ value: null, fresh: true, age: 4, ttlLeft: 6, staleLeft: 11, tags: ['users'] }))
    t.same(await client.getEntry('user:2'), ok(null))
  })

  t.test(`set: the ttl is given, or 3600 s, or the default of the app, and never above 30 days (${kind})`, async (t) => {
    for (const [ttl, defaultTtl, seconds] of [
      [7, undefined, 7], [undefined, undefined, 3600], [undefined, 60, 60], [{}, 60, 60], [{ ttl: 8 }, 60, 8],
      [Infinity, 60, MAX_TTL], [0.5, 60, 0.5]
    ] as const) {
      const { client } = makeClient<any>(kind === 'memory' ? undefined : (clock) => new ForeignCache({ clock }), { defaultTtl })
      await client.set(KEY, 1, ttl)
      await client.setMany([{ key: 'user:2', value: 1, options: ttl as object }])
      for (const key of [KEY, 'user:2']) t.match(await client.getEntry(key), { value: { ttlLeft: seconds } }, `${key} ${JSON.stringify(ttl)}`)
    }
  })

  t.test(`set: ttl 0 stores nothing and removes what was there (${kind})`, async (t) => {
    const { client, registry } = makeClient<any>(implementation)
    for (const empty of [
      () => client.set(KEY, 2, 0), () => client.set(KEY, 2, { ttl: 0 }), () => client.setMany([{ key: KEY, value: 2, options: { ttl: 0 } }])
    ]) {
      await client.set(KEY, 1)
      t.ok((await empty()).ok)
      t.same(await client.get(KEY), ok(null))
    }
    t.match(countsOf(registry, registry.active.stats.label), { sets: 3 })
  })

  t.test(`tags.invalidate: one tag or several, counted by pattern, announced (${kind})`, async (t) => {
    const { client, registry } = makeClient<any>(implementation)
    const announced: unknown[] = []
    registry.events.on('invalidated', (...args) => announced.push(args))
    await client.set('user:1', 1, { tags: ['team:1'] })
    await client.set('user:2', 2, { tags: ['team:2', 'office:1'] })
    t.same(await client.tags.invalidate('team:1'), ok())
    t.same(await client.tags.invalidate(['office:1', 'team:3'], { soft: true }), ok())
    t.same(await client.getMany(['user:1', 'user:2']), ok([null, null]))
    t.same(await client.getEntry('user:1'), ok(null))
    t.match(await client.getEntry('user:2'), { value: { fresh: false, value: 2 } })
    t.same([...registry.active.stats.invalidations], [['team', 2], ['office', 1]])
    t.same(announced, [[['team:1'], false], [['office:1', 'team:3'], true]])
  })

  t.test(`tags.capture: a snapshot that is outdated by then keeps the value out (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const snapshot = await client.tags.capture(['team:1'])
    t.ok(snapshot.ok)
    await client.tags.invalidate('team:1')
    await client.set(KEY, 1, { tags: ['team:1'], snapshot: (snapshot as any).value })
    t.same(await client.get(KEY), ok(null))
  })

  t.test(`clear: nothing stored before is served (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    await client.set(KEY, 1)
    t.same(await client.clear(), ok())
    t.same(await client.get(KEY), ok(null))
  })

  t.test(`lock: is held until it is released (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const lock = await client.lock(KEY, { ttl: 5 })
    t.ok(lock.ok && lock.value !== null)
    t.same(await client.lock(KEY, { ttl: 5 }), ok(null))
    t.ok((await (lock as any).value.extend(5)).ok)
    t.ok((await (lock as any).value.release()).ok)
    t.ok((await client.lock(KEY, { ttl: 0.001 }) as any).value)
  })

  t.test(`health: is that of the implementation (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    t.same(await client.health(), ok())
  })
}

const badKeys = ['', 'x'.repeat(1025), 'x'.repeat(10_000), '\ud800', 'a\udc00b', 1, null, undefined, {}, [], Symbol('k')] as string[]
t.test('every member: an invalid key is a coded error, counted, and reaches nothing', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache())
  const members: ((key: string) => Promise<unknown>)[] = [
    (key) => client.get(key), (key) => client.getEntry(key), (key) => client.getMany([key]), (key) => client.set(key, 1),
    (key) => client.setMany([{ key: KEY, value: 1 }, { key, value: 1 }]), (key) => client.del(key), (key) => client.delMany([key]),
    (key) => client.lock(key, { ttl: 1 })
  ]
  for (const key of badKeys) {
    for (const member of members) t.match(await member(key), { ok: false, error: { code: 'CACHE_ERR_KEY_INVALID' } }, String(key).slice(0, 10))
  }
  t.same(impl.calls, [])
  t.same(errorsOf(registry, 'ForeignCache'), { key_invalid: badKeys.length * members.length })
})

t.test('every member: a key may hold newlines, blanks, and any well-formed text', async (t) => {
  const { client } = makeClient()
  for (const key of ['a\nb', ' ', '\0', '😀', 'x'.repeat(1024), '__proto__', 'constructor']) {
    await client.set(key, { key })
    t.same(await client.get(key), ok({ key }), JSON.stringify(key).slice(0, 20))
  }
})

t.test('getMany, setMany, delMany: what is no list is a coded error', async (t) => {
  const { client } = makeClient()
  for (const list of [undefined, null, 'ab', 7, {}, [null], [undefined], [[]]] as never[]) {
    for (const cache of [client, client.namespace('app')]) {
      t.match(await cache.getMany(list), { ok: false, error: { code: 'CACHE_ERR_KEY_INVALID' } }, JSON.stringify(list))
      t.match(await cache.delMany(list), { ok: false, error: { code: 'CACHE_ERR_KEY_INVALID' } })
      t.match(await cache.setMany(list), { ok: false, error: { code: 'CACHE_ERR_KEY_INVALID' } })
    }
  }
})

t.test('set, setMany: a value that cannot be stored is a coded error, and leaves what was there', async (t) => {
  for (const implementation of [undefined, () => new ForeignCache()]) {
    const { client } = makeClient<any>(implementation)
    await client.set(KEY, 'old')
    const circular: { self?: unknown } = {}
    circular.self = circular
    for (const value of [undefined, () => {}, Symbol('v'), 1n, NaN, Infinity, circular, { n: 1n }]) {
      if (implementation !== undefined && (typeof value === 'function' || typeof value === 'symbol')) continue
      t.match(await client.set(KEY, value), { ok: false, error: { code: 'CACHE_ERR_VALUE_INVALID' } }, typeof value)
      t.match(await client.setMany([{ key: KEY, value }]), { ok: false, error: { code: 'CACHE_ERR_VALUE_INVALID' } })
    }
    t.same(await client.get(KEY), ok('old'))
  }
})

t.test('set, setMany: a ttl that is none, and other wrong options, are coded errors', async (t) => {
  const { client } = makeClient()
  const ttls = [-1, NaN, '60', null, true, { ttl: -1 }, { ttl: '1' }, { staleWhileRevalidate: -1 }, { staleIfError: NaN }] as never[]
  for (const ttl of ttls) {
    for (const cache of [client, client.namespace('app')]) {
      t.match(await cache.set(KEY, 1, ttl), { ok: false, error: { code: 'CACHE_ERR_TTL_INVALID' } }, JSON.stringify(ttl))
      if (ttl !== null) t.match(await cache.setMany([{ key: KEY, value: 1, options: ttl }]), { ok: false, error: { code: 'CACHE_ERR_TTL_INVALID' } })
    }
  }
  for (const tags of ['a', [''], [1], ['x'.repeat(257)], Array(65).fill('t'), ['\ud800'], null] as never[]) {
    t.match(await client.set(KEY, 1, { tags }), { ok: false, error: { code: 'CACHE_ERR_TAG_INVALID' } })
    t.match(await client.tags.invalidate(tags === 'a' ? {} as never : tags), { ok: false, error: { code: 'CACHE_ERR_TAG_INVALID' } })
    t.match(await client.tags.capture(tags), { ok: false, error: { code: 'CACHE_ERR_TAG_INVALID' } })
  }
  t.same(await client.get(KEY), ok(null))
})

t.test('lock: wrong times are coded errors', async (t) => {
  const { client } = makeClient()
  for (const options of [undefined, null, {}, { ttl: 0 }, { ttl: -1 }, { ttl: NaN }, { ttl: '1' }, { ttl: 1, waitMs: -1 }, { ttl: 1, waitMs: NaN }]) {
    t.match(await client.lock(KEY, options as never), { ok: false, error: { code: 'CACHE_ERR_TTL_INVALID' } }, JSON.stringify(options))
  }
})

t.test('every member: what the implementation lacks is a coded error, counted', async (t) => {
  const { client, registry } = makeClient<Cache>(() => new ThreeMethodCache())
  const members: Record<string, (cache: FastifyCache) => Promise<unknown>> = {
    getEntry: (cache) => cache.getEntry(KEY),
    getMany: (cache) => cache.getMany([KEY]),
    setMany: (cache) => cache.setMany([{ key: KEY, value: 1 }]),
    delMany: (cache) => cache.delMany([KEY]),
    'tags.capture': (cache) => cache.tags.capture(['t']),
    'tags.invalidate': (cache) => cache.tags.invalidate('t'),
    lock: (cache) => cache.lock(KEY, { ttl: 1 }),
    clear: (cache) => cache.clear(),
    health: (cache) => cache.health(),
    'set with tags': (cache) => cache.set(KEY, 1, { tags: ['t'] })
  }
  for (const [name, member] of Object.entries(members)) t.match(await member(client), { ok: false, error: { code: 'CACHE_ERR_UNSUPPORTED' } }, name)
  t.same(errorsOf(registry, 'ThreeMethodCache'), { unsupported: Object.keys(members).length })
  const observing = new CacheClient(new CacheRegistry())
  for (const [name, member] of Object.entries(members)) t.match(await member(observing), { ok: true }, `${name} of NullCache`)
})

t.test('get: a failure is counted by type, announced, and neither a hit nor a miss', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache())
  const announced: unknown[] = []
  registry.events.on('failed', (label, operation, error) => announced.push([label, operation, error.code]))
  impl.faults.set('get', 'rejects').set('set', 'throws').set('del', 'is no Result')
  t.match(await client.get(KEY), { ok: false, error: { code: 'CACHE_ERR_IMPLEMENTATION' } })
  t.notOk((await client.set(KEY, 1)).ok)
  t.notOk((await client.del(KEY)).ok)
  t.same(errorsOf(registry, 'ForeignCache'), { implementation: 3 })
  t.same(countsOf(registry, 'ForeignCache'), { hits: 0, misses: 0, sets: 0, dels: 0 })
  t.same(announced, ['get', 'set', 'del'].map((operation) => ['ForeignCache', operation, 'CACHE_ERR_IMPLEMENTATION']))
})

t.test('tags.invalidate, clear: announced also if they wait for the store, but counted only if it has them', async (t) => {
  const failure = Object.assign(unavailable('test'), { queued: true })
  const { client, registry, impl } = makeClient()
  impl.tags.invalidate = impl.clear = async () => err(failure)
  const announced: unknown[] = []
  registry.events.on('invalidated', (...args) => announced.push(args))
  registry.events.on('cleared', () => announced.push('cleared'))
  t.same(await client.tags.invalidate('team:1', { soft: true }), err(failure))
  t.same(await client.clear(), err(failure))
  t.same(announced, [[['team:1'], true], 'cleared'])
  t.equal(registry.active.stats.invalidations.size, 0)
  t.same(errorsOf(registry, 'memory'), { unavailable: 2 })
  failure.queued = false
  await client.tags.invalidate('team:2')
  await client.clear()
  t.equal(announced.length, 2, 'what had no effect is not')
})

t.test('every member: is timed while durations are measured, and only then', async (t) => {
  for (const implementation of [undefined, () => new ForeignCache()]) {
    const { client, registry } = makeClient<any>(implementation)
    const operated: string[] = []
    registry.events.on('operated', (label, operation, seconds) => {
      t.ok(label === registry.active.stats.label && seconds >= 0)
      operated.push(operation)
    })
    const all = async () => {
      await client.get(KEY)
      await client.getEntry(KEY)
      await client.getMany([KEY])
      await client.set(KEY, 1)
      await client.setMany([{ key: KEY, value: 1 }])
      await client.del(KEY)
      await client.delMany([KEY])
      await client.tags.capture(['t'])
      await client.tags.invalidate('t')
      await client.clear()
    }
    await all()
    t.equal(registry.active.stats.durations.size, 0)
    registry.stats.measuresDurations = true
    await all()
    const operations = ['get', 'getEntry', 'getMany', 'set', 'setMany', 'del', 'delMany', 'tags.capture', 'tags.invalidate', 'clear']
    t.same([...registry.active.stats.durations.keys()], operations)
    t.same(operated, operations)
  }
})

t.test('get: of a cache in this process answers with the very Result that tells null from a miss', async (t) => {
  const { client } = makeClient(() => new MemoryCache())
  await client.set(KEY, null)
  t.equal(await client.get(KEY), STORED_NULL)
})
