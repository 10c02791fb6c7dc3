import assert from 'node:assert/strict'
import { read, valueOf, write, type Claim } from './claim.js'

/** Claims about a cache that stores nothing by design. */
export const passThroughClaims: Claim[] = [{
  name: 'get: is a miss, whatever was set',
  async check (cache) {
    for (const value of ['text', null, 0, '', false, { an: 'object' }, Buffer.from('bytes')]) {
      await write(cache, 'key', value)
      await write(cache, 'key', value, 60)
      await write(cache, 'key', value, { ttl: Infinity, staleWhileRevalidate: 60, staleIfError: 60 })
      assert.equal(await read(cache, 'key'), null)
    }
  }
}, {
  name: 'del: is ok',
  async check (cache) {
    await write(cache, 'key', 1)
    valueOf(await cache.del('key'))
    valueOf(await cache.del('unknown'))
  }
}, {
  name: 'touch: is false',
  needs: ['touch'],
  async check (cache) {
    await write(cache, 'key', 1, 60)
    assert.equal(valueOf(await cache.touch('key', 60)), false)
  }
}, {
  name: 'getEntry: is a miss, for a stored null, too',
  needs: ['getEntry'],
  async check (cache) {
    await write(cache, 'key', null, { ttl: 60, staleIfError: 60 })
    assert.equal(valueOf(await cache.getEntry('key')), null)
  }
}, {
  name: 'getMany: a miss for each key',
  needs: ['getMany'],
  async check (cache) {
    await write(cache, 'a', 1)
    assert.deepEqual(valueOf(await cache.getMany(['a', 'b', 'a'])), [null, null, null])
    assert.deepEqual(valueOf(await cache.getMany([])), [])
  }
}, {
  name: 'setMany: is ok, and stores nothing',
  needs: ['setMany'],
  async check (cache) {
    valueOf(await cache.setMany([{ key: 'a', value: 1 }, { key: 'b', value: 2, options: { ttl: 60 } }]))
    assert.equal(await read(cache, 'a'), null)
  }
}, {
  name: 'delMany: is ok',
  needs: ['delMany'],
  async check (cache) {
    valueOf(await cache.delMany(['a', 'b']))
  }
}, {
  name: 'tags: capture and invalidate are ok, and a snapshot may be stored with',
  needs: ['tags'],
  async check (cache) {
    const snapshot = valueOf(await cache.tags.capture(['tag']))
    valueOf(await cache.tags.invalidate('tag'))
    valueOf(await cache.tags.invalidate(['tag', 'other'], { soft: true }))
    await write(cache, 'key', 1, { tags: ['tag'], snapshot })
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'lock: everybody gets one, nobody waits, and tokens grow',
  needs: ['lock'],
  async check (cache) {
    const first = valueOf(await cache.lock('key', { ttl: 60 }))
    const second = valueOf(await cache.lock('key', { ttl: 60, waitMs: 60_000 }))
    assert.ok(first !== null && second !== null)
    assert.ok(second.token > first.token)
    valueOf(await first.extend(60))
    valueOf(await first.release('stored'))
    valueOf(await first.release())
    valueOf(await second.release('not-stored'))
  }
}, {
  name: 'clear: is ok',
  needs: ['clear'],
  async check (cache) {
    valueOf(await cache.clear())
  }
}]
