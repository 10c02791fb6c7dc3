import { CacheRegistry, type Cache } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { deferred, settle } from '@x/test-kit/deferred'
import { ForeignCache } from '@x/test-kit/foreign-caches'
import { countsOf, errorsOf, makeClient } from '@x/test-kit/make-client'

const KEY = 'user:1'

/** Makes clients for both cases without a cache: a pass-through implementation, and the control arm. */
function observing () {
  const registry = new CacheRegistry()
  const { client, registry: cached, impl } = makeClient(() => new ForeignCache())
  return [
    { name: 'NullCache', client: new CacheClient(registry), registry, impl: undefined },
    { name: 'the control arm', client: client.withArm('control'), registry: cached, impl }
  ]
}

t.test('getOrSet: coalesces nothing: every caller runs its own loader', async (t) => {
  for (const { name, client, registry } of observing()) {
    const values = [deferred<number>(), deferred<number>()]
    let loads = 0
    const calls = values.map(({ promise }) => client.getOrSet(KEY, () => { loads++; return promise }))
    t.equal(loads, 2, name)
    values[0]!.resolve(0)
    values[1]!.reject(new Error('only this one'))
    t.equal(await calls[0], 0)
    await t.rejects(calls[1]!, { message: 'only this one' })
    t.match(countsOf(registry, 'null'), { hits: 0, misses: 2, sets: 1 }, 'one miss for each call')
  }
})

t.test('getOrSet: awaits nothing before the loader: it starts within the call', async (t) => {
  for (const { name, client } of observing()) {
    for (const options of [undefined, 60, { timeoutMs: 1000 }, { tags: ['users'], lock: true, staleIfError: 60, staleWhileRevalidate: 60, earlyRefresh: 1 }]) {
      let hasStarted = false
      const call = client.getOrSet(KEY, () => { hasStarted = true; return 1 }, options)
      t.ok(hasStarted, name)
      t.equal(await call, 1)
    }
  }
})

t.test('getOrSet: hands on the very value and the very error', async (t) => {
  for (const { name, client } of observing()) {
    const value = { circular: undefined as unknown }
    value.circular = value
    t.equal(await client.getOrSet(KEY, () => value), value, name)
    t.equal(await client.getOrSet<unknown>(KEY, () => undefined), undefined)
    const failure = { not: 'an Error' }
    t.equal(await client.getOrSet(KEY, () => { throw failure }).catch((error: unknown) => error), failure)
    t.equal(await client.getOrSet(KEY, async () => { throw failure }).catch((error: unknown) => error), failure)
  }
})

t.test('getOrSet: asks the implementation nothing in the control arm', async (t) => {
  for (const { client, impl } of observing()) {
    await client.getOrSet(KEY, () => 1, { tags: ['users'], lock: true, staleIfError: 60 })
    await settle()
    t.same(impl?.calls ?? [], [])
  }
})

t.test('getOrSet: counts as stores what a cache would have stored', async (t) => {
  for (const { name, client, registry } of observing()) {
    await client.getOrSet(KEY, () => 1, 60)
    await client.getOrSet(KEY, () => 1, 0)
    await client.getOrSet(KEY, (load) => { load.skip(); return 1 })
    await client.getOrSet<unknown>(KEY, () => undefined)
    t.match(countsOf(registry, 'null'), { hits: 0, misses: 4, sets: 1 }, name)
  }
})

t.test('getOrSet: counts an invalid key as an error and no miss, and measures its load all the same', async (t) => {
  for (const { name, client, registry } of observing()) {
    t.equal(await client.getOrSet('', () => 1), 1, name)
    t.equal(await client.getOrSet('x'.repeat(2000), () => 1), 1)
    t.same(errorsOf(registry, 'null'), { key_invalid: 2 })
    t.match(countsOf(registry, 'null'), { misses: 0, sets: 0 })
    t.equal(registry.stats.loadsOf('other').durations.count, 2)
  }
})

t.test('getOrSet: announces every load with its value or its error', async (t) => {
  for (const { name, client, registry } of observing()) {
    const announced: unknown[] = []
    registry.events.on('loaded', (key, pattern, seconds, value, error, background) => {
      t.ok(seconds >= 0)
      announced.push([key, pattern, value, error, background])
    })
    const failure = new Error('down')
    await client.getOrSet(KEY, () => 1)
    await client.getOrSet(KEY, () => { throw failure }).catch(() => {})
    t.same(announced, [[KEY, 'user', 1, undefined, false], [KEY, 'user', undefined, failure, false]], name)
    t.match(registry.stats.loadsOf('user'), { failures: 1, durations: { count: 2 } })
  }
})

t.test('getOrSet: a degraded implementation is not observed: its loads are coalesced', async (t) => {
  const degraded: Cache = {
    name: 'redis',
    get: async () => ({ ok: true, value: null }),
    set: async () => ({ ok: true, value: undefined }),
    del: async () => ({ ok: true, value: undefined }),
    status: () => ({ degraded: true })
  }
  const { client, registry } = makeClient(() => degraded)
  t.match(registry.status(), { implName: 'NullCache', degraded: true })
  const value = deferred<number>()
  let loads = 0
  const calls = [1, 2, 3].map(() => client.getOrSet(KEY, () => { loads++; return value.promise }))
  await settle()
  value.resolve(1)
  t.same(await Promise.all(calls), [1, 1, 1])
  t.equal(loads, 1)
})

t.test('getOrSet: outside of the allow-list and of the percent a key is control', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache(), { rollout: { allow: ['order'] } })
  await client.getOrSet(KEY, () => 1)
  await client.getOrSet('order:1', () => 1)
  await settle()
  t.same(impl.calls, ['getEntry order:1', 'capture', 'set order:1'])
  registry.rollout.allow = ['*']
  registry.rollout.percent = 0
  await client.getOrSet('order:1', () => 1)
  await settle()
  t.equal(impl.calls.length, 3)
  t.match(countsOf(registry, 'null'), { misses: 2 })
  t.match(countsOf(registry, 'ForeignCache'), { misses: 1 })
})
