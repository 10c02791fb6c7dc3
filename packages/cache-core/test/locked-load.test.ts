import { CacheRegistry, MemoryCache, type CacheError, type Lock } from '@x/cache-core'
import { ok, unavailable } from '@x/cache-core/implementing'
import t from 'tap'
import { LoadLock } from '../src/loading/load-lock.js'
import type { Registration } from '../src/service/registration.js'
import { stateOf } from '@x/test-kit/deferred'
import { fakeTimers } from '@x/test-kit/fake-timers'
import { ThreeMethodCache } from '@x/test-kit/foreign-caches'

function made (impl: MemoryCache | ThreeMethodCache = new MemoryCache()) {
  const registry = new CacheRegistry()
  registry.register(impl)
  const failures: string[] = []
  const acquire = (timeoutMs?: number, registration: Registration = registry.active) =>
    LoadLock.acquire(registration, 'k', { timeoutMs }, (operation: string, error: CacheError) => failures.push(`${operation} ${error.code}`))
  return { acquire, failures }
}

t.test('acquire: takes a lock that is free, and the next one waits for its release', async (t) => {
  fakeTimers(t)
  const { acquire } = made()
  const first = await acquire()
  t.ok(first)
  const second = acquire()
  t.equal(await stateOf(second), 'pending')
  await first!.release('stored')
  t.equal(await second, undefined, 'which says that there is no need of it any more')
  t.ok(await acquire(), 'it is free again')
})

t.test('acquire: waits no longer than the load may take', async (t) => {
  const { tick } = fakeTimers(t)
  const { acquire } = made()
  await acquire()
  const second = acquire(100)
  await tick(99)
  t.equal(await stateOf(second), 'pending')
  await tick(1)
  t.equal(await second, undefined)
})

t.test('acquire: what fails is told, and is no lock', async (t) => {
  fakeTimers(t)
  const impl = Object.assign(new ThreeMethodCache(), { lock: async () => ({ ok: false, error: unavailable('lock') }) })
  const { acquire, failures } = made(impl)
  t.equal(await acquire(), undefined)
  t.same(failures, ['lock CACHE_ERR_UNAVAILABLE'])
})

t.test('release: ends the extending, and tells what failed', async (t) => {
  const timers = fakeTimers(t)
  const told: unknown[] = []
  const lock: Lock = {
    token: 1,
    extend: async (ttl) => { told.push(ttl); return { ok: false, error: unavailable('lock.extend') } },
    release: async (outcome) => { told.push(outcome); return { ok: false, error: unavailable('lock.release') } }
  }
  const { acquire, failures } = made(Object.assign(new ThreeMethodCache(), { lock: async () => ok(lock) }))
  const held = await acquire()
  await timers.tick(3400)
  await timers.tick(3400)
  await held!.release('not-stored')
  await timers.tick(7000)
  t.same(told, [10, 10, 'not-stored'])
  t.same(failures, ['lock.extend CACHE_ERR_UNAVAILABLE', 'lock.extend CACHE_ERR_UNAVAILABLE', 'lock.release CACHE_ERR_UNAVAILABLE'])
  t.equal(timers.pending, 0)
})
