import { CacheRegistry } from '@x/cache-core'
import { err, timeout, unavailable } from '@x/cache-core/implementing'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { deferred, settle } from '@x/test-kit/deferred'
import { ForeignCache, ThreeMethodCache, type Fault } from '@x/test-kit/foreign-caches'
import { countsOf, errorsOf, makeClient } from '@x/test-kit/make-client'

const KEY = 'user:1'

for (const fault of ['throws', 'rejects', 'is no Result'] as const satisfies Fault[]) {
  for (const member of ['getEntry', 'set', 'capture', 'lock']) {
    t.test(`getOrSet: a cache whose ${member} ${fault} fails no caller, and is counted`, async (t) => {
      const { client, registry, impl } = makeClient(() => new ForeignCache())
      const failed: string[] = []
      registry.events.on('failed', (impl, operation, error) => failed.push(`${impl} ${operation} ${error.code}`))
      impl.faults.set(member, fault)
      const options = { tags: ['users'], lock: true, staleIfError: 60 }
      t.equal(await client.getOrSet(KEY, () => 'value', options), 'value')
      await settle()
      const { implementation } = errorsOf(registry, 'ForeignCache')
      t.ok(implementation! >= 1, `${implementation} errors`)
      t.match(failed[0], /^ForeignCache \S+ CACHE_ERR_IMPLEMENTATION$/)
      t.match(countsOf(registry, 'ForeignCache'), { hits: 0, misses: 1 })
      impl.faults.clear()
      t.equal(await client.getOrSet(KEY, () => 'again', options), member === 'getEntry' || member === 'lock' ? 'value' : 'again')
    })
  }
}

t.test('getOrSet: an outage is no pass-through: loads stay single-flight, and the cache is used again when it is back', async (t) => {
  const { client, impl } = makeClient(() => new ForeignCache())
  impl.faults.set('getEntry', 'rejects').set('set', 'rejects')
  let loads = 0
  const value = deferred<string>()
  const load = () => { loads++; return value.promise }
  const calls = Array.from({ length: 50 }, () => client.getOrSet(KEY, load))
  await settle()
  calls.push(client.getOrSet(KEY, load))
  await settle()
  value.resolve('value')
  await Promise.all(calls)
  t.equal(loads, 1)
  impl.faults.clear()
  await client.getOrSet(KEY, load)
  await settle()
  await client.getOrSet(KEY, load)
  t.equal(loads, 2)
})

for (const failure of ['unavailable', 'timeout'] as const) {
  t.test(`getOrSet: a store that does not answer (${failure}) is asked once, not again for a lock, for tokens and to store`, async (t) => {
    const { client, registry, impl } = makeClient(() => new ForeignCache())
    const error = failure === 'unavailable' ? unavailable('getEntry') : timeout('getEntry', 400)
    t.intercept(impl.memory, 'getEntry', { value: async () => err(error) })
    t.equal(await client.getOrSet(KEY, () => 'value', { tags: ['users'], lock: true, ttl: 60 }), 'value')
    await settle()
    t.same(impl.calls, [`getEntry ${KEY}`])
    t.same(errorsOf(registry, 'ForeignCache'), { [failure]: 1 })
  })
}

t.test('getOrSet: an invalid key loads, alone, and is counted as an error', async (t) => {
  const { client, registry } = makeClient()
  for (const key of ['', 'x'.repeat(10_000), 'a\ud800', 1, null, undefined, {}, Symbol('key')]) {
    t.equal(await client.getOrSet(key as string, () => 'value'), 'value', String(key).slice(0, 20))
  }
  t.same(errorsOf(registry, 'null'), { key_invalid: 8 })
  t.same(countsOf(registry, 'memory'), { hits: 0, misses: 0, sets: 0, dels: 0 })
  t.equal(await client.getOrSet('a\nb', () => 'a newline is allowed'), 'a newline is allowed')
  t.equal(await client.getOrSet('a\nb', () => t.fail('loaded again')), 'a newline is allowed')
})

