import { CacheRegistry, MemoryCache, NullCache, type FastifyCache } from '@x/cache-core'
import t, { type Test } from 'tap'
import { ForeignCache } from '@x/test-kit/foreign-caches'
import { countsOf, errorsOf, makeClient } from '@x/test-kit/make-client'

const KEY = 'user:1'
const UNKNOWN = { ok: false, error: { code: 'CACHE_ERR_OPTION_UNKNOWN', message: /no other members than .*ttl.*: got "tll"/ } }

/** The cache, a namespace of it, and a namespace with defaults: all three refuse the same. */
const cachesOf = (client: FastifyCache): FastifyCache[] => [client, client.namespace('app'), client.namespace('app', { ttl: 5 })]

t.test('set, setMany: { tll: 5 } is refused, and nothing is stored', async (t) => {
  for (const made of [makeClient<any>(), makeClient<any>(() => new ForeignCache()), makeClient<any>(() => new NullCache())]) {
    for (const cache of cachesOf(made.client)) {
      t.match(await cache.set(KEY, 1, { tll: 5 } as never), UNKNOWN)
      t.match(await cache.setMany([{ key: KEY, value: 1, options: { tll: 5 } as never }]), UNKNOWN)
      t.match(await cache.get(KEY), { ok: true, value: null })
    }
    t.same(errorsOf(made.registry, made.registry.active.stats.label), { option_unknown: 6 })
  }
})

t.test('setMany: a ttl beside the options in place of within them is refused', async (t) => {
  for (const cache of cachesOf(makeClient().client)) {
    t.match(await cache.setMany([{ key: KEY, value: 1, ttl: 5 } as never]), { error: { code: 'CACHE_ERR_OPTION_UNKNOWN', message: /key, value, options: got "ttl"/ } })
    for (const wrong of [null, undefined, 'x', 7, [KEY], new Map()]) {
      t.match(await cache.setMany([wrong as never]), { ok: false, error: { code: 'CACHE_ERR_KEY_INVALID' } })
    }
    t.match(await cache.get(KEY), { ok: true, value: null })
  }
})

t.test('set, setMany, getEntry: a Date, a Map, a list or a misspelled member in place of options is refused', async (t) => {
  for (const made of [makeClient<any>(), makeClient<any>(() => new ForeignCache()), makeClient<any>(() => new NullCache())]) {
    for (const cache of cachesOf(made.client)) {
      for (const wrong of [new Date(Date.now() + 60_000), new Map([['ttl', 5]]), ['tag'], Promise.resolve({ ttl: 5 })]) {
        t.match(await cache.set(KEY, 1, wrong as never), { ok: false, error: { code: 'CACHE_ERR_OPTION_UNKNOWN' } })
        t.match(await cache.setMany([{ key: KEY, value: 1, options: wrong as never }]), { ok: false, error: { code: 'CACHE_ERR_OPTION_UNKNOWN' } })
      }
      t.match(await cache.getEntry(KEY, { naer: false } as never), { ok: false, error: { code: 'CACHE_ERR_OPTION_UNKNOWN', message: /tags, stale, near: got "naer"/ } })
      t.match(await cache.getEntry(KEY, { near: false, stale: false, tags: [] }), { ok: true, value: null })
      t.match(await cache.get(KEY), { ok: true, value: null })
    }
  }
  t.match(await new MemoryCache().set(KEY, 1, new Date() as never), { ok: false, error: { code: 'CACHE_ERR_OPTION_UNKNOWN' } })
})

