import assert from 'node:assert/strict'
import type { Entry } from '../contract/cache.js'
import { read, valueOf, write, type Claim, type FullCache } from './claim.js'

/** Claims about the lifetimes of values, which are first fresh, then stale, then expired. */
export const lifetimeClaims: Claim[] = [{
  name: 'get: is a miss once the ttl has passed, and not before',
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 'value', 2 * unit)
    await write(cache, 'other', 'value', { ttl: 2 * unit })
    await pass(1)
    assert.deepEqual([await read(cache, 'key'), await read(cache, 'other')], ['value', 'value'])
    await pass(1.5)
    assert.deepEqual([await read(cache, 'key'), await read(cache, 'other')], [null, null])
  }
}, {
  name: 'set: fractions of the ttl count',
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 'value', 1.5 * unit)
    await pass(1.1)
    assert.equal(await read(cache, 'key'), 'value')
    await pass(0.8)
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'set: stores for a while without a ttl, and with an endless one',
  async check (cache, { pass }) {
    await write(cache, 'none', 1)
    await write(cache, 'undefined', 2, undefined)
    await write(cache, 'options', 3, {})
    await write(cache, 'Infinity', 4, Infinity)
    await write(cache, 'huge', 5, { ttl: Number.MAX_VALUE })
    await pass(5)
    const found = []
    for (const key of ['none', 'undefined', 'options', 'Infinity', 'huge']) found.push(await read(cache, key))
    assert.deepEqual(found, [1, 2, 3, 4, 5])
  }
}, {
  name: 'set: ttl 0 stores nothing, and what was stored is gone',
  async check (cache) {
    await write(cache, 'new', 'value', 0)
    await write(cache, 'old', 'before', 60)
    await write(cache, 'old', 'after', { ttl: 0 })
    await write(cache, 'window', 'value', { ttl: 0, staleWhileRevalidate: 60, staleIfError: 60 })
    for (const key of ['new', 'old', 'window']) {
      assert.equal(await read(cache, key), null)
      if (cache.getEntry !== undefined) assert.equal(valueOf(await cache.getEntry(key)), null)
    }
  }
}, {
  name: 'set: overwriting begins a new lifetime, longer or shorter',
  async check (cache, { unit, pass }) {
    await write(cache, 'longer', 1, 2 * unit)
    await write(cache, 'shorter', 1, 60 * unit)
    await pass(1)
    await write(cache, 'longer', 2, 60 * unit)
    await write(cache, 'shorter', 2, unit)
    await pass(2)
    assert.deepEqual([await read(cache, 'longer'), await read(cache, 'shorter')], [2, null])
  }
}, {
  name: 'get: reading prolongs nothing',
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 'value', 2 * unit)
    for (let times = 0; times < 3; times++) {
      await pass(0.5)
      assert.equal(await read(cache, 'key'), 'value')
    }
    await pass(1)
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'get: never gives a stale value',
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 'value', { ttl: unit, staleWhileRevalidate: 60 * unit, staleIfError: 60 * unit })
    assert.equal(await read(cache, 'key'), 'value')
    await pass(1.5)
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'getEntry: a fresh entry tells its age and what is left',
  needs: ['getEntry'],
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 'value', 4 * unit)
    await pass(1)
    const { value, fresh, age, ttlLeft, staleLeft, tags } = await entryOf(cache, 'key')
    assert.deepEqual([value, fresh, tags], ['value', true, []])
    // An implementation that does not record the time of storing returns `NaN` as `age`.
    if (!Number.isNaN(age)) isNear(age, unit, unit)
    isNear(ttlLeft, 3 * unit, unit)
    assert.equal(staleLeft, ttlLeft)
  }
}, {
  name: 'getEntry: without a stale window the entry is gone when its ttl is',
  needs: ['getEntry'],
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 'value', unit)
    await pass(1.5)
    assert.equal(valueOf(await cache.getEntry('key')), null)
  }
}, ...(['staleWhileRevalidate', 'staleIfError'] as const).map((window): Claim => ({
  name: `getEntry: ${window} keeps the entry as stale, to its end`,
  needs: ['getEntry'],
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 'value', { ttl: unit, [window]: 3 * unit })
    const before = await entryOf(cache, 'key')
    assert.equal(before.fresh, true)
    isNear(before.staleLeft - before.ttlLeft, 3 * unit, unit / 2)
    await pass(2)
    const stale = await entryOf(cache, 'key')
    assert.deepEqual([stale.value, stale.fresh], ['value', false])
    isNear(stale.age, 2 * unit, unit)
    isNear(stale.ttlLeft, -unit, unit)
    assert.ok(stale.ttlLeft <= 0, 'nothing is left of its ttl')
    isNear(stale.staleLeft, 2 * unit, unit)
    await pass(2.5)
    assert.equal(valueOf(await cache.getEntry('key')), null)
  }
})), ...[[3, 1], [1, 3]].map(([revalidate, error]): Claim => ({
  name: `getEntry: both windows count from the same instant (${revalidate! > error! ? 'staleWhileRevalidate' : 'staleIfError'} is longer)`,
  needs: ['getEntry'],
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 'value', { ttl: unit, staleWhileRevalidate: revalidate! * unit, staleIfError: error! * unit })
    await pass(3)
    isNear((await entryOf(cache, 'key')).staleLeft, unit, unit)
    await pass(1.5)
    assert.equal(valueOf(await cache.getEntry('key')), null)
  }
})), {
  name: 'getEntry: overwriting makes a stale entry fresh, and its window a new one',
  needs: ['getEntry'],
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 1, { ttl: unit, staleIfError: 60 * unit })
    await pass(1.5)
    await write(cache, 'key', 2, unit)
    assert.deepEqual([(await entryOf(cache, 'key')).fresh, await read(cache, 'key')], [true, 2])
    await pass(1.5)
    assert.equal(valueOf(await cache.getEntry('key')), null)
  }
}, {
  name: 'del: removes a stale entry, too',
  needs: ['getEntry'],
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 1, { ttl: unit, staleIfError: 60 * unit })
    await pass(1.5)
    valueOf(await cache.del('key'))
    assert.equal(valueOf(await cache.getEntry('key')), null)
  }
}, {
  name: 'set: endless stale windows are taken',
  needs: ['getEntry'],
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 'value', { ttl: unit, staleWhileRevalidate: Infinity, staleIfError: Infinity })
    await pass(2)
    const { fresh, staleLeft } = await entryOf(cache, 'key')
    assert.equal(fresh, false)
    assert.ok(staleLeft > unit && Number.isFinite(staleLeft), 'every key has an end')
  }
}]

async function entryOf (cache: FullCache, key: string): Promise<Entry<unknown>> {
  const entry = valueOf(await cache.getEntry(key))
  assert.ok(entry !== null, `there is an entry of ${key}`)
  return entry
}

function isNear (seconds: number, expected: number, slack: number): void {
  assert.ok(Math.abs(seconds - expected) <= slack, `expected about ${expected} s, got ${seconds} s`)
}
