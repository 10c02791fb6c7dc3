import { CacheRegistry, type LoadManyContext } from '@x/cache-core'
import { ok } from '@x/cache-core/implementing'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { deferred, settle, stateOf } from '@x/test-kit/deferred'
import { fakeTimers } from '@x/test-kit/fake-timers'
import { ForeignCache, ThreeMethodCache } from '@x/test-kit/foreign-caches'
import { countsOf, errorsOf, makeClient } from '@x/test-kit/make-client'

const down = new Error('the source is down')

/** Makes a loader of several keys that records the keys of each call. */
function recorder (load: (keys: string[], context: LoadManyContext) => any = (keys) => keys.map((key) => `value of ${key}`)) {
  const batches: string[][] = []
  return {
    batches,
    loadMany: (keys: string[], context: LoadManyContext) => {
      batches.push(keys)
      return load(keys, context)
    }
  }
}

const implementations = {
  memory: undefined,
  foreign: () => new ForeignCache(),
  'three methods': () => new ThreeMethodCache()
}

for (const [kind, implementation] of Object.entries(implementations)) {
  t.test(`getOrSetMany: one load for the misses, values in the order of the keys (${kind})`, async (t) => {
    const { client, registry } = makeClient<any>(implementation)
    const { batches, loadMany } = recorder()
    await client.set('user:2', 'stored')
    t.same(await client.getOrSetMany(['user:3', 'user:2', 'user:1'], loadMany), ['value of user:3', 'stored', 'value of user:1'])
    t.same(batches, [['user:3', 'user:1']])
    await settle()
    t.same(await client.getOrSetMany(['user:1', 'user:2', 'user:3'], () => t.fail('loaded again') as never), ['value of user:1', 'stored', 'value of user:3'])
    t.match(countsOf(registry, registry.active.stats.label), { hits: 4, misses: 2, sets: 3 }, 'each key is counted')
  })

  t.test(`getOrSetMany: a Map is read by key, and a key that is not in it is undefined and not stored (${kind})`, async (t) => {
    const { client, registry } = makeClient<any>(implementation)
    const rows = new Map<string, unknown>([['b', null], ['a', { n: 1 }], ['z', 'not asked for']])
    t.same(await client.getOrSetMany<unknown>(['a', 'b', 'c'], () => rows), [{ n: 1 }, null, undefined])
    await settle()
    const { batches, loadMany } = recorder()
    t.same(await client.getOrSetMany<unknown>(['a', 'b', 'c', 'z'], loadMany), [{ n: 1 }, null, 'value of c', 'value of z'])
    t.same(batches, [['c', 'z']], 'a null is a value')
    t.match(countsOf(registry, registry.active.stats.label), { sets: 4 })
  })

  t.test(`getOrSetMany: shares the loads of getOrSet, in both directions (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const [one, many] = [deferred<string>(), deferred<string[]>()]
    const single = client.getOrSet('a', () => one.promise)
    await settle()
    const { batches, loadMany } = recorder(() => many.promise)
    const both = client.getOrSetMany<string>(['a', 'b'], loadMany)
    await settle()
    t.same(batches, [['b']], 'the batch does not wait for the load that it joined')
    const joined = client.getOrSet('b', () => t.fail('loaded twice') as never)
    await settle()
    many.resolve(['value of b'])
    t.equal(await joined, 'value of b')
    t.equal(await stateOf(both), 'pending')
    one.resolve('value of a')
    t.same(await both, ['value of a', 'value of b'])
    t.equal(await single, 'value of a')
  })

  t.test(`getOrSetMany: two calls whose keys overlap load each key once (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const [first, second] = [recorder(), recorder()]
    const values = await Promise.all([
      client.getOrSetMany<string>(['a', 'b', 'c'], first.loadMany),
      client.getOrSetMany<string>(['d', 'c', 'b'], second.loadMany)
    ])
    t.same(values, [['value of a', 'value of b', 'value of c'], ['value of d', 'value of c', 'value of b']])
    t.same([...first.batches, ...second.batches].flat().sort(), ['a', 'b', 'c', 'd'])
  })

  t.test(`getOrSetMany: the error of the batch rejects the call, and no failure is cached (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    for (const load of [() => { throw down }, async () => { throw down }]) {
      const { batches, loadMany } = recorder(load)
      await t.rejects(client.getOrSetMany(['a', 'b'], loadMany), down)
      t.equal(batches.length, 1)
    }
    t.same(await client.getOrSetMany<unknown>(['a', 'b'], () => [1, 2]), [1, 2])
  })
}

t.test('getOrSetMany: a key that is listed twice is loaded and counted once', async (t) => {
  const { client, registry } = makeClient()
  const { batches, loadMany } = recorder()
  t.same(await client.getOrSetMany(['a', 'b', 'a'], loadMany), ['value of a', 'value of b', 'value of a'])
  t.same(batches, [['a', 'b']])
  t.match(countsOf(registry, 'memory'), { misses: 2, sets: 2 })
})

t.test('getOrSetMany: no keys are no load', async (t) => {
  for (const client of [makeClient().client, new CacheClient(new CacheRegistry())]) {
    t.same(await client.getOrSetMany([], () => t.fail('loaded') as never), [])
  }
})

t.test('getOrSetMany: ttl, tags and skip hold for each key', async (t) => {
  const { client } = makeClient()
  const values = await client.getOrSetMany<number>(['a', 'b', 'c'], (_keys, { skip }) => {
    skip('b')
    return [1, 2, 3]
  }, { ttl: (value) => value * 10, tags: (value) => [`tag:${value}`], coveringTags: ['numbers'] })
  t.same(values, [1, 2, 3])
  t.match(await client.getEntry('a'), { value: { ttlLeft: 10, tags: ['numbers', 'tag:1'] } })
  t.match(await client.getEntry('c'), { value: { ttlLeft: 30 } })
  t.same(await client.get('b'), ok(null))
  await client.tags.invalidate('tag:1')
  t.same(await client.getMany(['a', 'c']), ok([null, 3]))
})

t.test('getOrSetMany: a number is the ttl', async (t) => {
  const { client } = makeClient()
  await client.getOrSetMany(['a'], () => [1], 7)
  t.match(await client.getEntry('a'), { value: { ttlLeft: 7 } })
})

for (const [kind, implementation] of Object.entries({ memory: undefined, foreign: (clock: any) => new ForeignCache({ clock }) })) {
  t.test(`getOrSetMany: stale values are served while one load refreshes all of them, beside the misses (${kind})`, async (t) => {
    const { client, clock } = makeClient<any>(implementation)
    const options = { ttl: 10, staleWhileRevalidate: 60 }
    await client.getOrSetMany<string>(['a', 'b', 'c'], (keys) => keys.map((key) => `old ${key}`), options)
    await settle()
    clock.advance(11)
    await client.del('c')
    const { batches, loadMany } = recorder()
    t.same(await client.getOrSetMany<string>(['a', 'b', 'c'], loadMany, options), ['old a', 'old b', 'value of c'])
    await settle()
    t.same(batches.map((keys) => keys.toSorted()), [['a', 'b', 'c']])
    t.same(await client.getOrSetMany<string>(['a', 'b', 'c'], () => t.fail('loaded again') as never, options), ['value of a', 'value of b', 'value of c'])
  })

  t.test(`getOrSetMany: with staleIfError a batch that fails leaves the stale values, and fails for the keys without one (${kind})`, async (t) => {
    const { client, clock } = makeClient<any>(implementation)
    const options = { ttl: 10, staleIfError: 60, retryAfterMs: 0 }
    await client.getOrSetMany<string>(['a', 'b'], (keys) => keys.map((key) => `old ${key}`), options)
    await settle()
    clock.advance(11)
    t.same(await client.getOrSetMany<string>(['a', 'b'], () => { throw down }, options), ['old a', 'old b'])
    await t.rejects(client.getOrSetMany<string>(['a', 'c'], () => { throw down }, options), down)
  })
}

t.test('getOrSetMany: a key that was removed during the batch is not stored, the others are', async (t) => {
  const { client } = makeClient()
  const values = deferred<string[]>()
  const call = client.getOrSetMany(['a', 'b'], () => values.promise)
  await settle()
  await client.del('a')
  t.equal(await client.getOrSet('a', () => 'new'), 'new', 'a later call does not join')
  values.resolve(['old a', 'old b'])
  t.same(await call, ['old a', 'old b'])
  t.same(await client.getMany(['a', 'b']), ok(['new', 'old b']))
})

t.test('getOrSetMany: observes: the batch begins within the call, with all keys, and is counted per key', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache())
  const observing = new CacheRegistry()
  for (const [name, cache, of] of [['control', client.withArm('control'), registry], ['NullCache', new CacheClient(observing), observing]] as const) {
    const { batches, loadMany } = recorder()
    const calls = [cache.getOrSetMany(['a', 'b'], loadMany), cache.getOrSetMany(['a', 'b'], loadMany)]
    t.same(batches, [['a', 'b'], ['a', 'b']], `${name}: nothing is awaited, nothing is joined`)
    t.same(await Promise.all(calls), [['value of a', 'value of b'], ['value of a', 'value of b']])
    t.match(countsOf(of, 'null'), { hits: 0, misses: 4, sets: 4 })
  }
  t.same(impl.calls, [])
})

t.test('getOrSetMany: keys outside of the rollout are loaded at once, those within it after the cache was read', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache(), { rollout: { allow: ['order'] } })
  const { batches, loadMany } = recorder()
  const call = client.getOrSetMany(['user:1', 'order:1', 'user:2', 'order:2'], loadMany)
  t.same(batches, [['user:1', 'user:2']])
  t.same(await call, ['user:1', 'order:1', 'user:2', 'order:2'].map((key) => `value of ${key}`))
  t.same(batches[1], ['order:1', 'order:2'])
  await settle()
  t.same(impl.calls.filter((member) => member.startsWith('set')), ['set order:1', 'set order:2'])
  t.match(countsOf(registry, 'null'), { misses: 2, sets: 2 })
  t.match(countsOf(registry, 'ForeignCache'), { misses: 2, sets: 2 })
})

t.test('getOrSetMany: the events loaded and loadedFor name each key; the keys share the duration of the batch', async (t) => {
  const { client, registry, clock } = makeClient()
  const loaded: unknown[] = []
  registry.events.on('loaded', (key, pattern, seconds, value, error) => loaded.push([key, pattern, seconds, value, error]))
  const heard: unknown[] = []
  const cache = client.withArm('cached', (key, value) => heard.push([key, value]))
  await cache.getOrSetMany(['user:1', 'order:1'], () => {
    clock.advance(4)
    return [1, 2]
  })
  t.same(loaded, [['user:1', 'user', 2, 1, undefined], ['order:1', 'order', 2, 2, undefined]])
  t.same(heard, [['user:1', 1], ['order:1', 2]])
})

t.test('getOrSetMany: timeoutMs fails the batch and aborts its signal', async (t) => {
  const { tick } = fakeTimers(t)
  const { client } = makeClient()
  for (const cache of [client, client.withArm('control')]) {
    let signal!: AbortSignal
    const call = cache.getOrSetMany(['a', 'b'], (_keys, context) => {
      signal = context.signal
      return new Promise<string[]>(() => {})
    }, { timeoutMs: 100 })
    const rejected = t.rejects(call, { code: 'CACHE_ERR_LOAD_TIMEOUT' })
    await tick(99)
    t.notOk(signal.aborted)
    await tick(1)
    await rejected
    t.ok(signal.aborted)
  }
})

t.test('getOrSetMany: a key whose lock another process holds delays no other key', async (t) => {
  fakeTimers(t)
  const { client, impl } = makeClient()
  const lock = await impl.lock('a', { ttl: 60 })
  const { batches, loadMany } = recorder()
  const call = client.getOrSetMany<string>(['a', 'b'], loadMany, { lock: true })
  await settle()
  t.same(batches, [['b']])
  if (lock.ok) await lock.value?.release('not-stored')
  t.same(await call, ['value of a', 'value of b'])
  t.same(batches, [['b'], ['a']], 'the key is loaded by a further batch')
})

t.test('getOrSetMany: keys that are freed together are one further batch', async (t) => {
  fakeTimers(t)
  const { client, impl } = makeClient()
  const locks = [await impl.lock('a', { ttl: 60 }), await impl.lock('b', { ttl: 60 })]
  const { batches, loadMany } = recorder()
  const call = client.getOrSetMany<string>(['a', 'b'], loadMany, { lock: true })
  await settle()
  t.same(batches, [])
  for (const lock of locks) if (lock.ok) void lock.value?.release('not-stored')
  await call
  t.same(batches, [['a', 'b']])
})

for (const [kind, implementation] of Object.entries({ memory: undefined, foreign: () => new ForeignCache() })) {
  t.test(`getOrSetMany: a batch that asks for one of its own keys gets it from its own loader, and ends (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const values = await client.getOrSetMany<string>(['a', 'b'], async (keys) => {
      const inner = await client.getOrSet('b', () => 'inner')
      return keys.map((key) => `${key} of ${inner}`)
    })
    t.same(values, ['a of inner', 'b of inner'])
  })

  t.test(`getOrSetMany: a batch that asks for itself without end is a coded error (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const endless = (): Promise<unknown[]> => client.getOrSetMany<unknown>(['a', 'b'], endless)
    await t.rejects(endless(), { code: 'CACHE_ERR_LOAD_CYCLE' })
    t.same(await client.getOrSetMany<unknown>(['a', 'b'], () => [1, 2]), [1, 2], 'the next call loads')
  })
}

for (const [kind, implementation] of Object.entries({ memory: undefined, foreign: () => new ForeignCache() })) {
  t.test(`getOrSetMany: the client of the first batch leaves, and those who joined it load what is left in one batch (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const controller = new AbortController()
    const request = { signal: controller.signal, raw: { socket: { destroyed: true } } }
    const source = deferred<string[]>()
    const first = client.withArm('cached', undefined, request).getOrSetMany<string>(['a', 'b', 'c'], () => source.promise)
    await settle()
    const { batches, loadMany } = recorder()
    const second = client.getOrSetMany<string>(['b', 'c', 'd'], loadMany)
    await settle()
    t.same(batches, [['d']])
    const rejected = t.rejects(first, { name: 'AbortError' })
    controller.abort()
    source.reject(controller.signal.reason)
    await rejected
    t.same(await second, ['value of b', 'value of c', 'value of d'])
    t.same(batches, [['d'], ['b', 'c']])
  })
}

