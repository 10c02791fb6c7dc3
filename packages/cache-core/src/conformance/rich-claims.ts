import assert from 'node:assert/strict'
import { read, valueOf, write, type Claim } from './claim.js'

const richValue = () => ({
  at: new Date(1_700_000_000_000),
  none: undefined,
  amounts: new Map<unknown, unknown>([['total', 12n ** 30n], [{ key: 1 }, NaN]]),
  roles: new Set(['reader', new Date(0)]),
  vector: new Float64Array([0.1, -0, Infinity]),
  bytes: Buffer.from('bytes'),
  '~escaped': { '~': [-0] }
})

/** Claims about a cache whose serializer is `rich`: dates, maps, sets, BigInts, typed arrays and further values are read as stored. */
export const richClaims: Claim[] = [{
  name: 'get: rich values (Date, Map, Set, BigInt, typed array, undefined, NaN) are read as they were stored',
  async check (cache) {
    const whole = [new Date(5), 5n, -5n, NaN, -0, Infinity, new Set([1]), new Map([[1, 2]]), new Uint16Array([1])]
    for (const value of [richValue(), [richValue()], ...whole]) {
      await write(cache, 'key', value)
      assert.deepStrictEqual(await read(cache, 'key'), value)
    }
  }
}, {
  name: 'getMany, getEntry: give rich values, too',
  needs: ['getMany', 'setMany', 'getEntry'],
  async check (cache) {
    valueOf(await cache.setMany([{ key: 'a', value: richValue() }, { key: 'b', value: 5n, options: { ttl: 10, staleIfError: 10 } }]))
    assert.deepStrictEqual(valueOf(await cache.getMany(['b', 'a'])), [5n, richValue()])
    assert.deepStrictEqual(valueOf(await cache.getEntry('a'))?.value, richValue())
  }
}, {
  name: 'get: rich values with tags go when a tag is invalidated',
  needs: ['tags'],
  async check (cache) {
    await write(cache, 'key', richValue(), { tags: ['a'] })
    assert.deepStrictEqual(await read(cache, 'key'), richValue())
    valueOf(await cache.tags.invalidate('a'))
    assert.equal(await read(cache, 'key'), null)
  }
}, {
  name: 'get: no reader can change the rich value of another one',
  async check (cache) {
    const stored = richValue()
    await write(cache, 'key', stored)
    stored.at.setTime(0)
    stored.roles.clear()
    const first = await read(cache, 'key') as ReturnType<typeof richValue>
    first.at.setTime(1)
    first.amounts.clear()
    first.vector[0] = 9
    assert.deepStrictEqual(await read(cache, 'key'), richValue())
  }
}]
