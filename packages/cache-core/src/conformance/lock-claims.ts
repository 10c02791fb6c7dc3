import assert from 'node:assert/strict'
import type { Lock } from '../contract/cache.js'
import { about, codeOf, isPending, valueOf, type Claim, type FullCache } from './claim.js'

/** Claims about locks: a lock has one holder at a time, and no waiter waits without end. */
export const lockClaims: Claim[] = about('lock', [{
  name: 'lock: one holder of a key at a time; others of it get null, other keys are free',
  async check (cache) {
    const lock = await take(cache, 'key')
    assert.equal(valueOf(await cache.lock('key', { ttl: 60 })), null)
    assert.equal(valueOf(await cache.lock('key', { ttl: 60, waitMs: 0 })), null)
    const other = await take(cache, 'other')
    valueOf(await lock.release())
    valueOf(await other.release())
    valueOf(await (await take(cache, 'key')).release())
  }
}, {
  name: 'lock: has nothing to do with the value of the key',
  async check (cache) {
    valueOf(await cache.set('key', 1))
    const lock = await take(cache, 'key')
    assert.equal(valueOf(await cache.get('key')), 1)
    valueOf(await cache.del('key'))
    assert.equal(valueOf(await cache.lock('key', { ttl: 60 })), null)
    valueOf(await lock.release())
    assert.equal(valueOf(await cache.get('key')), null)
  }
}, {
  name: 'lock: without an outcome the next waiter gets it, and so each in turn',
  async check (cache, { unit }) {
    const lock = await take(cache, 'key', 60 * unit)
    const order: number[] = []
    const waiting = []
    for (const at of [1, 2, 3]) {
      waiting.push(wait(cache, 'key', unit).then(async (lock) => {
        assert.ok(lock !== null)
        order.push(at)
        valueOf(await lock.release())
      }))
      assert.equal(await isPending(waiting.at(-1)!), true)
    }
    valueOf(await lock.release())
    await Promise.all(waiting)
    // The claim does not fix the order of the waiters, since waiters in several processes have no common queue.
    assert.deepEqual(order.toSorted((a, b) => a - b), [1, 2, 3])
  }
}, {
  name: 'lock: a waiter gets null once waitMs has passed',
  async check (cache, { unit, pass }) {
    const lock = await take(cache, 'key', 60 * unit)
    const waiting = cache.lock('key', { ttl: 60 * unit, waitMs: unit * 1000 })
    assert.equal(await isPending(waiting), true)
    await pass(1.5)
    assert.equal(valueOf(await waiting), null)
    valueOf(await lock.release())
    valueOf(await (await take(cache, 'key')).release())
  }
}, {
  name: 'lock: one who waits without end gets it',
  async check (cache, { unit }) {
    const lock = await take(cache, 'key', 60 * unit)
    const waiting = cache.lock('key', { ttl: 60 * unit, waitMs: Infinity })
    assert.equal(await isPending(waiting), true)
    valueOf(await lock.release())
    const next = valueOf(await waiting)
    assert.ok(next !== null)
    valueOf(await next.release())
  }
}, {
  name: 'lock: the ttl frees what a dead holder held, also for who waits',
  async check (cache, { unit, pass }) {
    await take(cache, 'a', unit)
    await take(cache, 'b', unit)
    const waiting = wait(cache, 'b', 60 * unit)
    await pass(1.5)
    valueOf(await (await take(cache, 'a')).release())
    const lock = await waiting
    assert.ok(lock !== null, 'the waiter got it')
    valueOf(await lock.release())
  }
}, ...(['stored', 'not-stored'] as const).map((outcome): Claim => ({
  name: `lock: "${outcome}" dismisses all who wait, and the key is free`,
  async check (cache, { unit, pass }) {
    const lock = await take(cache, 'key', 60 * unit)
    const waiting = [wait(cache, 'key', 60 * unit), wait(cache, 'key', 60 * unit)]
    // Across a network a call has joined the queue of a lock only once its request has reached the store, so time must pass first.
    await pass(5)
    assert.equal(await isPending(Promise.race(waiting)), true)
    valueOf(await lock.release(outcome))
    assert.deepEqual(await Promise.all(waiting), [null, null])
    valueOf(await (await take(cache, 'key')).release())
  }
})), {
  name: 'lock: the fencing token grows with each holder',
  async check (cache, { unit, pass }) {
    const tokens = []
    for (let times = 0; times < 3; times++) {
      const lock = await take(cache, 'key', unit)
      tokens.push(lock.token)
      if (times === 1) await pass(1.5)
      else valueOf(await lock.release())
    }
    assert.ok(tokens.every(Number.isSafeInteger))
    assert.deepEqual(tokens, [...new Set(tokens)].sort((a, b) => a - b))
  }
}, {
  name: 'lock: extend holds it for so many seconds from now',
  async check (cache, { unit, pass }) {
    const lock = await take(cache, 'key', 2 * unit)
    await pass(1)
    valueOf(await lock.extend(3 * unit))
    await pass(2)
    assert.equal(valueOf(await cache.lock('key', { ttl: unit })), null)
    await pass(1.5)
    valueOf(await (await take(cache, 'key')).release())
  }
}, {
  name: 'lock: extend shortens it, too',
  async check (cache, { unit, pass }) {
    const lock = await take(cache, 'key', 60 * unit)
    valueOf(await lock.extend(unit))
    await pass(1.5)
    valueOf(await (await take(cache, 'key')).release())
  }
}, {
  name: 'lock: extend of a lock that was lost or released is CACHE_ERR_UNAVAILABLE',
  async check (cache, { unit, pass }) {
    const lost = await take(cache, 'key', unit)
    await pass(1.5)
    assert.equal(codeOf(await lost.extend(60 * unit)), 'CACHE_ERR_UNAVAILABLE')
    const next = await take(cache, 'key')
    assert.equal(codeOf(await lost.extend(60 * unit)), 'CACHE_ERR_UNAVAILABLE')
    valueOf(await next.release())
    assert.equal(codeOf(await next.extend(60 * unit)), 'CACHE_ERR_UNAVAILABLE')
    valueOf(await (await take(cache, 'key')).release())
  }
}, {
  name: 'lock: who lost it frees nobody else\'s, however often it releases',
  async check (cache, { unit, pass }) {
    const lost = await take(cache, 'key', unit)
    await pass(1.5)
    const held = await take(cache, 'key', 60 * unit)
    const waiting = wait(cache, 'key', 60 * unit)
    for (const outcome of [undefined, 'stored', 'not-stored'] as const) valueOf(await lost.release(outcome))
    assert.equal(await isPending(waiting), true)
    assert.equal(valueOf(await cache.lock('key', { ttl: 60 })), null)
    valueOf(await held.release())
    const next = await waiting
    assert.ok(next !== null)
    valueOf(await held.release('stored'))
    assert.equal(valueOf(await cache.lock('key', { ttl: 60 })), null)
    valueOf(await next.release())
  }
}])

async function take (cache: FullCache, key: string, ttl = 60): Promise<Lock> {
  const lock = valueOf(await cache.lock(key, { ttl }))
  assert.ok(lock !== null, `the lock of ${key} is free`)
  return lock
}

async function wait (cache: FullCache, key: string, ttl: number): Promise<Lock | null> {
  return valueOf(await cache.lock(key, { ttl, waitMs: 60_000 }))
}