t.test('getOrSetMany: a loader that returns something else, or too few values, is a coded error', async (t) => {
  const { client } = makeClient()
  for (const [wrong, got] of [[undefined, 'undefined'], [null, 'null'], [{ a: 1 }, 'object'], ['ab', 'string'], [[1], 'an array of 1 values for 2 keys'], [new Set([1, 2]), 'object']]) {
    await t.rejects(client.getOrSetMany(['a', 'b'], () => wrong as never), { code: 'CACHE_ERR_LOADED_MANY', message: new RegExp(`got ${got as string}$`) })
  }
  await t.rejects(client.getOrSetMany(['a'], 7 as never), { name: 'TypeError' })
})

t.test('getOrSetMany: invalid keys are loaded, counted and not stored; keys that are no array are refused', async (t) => {
  const { client, registry } = makeClient()
  t.same(await client.getOrSetMany(['a', '', 7 as never], recorder().loadMany), ['value of a', 'value of ', 'value of 7'])
  t.same(errorsOf(registry, 'null'), { key_invalid: 2 })
  for (const wrong of [undefined, null, 'a', new Set(['a'])]) {
    await t.rejects(client.getOrSetMany(wrong as never, () => t.fail('loaded') as never), { code: 'CACHE_ERR_KEY_INVALID' })
    await t.rejects(client.namespace('app').getOrSetMany(wrong as never, () => t.fail('loaded') as never), { code: 'CACHE_ERR_KEY_INVALID' })
  }
  t.same(errorsOf(registry, 'memory'), { key_invalid: 8 })
})

