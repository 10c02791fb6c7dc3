import assert from 'node:assert/strict'
import { codeOf, read, readAll, valueOf, write, type Claim } from './claim.js'

/** Claims about calls for several keys, and about calls for the whole cache. */
export const manyClaims: Claim[] = [{
  name: 'getMany: fresh values in the order of the keys, null for what is missing',
  needs: ['getMany'],
  async check (cache, { unit, pass }) {
    await write(cache, 'stale', 'x', { ttl: unit, staleIfError: 60 * unit })
    await write(cache, 'gone', 'x', unit)
    await pass(1.5)
    for (const [key, value] of [['a', { n: 1 }], ['b', 0], ['c', ''], ['d', null]] as const) await write(cache, key, value)
    const keys = ['c', 'unknown', 'a', 'stale', 'd', 'a', 'gone', 'b']
    assert.deepEqual(valueOf(await cache.getMany(keys)), ['', null, { n: 1 }, null, null, { n: 1 }, null, 0])
    assert.deepEqual(valueOf(await cache.getMany([])), [])
  }
}, {
  name: 'setMany: stores each with its own options, the later of one key last',
  needs: ['setMany'],
  async check (cache, { unit, pass }) {
    await write(cache, 'zero', 'before')
    valueOf(await cache.setMany([
      { key: 'short', value: 1, options: { ttl: unit } },
      { key: 'long', value: 2, options: { ttl: 60 * unit } },
      { key: 'none', value: 3 },
      { key: 'zero', value: 4, options: { ttl: 0 } },
      { key: 'twice', value: 'first' },
      { key: 'twice', value: 'second' }
    ]))
    assert.deepEqual([await read(cache, 'short'), await read(cache, 'zero'), await read(cache, 'twice')], [1, null, 'second'])
    await pass(1.5)
    assert.deepEqual([await read(cache, 'short'), await read(cache, 'long'), await read(cache, 'none')], [null, 2, 3])
    valueOf(await cache.setMany([]))
  }
}, {
  name: 'delMany: removes them, and is ok if there were none',
  needs: ['delMany'],
  async check (cache) {
    for (const key of ['a', 'b', 'c']) await write(cache, key, key)
    valueOf(await cache.delMany(['c', 'unknown', 'a', 'a']))
    valueOf(await cache.delMany([]))
    assert.deepEqual([await read(cache, 'a'), await read(cache, 'b'), await read(cache, 'c')], [null, 'b', null])
  }
}, {
  name: 'clear: nothing that was stored before is served, and the cache goes on',
  needs: ['clear'],
  async check (cache) {
    await write(cache, 'a', 1)
    await write(cache, 'b', 2, { staleIfError: 60 })
    valueOf(await cache.clear())
    valueOf(await cache.clear())
    assert.deepEqual([await read(cache, 'a'), await read(cache, 'b')], [null, null])
    if (cache.getEntry !== undefined) assert.equal(valueOf(await cache.getEntry('b')), null)
    await write(cache, 'a', 3)
    assert.equal(await read(cache, 'a'), 3)
  }
}, {
  name: 'health: is ok',
  needs: ['health'],
  async check (cache) {
    valueOf(await cache.health())
  }
}, {
  name: 'close: may be called twice, and in the midst of calls',
  async check (cache) {
    await write(cache, 'key', 1)
    const calls = [cache.get('key'), cache.set('key', 2), cache.del('key')]
    await cache.close?.()
    await cache.close?.()
    for (const call of calls) await call
  }
}]

/** Claims about calls for several keys, for an implementation that checks its arguments. */
export const checkedManyClaims: Claim[] = [{
  name: 'setMany: answers with the first error',
  needs: ['setMany'],
  async check (cache) {
    const result = await cache.setMany([
      { key: 'a', value: 1 }, { key: 'b', value: () => {} }, { key: 'c', value: 1, options: { ttl: -1 } }
    ])
    assert.equal(codeOf(result), 'CACHE_ERR_VALUE_INVALID')
    assert.deepEqual(await readAll(cache, 'b', 'c'), [null, null])
  }
}]