for (const [name, make] of Object.entries({
  memory: () => makeClient<any>(),
  foreign: () => makeClient<any>(() => new ForeignCache()),
  null: () => makeClient<any>(() => new NullCache())
})) {
  t.test(`getOrSet: { tll: 5 } loads, is an error and not stored (${name})`, async (t) => {
    for (const wrong of [{ tll: 5 }, { ttl: 5, timeout: 10 }, 'x', true, [5], new Date(), new Map()]) {
      const { client, registry } = make()
      let loads = 0
      for (const cache of cachesOf(client)) {
        for (let call = 1; call <= 2; call++) {
          const before = loads
          t.equal(await cache.getOrSet(KEY, () => ++loads, wrong as never), before + 1)
          t.same(await cache.getOrSetMany([KEY], () => [++loads], wrong as never), [before + 2])
          await new Promise(setImmediate)
        }
      }
      const { label } = registry.active.stats
      t.same(errorsOf(registry, label), { option_unknown: 12 }, JSON.stringify(wrong))
      t.match(countsOf(registry, label), { sets: 0 })
    }
  })
}

t.test('getOrSet: every documented option is known', async (t) => {
  const { client, registry } = makeClient()
  await client.getOrSet(KEY, () => 1, {
    ttl: 60, jitter: 0.1, staleWhileRevalidate: 1, staleIfError: 1, retryAfterMs: 1, tags: ['a'], coveringTags: ['b'], timeoutMs: 1000, lock: true, earlyRefresh: 1
  })
  t.same(errorsOf(registry, 'memory'), {})
  t.match(countsOf(registry, 'memory'), { sets: 1 })
})

t.test('lock, tags.invalidate, warm: an unknown option is refused', async (t) => {
  for (const at of [0, 1, 2]) await refusesNames(t, at)
})

async function refusesNames (t: Test, at: number): Promise<void> {
  const { client: of, registry } = makeClient()
  const client = cachesOf(of)[at]!
  t.match(await client.lock(KEY, { ttl: 5, wait: 10 } as never), { ok: false, error: { code: 'CACHE_ERR_OPTION_UNKNOWN' } })
  for (const options of [{ sofft: true }, 'soft', true]) {
    t.match(await client.tags.invalidate('tag', options as never), { ok: false, error: { code: 'CACHE_ERR_OPTION_UNKNOWN' } }, JSON.stringify(options))
  }
  t.match(await client.tags.invalidate('tag', { soft: true }), { ok: true })
  t.match(await client.warm([{ key: KEY, loader: () => 1, ttl: 5 } as never, { key: 'user:2', loader: () => 2, options: { ttl: 5 } }]), { warmed: 1, failed: 1 })
  t.match(await client.warm([{ key: 'user:3', loader: () => 3, option: { ttl: 5 } } as never, { key: 'user:4', loader: () => 4, options: 5 as never }]), { warmed: 1, failed: 1 })
  t.match(await client.getEntry('user:4'), { value: { ttlLeft: 5 } })
  t.same(errorsOf(registry, 'memory'), { option_unknown: 4 })
  await client.warm([], { concurency: 8 } as never)
  t.same(errorsOf(registry, 'memory'), { option_unknown: 5 })
}

t.test('an option that is undefined, or that every object inherits, counts as absent', async (t) => {
  const { client } = makeClient()
  t.match(await client.set(KEY, 1, { tll: undefined } as never), { ok: true })
  t.match(await client.set(KEY, 1, Object.create({ tll: 5 })), { ok: true })
})

t.test('the error names no unknown member that may be data', async (t) => {
  const { client } = makeClient()
  for (const name of ['ada@example.com', 'x'.repeat(33)]) {
    t.match(await client.set(KEY, 1, { [name]: 1 } as never), { error: { code: 'CACHE_ERR_OPTION_UNKNOWN', message: /got another member$/ } })
  }
})

t.test('new MemoryCache, new CacheRegistry: an unknown option throws CACHE_ERR_OPTION_INVALID', async (t) => {
  t.throws(() => new MemoryCache({ maxEntry: 5 } as never), { code: 'CACHE_ERR_OPTION_INVALID', message: /maxEntry/ })
  t.throws(() => new CacheRegistry({ maxKeyPattern: 5 } as never), { code: 'CACHE_ERR_OPTION_INVALID', message: /maxKeyPattern/ })
})