t.test('getOrSetMany: an unknown option is an error, and nothing is stored', async (t) => {
  const { client, registry } = makeClient()
  t.same(await client.getOrSetMany(['a', 'b'], () => [1, 2], { tll: 5 } as never), [1, 2])
  t.same(errorsOf(registry, 'memory'), { option_unknown: 2 })
  t.same(await client.getMany(['a', 'b']), ok([null, null]))
})

t.test('getOrSetMany: in a namespace the loader gets and returns the names of the app', async (t) => {
  const { client } = makeClient()
  const inner = client.namespace('app').namespace('inner')
  const { batches, loadMany } = recorder((keys, { skip, signal }) => {
    t.notOk(signal.aborted)
    skip('user:2')
    return new Map(keys.map((key) => [key, `value of ${key}`]))
  })
  t.same(await inner.getOrSetMany(['user:1', 'user:2'], loadMany, { tags: ['users'] }), ['value of user:1', 'value of user:2'])
  t.same(batches, [['user:1', 'user:2']])
  t.same(await client.getMany(['app:inner:user:1', 'app:inner:user:2']), ok(['value of user:1', null]))
  await inner.tags.invalidate('users')
  t.same(await inner.get('user:1'), ok(null))
})

t.test('getOrSetMany: types: values are those of the loader, or undefined', async (t) => {
  const { client } = makeClient()
  const ofMap: (number | undefined)[] = await client.getOrSetMany(['a'], () => new Map([['a', 1]]))
  const ofList: (string | undefined)[] = await client.getOrSetMany(['b'], async (keys) => keys.map((key) => key))
  // @ts-expect-error -- a value may be missing
  const certain: number[] = await client.getOrSetMany(['a'], () => new Map([['a', 1]]))
  t.same([ofMap, ofList, certain], [[1], ['b'], [1]])
})

