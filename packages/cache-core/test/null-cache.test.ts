import { NullCache } from '@x/cache-core'
import { DONE, MISS, readNow } from '@x/cache-core/implementing'
import t from 'tap'

t.test('NullCache: is pass-through, and has every member of the contract', async (t) => {
  const cache = new NullCache()
  t.same([cache.name, cache.passThrough], ['null', true])
  for (const member of ['get', 'set', 'del', 'getEntry', 'getMany', 'setMany', 'delMany', 'lock', 'clear', 'health', 'close'] as const) {
    t.type(cache[member], 'function')
  }
  t.type(cache.tags.capture, 'function')
  t.type(cache.tags.invalidate, 'function')
})

t.test('get, readNow: a miss that costs no allocation', async (t) => {
  const cache = new NullCache()
  t.equal(cache.get('a'), cache.get('b'))
  t.equal(await cache.get('a'), MISS)
  t.equal(cache[readNow]('a'), MISS)
  t.equal(await cache.set('a', 1), DONE)
})

t.test('MISS, DONE: shared as they are, they cannot be changed', async (t) => {
  for (const result of [MISS, DONE]) t.throws(() => Object.assign(result, { value: 'changed' }), TypeError)
})

t.test('getMany: a list of its own for each caller', async (t) => {
  const cache = new NullCache()
  const one = await cache.getMany(['a', 'b'])
  const other = await cache.getMany(['a', 'b'])
  t.same(one, { ok: true, value: [null, null] })
  t.not(one, other)
})

t.test('tags.capture: a snapshot that cannot be changed', async (t) => {
  const result = await new NullCache().tags.capture(['a'])
  t.ok(result.ok && Object.isFrozen(result.value))
})
