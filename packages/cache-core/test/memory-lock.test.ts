import type { Lock } from '@x/cache-core'
import t from 'tap'
import { MemoryLocks } from '../src/caches/memory/memory-lock.js'
import { stateOf } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'

async function held (locks: MemoryLocks, key = 'key', ttl = 60): Promise<Lock> {
  const lock = await locks.acquire(key, { ttl })
  if (lock === null) throw new Error('the lock is not free')
  return lock
}

t.test('acquire: null at once if it is held and nobody wants to wait', async (t) => {
  const locks = new MemoryLocks()
  t.teardown(() => locks.close())
  await held(locks)
  for (const waitMs of [undefined, 0]) t.equal(await locks.acquire('key', waitMs === undefined ? { ttl: 1 } : { ttl: 1, waitMs }), null)
})

t.test('acquire: waiters get it in turn; one that gave up is passed over', async (t) => {
  const time = new FakeTime(t)
  const locks = new MemoryLocks()
  const first = await held(locks)
  const impatient = locks.acquire('key', { ttl: 60, waitMs: 100 })
  const second = locks.acquire('key', { ttl: 60, waitMs: 1000 })
  const third = locks.acquire('key', { ttl: 60, waitMs: 1000 })
  time.advance(100)
  t.equal(await impatient, null)
  await first.release()
  const next = await second
  t.ok(next)
  t.equal(await stateOf(third), 'pending')
  await next!.release()
  t.ok(await third)
})

t.test('acquire: a waiter that leaves from the middle takes nobody\'s place away', async (t) => {
  const time = new FakeTime(t)
  const locks = new MemoryLocks()
  const lock = await held(locks)
  const waiting = [300, 100, 200].map((waitMs) => locks.acquire('key', { ttl: 60, waitMs }))
  time.advance(250)
  t.same([await waiting[1], await waiting[2]], [null, null])
  await lock.release()
  t.ok(await waiting[0])
})

t.test('acquire: an endless wait is no wait of a millisecond', async (t) => {
  const time = new FakeTime(t)
  const locks = new MemoryLocks()
  const lock = await held(locks)
  const waiting = locks.acquire('key', { ttl: 60, waitMs: Infinity })
  time.advance(50_000)
  t.equal(await stateOf(waiting), 'pending')
  await lock.release()
  t.ok(await waiting)
})

t.test('acquire: an endless ttl is no ttl of a millisecond', async (t) => {
  const time = new FakeTime(t)
  const locks = new MemoryLocks()
  const lock = await held(locks, 'key', Infinity)
  time.advance(24 * 3600 * 1000)
  t.equal(await locks.acquire('key', { ttl: 1 }), null)
  t.match(await lock.extend(Infinity), { ok: true })
  time.advance(24 * 3600 * 1000)
  t.equal(await locks.acquire('key', { ttl: 1 }), null)
})

t.test('acquire: the ttl of a waiter counts from when it gets the lock', async (t) => {
  const time = new FakeTime(t)
  const locks = new MemoryLocks()
  const lock = await held(locks)
  const waiting = locks.acquire('key', { ttl: 10, waitMs: 60_000 })
  time.advance(9000)
  await lock.release()
  await waiting
  time.advance(9000)
  t.equal(await locks.acquire('key', { ttl: 1 }), null)
  time.advance(1000)
  t.ok(await locks.acquire('key', { ttl: 1 }))
})

t.test('acquire: a chain of dead holders still lets everybody in', async (t) => {
  const time = new FakeTime(t)
  const locks = new MemoryLocks()
  await held(locks, 'key', 1)
  const waiting = [1, 2, 3].map(() => locks.acquire('key', { ttl: 1, waitMs: 60_000 }))
  const tokens: number[] = []
  for (const lock of waiting) {
    time.advance(1000)
    tokens.push((await lock)!.token)
  }
  t.same(tokens, [2, 3, 4])
})

t.test('release: with an outcome dismisses those who wait, not those who come', async (t) => {
  const time = new FakeTime(t)
  const locks = new MemoryLocks()
  const lock = await held(locks)
  const waiting = [locks.acquire('key', { ttl: 1, waitMs: 1000 }), locks.acquire('key', { ttl: 1, waitMs: 1000 })]
  await lock.release('stored')
  t.same(await Promise.all(waiting), [null, null])
  t.ok(await locks.acquire('key', { ttl: 1, waitMs: 1000 }))
  locks.close()
  t.equal(time.pending, 0)
})

t.test('release: leaves no timer', async (t) => {
  const time = new FakeTime(t)
  const locks = new MemoryLocks()
  const lock = await held(locks)
  const waiting = locks.acquire('key', { ttl: 1, waitMs: 1000 })
  await lock.release()
  await (await waiting)!.release()
  t.equal(time.pending, 0)
})

t.test('extend: a bad time is CACHE_ERR_TTL_INVALID, and changes nothing', async (t) => {
  const time = new FakeTime(t)
  const locks = new MemoryLocks()
  const lock = await held(locks, 'key', 10)
  for (const ttl of [0, -1, NaN, '5', undefined]) t.match(await lock.extend(ttl as number), { error: { code: 'CACHE_ERR_TTL_INVALID' } })
  time.advance(9999)
  t.equal(await locks.acquire('key', { ttl: 1 }), null)
  time.advance(1)
  t.match(await lock.extend(10), { error: { code: 'CACHE_ERR_UNAVAILABLE' } })
})

t.test('extend: counts from now, not on top', async (t) => {
  const time = new FakeTime(t)
  const locks = new MemoryLocks()
  const lock = await held(locks, 'key', 100)
  await lock.extend(1)
  time.advance(1000)
  t.ok(await locks.acquire('key', { ttl: 1 }))
})

t.test('close: dismisses all who wait, frees all, leaves no timer', async (t) => {
  const time = new FakeTime(t)
  const locks = new MemoryLocks()
  const lock = await held(locks)
  const waiting = locks.acquire('key', { ttl: 1, waitMs: 1000 })
  locks.close()
  t.equal(await waiting, null)
  t.equal(time.pending, 0)
  t.match(await lock.release(), { ok: true })
  t.match(await lock.extend(5), { error: { code: 'CACHE_ERR_UNAVAILABLE' } })
})

t.test('acquire: a lock that nobody releases does not hold the process', async (t) => {
  const timeouts = (): number => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
  const before = timeouts()
  const locks = new MemoryLocks()
  await held(locks)
  t.equal(timeouts(), before)
  locks.close()
})