t.test('getOrSetMany: a Map that throws when it is read is a failed load', async (t) => {
  const { client } = makeClient()
  // A proxy of a Map is an instance of Map, but its methods throw.
  const proxy = (keys: string[]) => new Proxy(new Map(keys.map((key) => [key, 1])), {})
  await t.rejects(client.getOrSetMany(['a', 'b'], proxy), TypeError)
  t.same(await client.getOrSetMany(['a', 'b'], () => [1, 2]), [1, 2], 'the next call loads')
})

/** A cache that records the most reads and the most stores that began in one turn of the event loop. */
class BusyCache extends ForeignCache {
  readonly most = { getEntry: 0, set: 0 }
  readonly #now = { getEntry: 0, set: 0 }

  override getEntry (key: string): ReturnType<ForeignCache['getEntry']> {
    this.#count('getEntry')
    return super.getEntry(key)
  }

  override set (...args: Parameters<ForeignCache['set']>): ReturnType<ForeignCache['set']> {
    this.#count('set')
    return super.set(...args)
  }

  #count (call: 'getEntry' | 'set'): void {
    if (this.#now[call]++ === 0) setImmediate(() => { this.#now[call] = 0 })
    this.most[call] = Math.max(this.most[call], this.#now[call])
  }
}

t.test('getOrSetMany: thousands of keys are one load, whose reads and stores take several turns of the event loop', async (t) => {
  const cache = new BusyCache()
  const { client, registry } = makeClient<any>(() => cache)
  const { batches, loadMany } = recorder()
  const keys = Array.from({ length: 2000 }, (_, at) => `user:${at}`)
  t.same(await client.getOrSetMany(keys, loadMany), keys.map((key) => `value of ${key}`))
  t.same(batches, [keys])
  await settle()
  t.match(countsOf(registry, registry.active.stats.label), { misses: 2000, sets: 2000 })
  for (const [call, most] of Object.entries(cache.most)) t.ok(most >= 256 && most <= 512, `${call}: ${most} calls in one turn`)
})
