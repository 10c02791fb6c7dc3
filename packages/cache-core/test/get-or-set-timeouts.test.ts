import { CacheRegistry } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { deferred, settle, stateOf } from '@x/test-kit/deferred'
import { ForeignCache } from '@x/test-kit/foreign-caches'
import { errorsOf, makeClient } from '@x/test-kit/make-client'
import { fakeTimers } from '@x/test-kit/fake-timers'

const KEY = 'user:1'

t.test('getOrSet: a cache that hangs fails no caller, and is counted', async (t) => {
  const { tick } = fakeTimers(t)
  const { client, registry, impl } = makeClient(() => new ForeignCache(), { readTimeoutMs: 80, writeTimeoutMs: 800 })
  for (const member of ['getEntry', 'capture', 'lock', 'set']) impl.faults.set(member, 'hangs')
  let loads = 0
  const calls = [1, 2, 3].map(() => client.getOrSet(KEY, () => { loads++; return 'value' }, { tags: ['users'], lock: true }))
  let isServed = false
  void Promise.all(calls).then(() => { isServed = true })
  let waited = 0
  for (; !isServed && waited < 1000; waited += 10) {
    await tick(10)
  }
  t.same(await Promise.all(calls), ['value', 'value', 'value'])
  t.equal(loads, 1, 'and does not flood the source')
  t.ok(waited <= 400, `after ${waited} ms: each of lookup, lock, second look and capture had its 90 ms`)
  t.ok(errorsOf(registry, 'ForeignCache').timeout! >= 3)
})

t.test('getOrSet: timeoutMs fails the load and aborts its signal, in every arm', async (t) => {
  const { tick } = fakeTimers(t)
  const { client } = makeClient()
  const observing = new CacheClient(new CacheRegistry())
  for (const [arm, cache] of Object.entries({ cached: client, control: client.withArm('control'), observing })) {
    let signal!: AbortSignal
    const call = cache.getOrSet(KEY, (load) => { signal = load.signal; return new Promise(() => {}) }, { timeoutMs: 100 })
    await tick(99)
    t.equal(await stateOf(call), 'pending', arm)
    t.notOk(signal.aborted)
    const rejected = t.rejects(call, { code: 'CACHE_ERR_LOAD_TIMEOUT', statusCode: 504 })
    await tick(1)
    await rejected
    t.ok(signal.aborted)
    t.equal(signal.reason.code, 'CACHE_ERR_LOAD_TIMEOUT')
    t.equal(await cache.getOrSet(KEY, () => 'value', { timeoutMs: 100 }), 'value', 'the next call loads anew')
    await client.clear()
  }
})

t.test('getOrSet: a load that fails after its time was up harms nobody', async (t) => {
  const { tick } = fakeTimers(t)
  const { client } = makeClient()
  const value = deferred<string>()
  const call = client.getOrSet(KEY, () => value.promise, { timeoutMs: 100 })
  const rejected = t.rejects(call, { code: 'CACHE_ERR_LOAD_TIMEOUT' })
  await tick(100)
  await rejected
  value.reject(new Error('late'))
  await settle()
  t.pass('no unhandled rejection')
})

t.test('getOrSet: a waiter waits for no longer than its own timeoutMs', async (t) => {
  const { tick } = fakeTimers(t)
  const { client, clock } = makeClient()
  const value = deferred<string>()
  await client.getOrSet(KEY, () => 'old', { ttl: 10, staleIfError: 60 })
  clock.advance(11)
  const owner = client.getOrSet(KEY, () => value.promise)
  const hasty = client.getOrSet(KEY, () => t.fail('loaded again'), { timeoutMs: 50 })
  const content = client.getOrSet(KEY, () => t.fail('loaded again'), { timeoutMs: 50, staleIfError: 60 })
  const patient = client.getOrSet(KEY, () => t.fail('loaded again'), { timeoutMs: 500 })
  const rejected = t.rejects(hasty, { code: 'CACHE_ERR_LOAD_TIMEOUT' })
  await tick(50)
  await rejected
  t.equal(await content, 'old', 'a stale value serves, where allowed')
  t.equal(await stateOf(owner), 'pending')
  value.resolve('new')
  t.same(await Promise.all([owner, patient]), ['new', 'new'])
})
