import assert from 'node:assert/strict'
import { about, codeOf, read, readAll, valueOf, write, type Claim } from './claim.js'

/** Claims about `touch`: it sets the lifetime of an entry, and revives none that is gone. */
export const touchClaims: Claim[] = about('touch', [{
  name: 'touch: the entry lasts from now on, longer or shorter',
  async check (cache, { unit, pass }) {
    await write(cache, 'longer', 'value', 2 * unit)
    await write(cache, 'shorter', { n: 1 }, 60 * unit)
    await pass(1)
    assert.equal(valueOf(await cache.touch('longer', 60 * unit)), true)
    assert.equal(valueOf(await cache.touch('shorter', 2 * unit)), true)
    await pass(1.5)
    assert.deepEqual(await readAll(cache, 'longer', 'shorter'), ['value', { n: 1 }])
    await pass(1.5)
    assert.deepEqual(await readAll(cache, 'longer', 'shorter'), ['value', null])
  }
}, {
  name: 'touch: is false for a key without an entry, and makes none',
  async check (cache, { unit, pass }) {
    await write(cache, 'expired', 1, unit)
    await write(cache, 'removed', 1)
    valueOf(await cache.del('removed'))
    await pass(1.5)
    for (const key of ['unknown', 'expired', 'removed']) {
      assert.equal(valueOf(await cache.touch(key, 60)), false)
      assert.equal(await read(cache, key), null)
    }
  }
}, {
  name: 'touch: values of all kinds stay what they are',
  async check (cache, { unit }) {
    const values = { text: 'text', number: 0, empty: '', object: { list: [1, null] }, bytes: Buffer.from([0xc1, 0, 255]) }
    for (const [key, value] of Object.entries(values)) {
      for (const options of [{ ttl: unit }, { ttl: unit, staleIfError: unit }]) {
        await write(cache, key, value, options)
        assert.equal(valueOf(await cache.touch(key, 60)), true)
        assert.deepEqual(await read(cache, key), value)
      }
    }
  }
}, {
  name: 'touch: a stored null is an entry',
  needs: ['getEntry'],
  async check (cache, { unit, pass }) {
    await write(cache, 'key', null, unit)
    assert.equal(valueOf(await cache.touch('key', 60 * unit)), true)
    await pass(1.5)
    assert.equal(valueOf(await cache.getEntry('key'))?.value, null)
  }
}, {
  name: 'touch: an endless ttl has an end, and ttl 0 removes an entry without a stale window',
  async check (cache) {
    await write(cache, 'endless', 1)
    await write(cache, 'none', 1)
    assert.equal(valueOf(await cache.touch('endless', Infinity)), true)
    assert.equal(valueOf(await cache.touch('none', 0)), true)
    assert.deepEqual(await readAll(cache, 'endless', 'none'), [1, null])
    assert.equal(valueOf(await cache.touch('none', 60)), false)
    if (cache.getEntry !== undefined) assert.ok(Number.isFinite(valueOf(await cache.getEntry('endless'))?.ttlLeft))
  }
}, {
  name: 'touch: the stale window keeps its length, and begins where the new ttl ends',
  needs: ['getEntry'],
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 1, { ttl: unit, staleIfError: 3 * unit })
    assert.equal(valueOf(await cache.touch('key', 4 * unit)), true)
    await pass(2)
    const fresh = valueOf(await cache.getEntry('key'))
    assert.equal(fresh?.fresh, true)
    isNear(fresh.staleLeft - fresh.ttlLeft, 3 * unit, unit / 2)
    await pass(4)
    assert.equal(valueOf(await cache.getEntry('key'))?.fresh, false)
    await pass(2)
    assert.equal(valueOf(await cache.getEntry('key')), null)
  }
}, {
  name: 'touch: an entry past its ttl is fresh again, within its stale window; ttl 0 makes it stale',
  needs: ['getEntry'],
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 1, { ttl: unit, staleIfError: 60 * unit })
    await pass(1.5)
    assert.equal(await read(cache, 'key'), null)
    assert.equal(valueOf(await cache.touch('key', 60 * unit)), true)
    assert.equal(await read(cache, 'key'), 1)
    assert.equal(valueOf(await cache.touch('key', 0)), true)
    assert.equal(await read(cache, 'key'), null)
    assert.equal(valueOf(await cache.getEntry('key'))?.value, 1)
  }
}, {
  name: 'touch: the age is that of the value',
  needs: ['getEntry'],
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 1, { ttl: 10 * unit, staleIfError: unit })
    await pass(3)
    valueOf(await cache.touch('key', 60 * unit))
    await pass(1)
    const entry = valueOf(await cache.getEntry('key'))
    assert.ok(entry !== null)
    // An implementation that does not record the time of storing returns `NaN` as `age`.
    if (!Number.isNaN(entry.age)) isNear(entry.age, 4 * unit, unit)
    isNear(entry.ttlLeft, 59 * unit, unit)
  }
}, {
  name: 'touch: an invalidated entry stays gone, and a touched one keeps its tags',
  needs: ['tags'],
  async check (cache) {
    await write(cache, 'gone', 1, { tags: ['old'], staleIfError: 60 })
    await write(cache, 'kept', 2, { tags: ['tag', 'other'] })
    valueOf(await cache.tags.invalidate('old'))
    assert.equal(valueOf(await cache.touch('gone', 60)), false)
    assert.equal(valueOf(await cache.touch('kept', 60)), true)
    assert.deepEqual(await readAll(cache, 'gone', 'kept'), [null, 2])
    if (cache.getEntry !== undefined) assert.deepEqual(valueOf(await cache.getEntry('kept'))?.tags.toSorted(), ['other', 'tag'])
    valueOf(await cache.tags.invalidate('other'))
    assert.equal(await read(cache, 'kept'), null)
    assert.equal(valueOf(await cache.touch('kept', 60)), false)
  }
}, {
  name: 'touch: a softly invalidated entry stays stale, to the end that it had',
  needs: ['tags', 'getEntry'],
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 1, { ttl: unit, staleIfError: 2 * unit, tags: ['tag'] })
    valueOf(await cache.tags.invalidate('tag', { soft: true }))
    assert.equal(valueOf(await cache.touch('key', 60 * unit)), false)
    assert.equal(valueOf(await cache.getEntry('key'))?.fresh, false)
    await pass(1.5)
    assert.equal(valueOf(await cache.touch('key', 60 * unit)), false, 'past its ttl, too')
    await pass(2)
    assert.equal(valueOf(await cache.getEntry('key')), null)
  }
}, {
  name: 'touch: is false after clear',
  needs: ['clear'],
  async check (cache) {
    await write(cache, 'key', 1)
    valueOf(await cache.clear())
    assert.equal(valueOf(await cache.touch('key', 60)), false)
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'touch: a later set has its own lifetime',
  async check (cache, { unit, pass }) {
    await write(cache, 'key', 1, unit)
    valueOf(await cache.touch('key', 60 * unit))
    await write(cache, 'key', 2, unit)
    await pass(1.5)
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'touch: does not end the lease of a load, and is false for a key that is being loaded for the first time',
  needs: ['leases'],
  async check (cache, { unit }, peer) {
    for (const options of [{ ttl: 60 * unit }, { ttl: 60 * unit, staleIfError: 60 }]) {
      await write(cache, 'key', 'old', options)
      const lease = valueOf(await cache.leases.take('key', { ttl: 60 }))
      assert.equal(valueOf(await peer.touch('key', 100 * unit)), true)
      assert.equal(valueOf(await cache.leases.isCurrent(lease)), true)
      await write(cache, 'key', 'new', { ttl: 60, snapshot: lease })
      assert.equal(await read(peer, 'key'), 'new')
    }
    valueOf(await cache.leases.take('first', { ttl: 60 }))
    assert.equal(valueOf(await peer.touch('first', 60)), false)
    assert.equal(await read(peer, 'first'), null)
  }
}])

/** Claims about the arguments of `touch`, for an implementation that checks them. */
export const checkedTouchClaims: Claim[] = about('touch', [{
  name: 'touch: a bad key or ttl is a coded error, and the entry stays as it is',
  async check (cache) {
    await write(cache, 'key', 1)
    for (const key of ['', 7, null]) assert.equal(codeOf(await cache.touch(key as string, 60)), 'CACHE_ERR_KEY_INVALID')
    for (const ttl of [-1, NaN, '60', null, {}]) assert.equal(codeOf(await cache.touch('key', ttl as number)), 'CACHE_ERR_TTL_INVALID')
    assert.equal(await read(cache, 'key'), 1)
  }
}])

function isNear (seconds: number, expected: number, slack: number): void {
  assert.ok(Math.abs(seconds - expected) <= slack, `expected about ${expected} s, got ${seconds} s`)
}
