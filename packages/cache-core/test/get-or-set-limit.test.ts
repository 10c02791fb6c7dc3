import { CacheRegistry, MemoryCache } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { deferred, settle, stateOf } from '@x/test-kit/deferred'
import { fakeTimers } from '@x/test-kit/fake-timers'
import { ForeignCache } from '@x/test-kit/foreign-caches'
import { errorsOf, makeClient } from '@x/test-kit/make-client'
import { runScript } from '@x/test-kit/run-script'

const KEY = 'user:1'
const LIMIT_MS = 30_000
/** Milliseconds after which all loads are overdue, since a load is overdue between the limit and 9/8 of it. */
const OVERDUE_MS = 34_000
const hang = (): Promise<never> => new Promise(() => {})

for (const [kind, implementation] of Object.entries({ memory: undefined, foreign: () => new ForeignCache() })) {
  t.test(`getOrSet: a load that never settles closes its key for 30 s, not for ever (${kind})`, async (t) => {
    const { tick } = fakeTimers(t)
    const { client, registry, impl } = makeClient<any>(implementation)
    const failed: unknown[] = []
    registry.events.on('failed', (_impl, operation, error) => { failed.push([operation, error.code]) })
    void client.getOrSet(KEY, hang)
    await tick(LIMIT_MS - 1)
    const joined = client.getOrSet<unknown>(KEY, () => 'of the waiter')
    t.equal(await stateOf(joined), 'pending')
    await tick(OVERDUE_MS - LIMIT_MS)
    t.equal(await joined, 'of the waiter', 'one of those who wait loads')
    t.same(failed, [['getOrSet', 'CACHE_ERR_LOAD_OVERDUE']], 'and it is said')
    await settle()
    t.match(await impl.get(KEY), { value: 'of the waiter' })
    t.equal(registry.flights.joinable(KEY), undefined)
  })

  t.test(`getOrSet: a value that comes after the limit is given to those who wait, and not stored (${kind})`, async (t) => {
    const { tick } = fakeTimers(t)
    const { client, registry, impl } = makeClient<any>(implementation)
    const [late, own] = [deferred<{ from: string }>(), deferred<{ from: string }>()]
    let loads = 0
    const first = client.getOrSet(KEY, () => late.promise, { ttl: 3600 })
    const waiting = [1, 2].map(() => client.getOrSet(KEY, () => { loads++; return own.promise }))
    await tick(OVERDUE_MS)
    t.equal(loads, 1, 'the waiters share one load of their own')
    late.resolve({ from: 'late' })
    t.same(await Promise.all([first, ...waiting]), [{ from: 'late' }, { from: 'late' }, { from: 'late' }])
    await settle()
    t.match(await impl.get(KEY), { value: null }, 'not stored')
    own.resolve({ from: 'own' })
    await settle()
    t.match(await impl.get(KEY), { value: { from: 'own' } })
    t.same(errorsOf(registry, registry.active.stats.label), { load_overdue: 1 })
  })

  t.test(`getOrSet: after the limit later callers load anew (${kind})`, async (t) => {
    const { tick } = fakeTimers(t)
    const { client } = makeClient<any>(implementation)
    const late = deferred<string>()
    const first = client.getOrSet(KEY, () => late.promise)
    await tick(OVERDUE_MS)
    t.equal(await client.getOrSet(KEY, () => 'new'), 'new')
    late.resolve('late')
    t.equal(await first, 'late')
    await settle()
    t.equal(await client.getOrSet(KEY, () => t.fail('not stored')), 'new')
  })

  t.test(`getOrSet: a load that fails after the limit harms neither its waiters nor the next refresh (${kind})`, async (t) => {
    const { tick } = fakeTimers(t)
    const { client } = makeClient<any>(implementation)
    const late = deferred<string>()
    const own = deferred<string>()
    const first = client.getOrSet(KEY, () => late.promise)
    const waiting = client.getOrSet(KEY, () => own.promise)
    await tick(OVERDUE_MS)
    const rejected = t.rejects(first, { message: 'late' })
    late.reject(new Error('late'))
    await rejected
    t.equal(await stateOf(waiting), 'pending')
    own.resolve('own')
    t.equal(await waiting, 'own')
  })
}

t.test('getOrSet: a refresh that never settles is tried again after the limit', async (t) => {
  const { tick } = fakeTimers(t)
  const { client, clock } = makeClient()
  const options = { ttl: 10, staleWhileRevalidate: 3600 }
  await client.getOrSet(KEY, () => 'old', options)
  clock.advance(11)
  t.equal(await client.getOrSet(KEY, hang, options), 'old')
  t.equal(await client.getOrSet(KEY, () => t.fail('refreshed twice'), options), 'old')
  await tick(OVERDUE_MS)
  t.equal(await client.getOrSet(KEY, () => 'new', options), 'old')
  await settle()
  t.equal(await client.getOrSet(KEY, () => t.fail('not refreshed'), options), 'new')
})

t.test('getOrSet: a load that never settles frees its lock after the limit, and holds it until then', async (t) => {
  const { tick } = fakeTimers(t)
  const impl = new MemoryCache()
  const [one, two] = [1, 2].map(() => {
    const registry = new CacheRegistry()
    registry.register(impl)
    return new CacheClient(registry)
  }) as [CacheClient, CacheClient]
  void one.getOrSet(KEY, hang, { lock: true })
  for (let waited = 0; waited < LIMIT_MS - 1000; waited += 1000) await tick(1000)
  const other = two.getOrSet(KEY, () => 'value', { lock: true })
  t.equal(await stateOf(other), 'pending')
  for (let waited = 0; waited < 6000; waited += 1000) await tick(1000)
  t.equal(await other, 'value')
})

t.test('getOrSet: timeoutMs replaces the limit, in both directions', async (t) => {
  const { tick } = fakeTimers(t)
  const { client, impl } = makeClient()
  const value = deferred<string>()
  const slow = client.getOrSet(KEY, () => value.promise, { timeoutMs: 120_000 })
  await tick(60_000)
  const joined = client.getOrSet(KEY, () => t.fail('loaded twice'))
  value.resolve('value')
  t.same(await Promise.all([slow, joined]), ['value', 'value'])
  t.match(await impl.get(KEY), { value: 'value' }, 'stored after more than the default limit')
})

t.test('getOrSet: loads that end leave no timer behind, and one that hangs does not hold the process', async (t) => {
  const source = `
    import { CacheRegistry, MemoryCache } from '@x/cache-core'
    import { CacheClient } from '@x/cache-core/suite'
    const registry = new CacheRegistry()
    registry.register(new MemoryCache())
    const cache = new CacheClient(registry)
    void cache.getOrSet('hangs', () => new Promise(() => {}))
    console.log(await cache.getOrSet('user:1', () => 'value'))`
  t.equal(await runScript(source), 'value\n')
})