const badOptions: [string, unknown, string | undefined][] = [
  ['ttl', -1, 'ttl_invalid'], ['ttl', NaN, 'ttl_invalid'], ['ttl', '60', 'ttl_invalid'], ['ttl', null, 'ttl_invalid'],
  ['ttl', () => { throw new Error('bug') }, 'ttl_invalid'], ['ttl', () => -1, 'ttl_invalid'], ['ttl', () => 'x', 'ttl_invalid'],
  ['staleWhileRevalidate', -1, 'ttl_invalid'], ['staleIfError', 'x', 'ttl_invalid'],
  ['jitter', NaN, undefined], ['jitter', 'x', undefined], ['jitter', -1, undefined], ['jitter', 7, undefined],
  ['tags', 'users', 'tag_invalid'], ['tags', null, 'tag_invalid'], ['tags', [''], 'tag_invalid'], ['tags', [1], 'tag_invalid'],
  ['tags', Array.from({ length: 65 }, (_, at) => `t${at}`), 'tag_invalid'], ['tags', () => ['a'], 'tag_invalid'],
  ['coveringTags', 'users', 'tag_invalid'], ['coveringTags', null, 'tag_invalid'],
  ['timeoutMs', Infinity, undefined], ['timeoutMs', NaN, undefined], ['timeoutMs', 2 ** 40, undefined], ['timeoutMs', -1, undefined],
  ['timeoutMs', 'x', undefined], ['retryAfterMs', 'x', undefined], ['earlyRefresh', 'x', undefined], ['lock', 'yes', undefined]
]
for (const name of ['memory', 'foreign', 'null'] as const) {
  t.test(`getOrSet: no option that is wrong fails the caller (${name})`, async (t) => {
    for (const [option, value, error] of badOptions) {
      const made = name === 'memory' ? makeClient<any>() : makeClient<any>(() => new ForeignCache())
      const registry = name === 'null' ? new CacheRegistry() : made.registry
      const client = name === 'null' ? new CacheClient(registry) : made.client
      for (const cache of [client, client.namespace('app')]) {
        const loading = cache.getOrSet(KEY, async () => { await settle(); return 'value' }, { [option]: value })
        t.equal(await loading.catch(String), 'value', `${option}: ${String(value).slice(0, 40)}`)
      }
      await settle()
      if (name !== 'null') t.equal(registry.active.stats.errors.get(error!) ?? 0, error === undefined ? 0 : 2, `${option} is counted`)
    }
    const { client } = makeClient()
    for (const options of [null, 'x', true, [], () => {}]) {
      for (const cache of [client, client.namespace('app')]) {
        t.equal(await cache.getOrSet(KEY, () => 'value', options as object), 'value', `options: ${String(options)}`)
      }
    }
  })
}

t.test('getOrSet: a loader that is no function rejects, it does not throw', async (t) => {
  const { client } = makeClient()
  for (const cache of [client, client.withArm('control')]) await t.rejects(cache.getOrSet(KEY, 7 as never), TypeError)
})

t.test('getOrSet: an implementation that answers a miss with undefined or no value at all is a miss', async (t) => {
  for (const miss of [{ ok: true }, { ok: true, value: undefined }]) {
    const { client, registry } = makeClient<any>(() => {
      const cache = new ThreeMethodCache()
      cache.get = async () => miss as never
      return cache
    })
    t.equal(await client.getOrSet(KEY, () => 'value'), 'value')
    t.same(await client.get(KEY), { ok: true, value: null })
    t.match(countsOf(registry, 'ThreeMethodCache'), { hits: 0, misses: 2 })
  }
})

t.test('getOrSet: a loader that takes skip or signal out of its argument does not fail', async (t) => {
  const { client } = makeClient()
  t.equal(await client.getOrSet(KEY, ({ key, signal, skip }) => { skip(); return `${key} ${signal.aborted}` }), `${KEY} false`)
  t.equal(await client.getOrSet(KEY, () => 'next'), 'next')
})

t.test('getOrSet: skip hands the value to all and stores it nowhere', async (t) => {
  const { client, registry } = makeClient()
  const calls = [1, 2].map(() => client.getOrSet(KEY, async (load) => { load.skip(); return 'value' }))
  t.same(await Promise.all(calls), ['value', 'value'])
  t.match(countsOf(registry, 'memory'), { misses: 2, sets: 0 })
  t.equal(await client.getOrSet(KEY, () => 'next'), 'next')
})

t.test('getOrSet: ttl 0 stores nothing, as a number, in options and as a function', async (t) => {
  const { client, registry } = makeClient()
  for (const options of [0, { ttl: 0 }, { ttl: () => 0 }]) t.equal(await client.getOrSet(KEY, () => 'value', options), 'value')
  t.match(countsOf(registry, 'memory'), { misses: 3, sets: 0 })
  t.same(errorsOf(registry, 'memory'), {})
})

t.test('getOrSet: the loader is told its key', async (t) => {
  const { client } = makeClient()
  await client.getOrSet(KEY, ({ key }) => t.equal(key, KEY))
  await client.namespace('app').getOrSet(KEY, ({ key }) => t.equal(key, `app:${KEY}`))
})

t.test('getOrSet: keys are never labels', async (t) => {
  const { client, registry } = makeClient()
  for (const key of ['ada@example.org', `${'1'.repeat(16)}:profile`, 'user:ada', 'plain']) await client.getOrSet(key, () => 1)
  t.same([...registry.active.stats.counters.keys()], ['other', 'user'])
  t.same([...registry.stats.loads.keys()], ['other', 'user'])
})
