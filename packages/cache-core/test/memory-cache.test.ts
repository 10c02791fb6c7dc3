import { MemoryCache, type Entry, type MemoryCacheOptions } from '@x/cache-core'
import { MAX_TTL, readNow, STORED_NULL } from '@x/cache-core/implementing'
import t from 'tap'
import { FakeClock } from '@x/test-kit/fake-clock'

function make (options: MemoryCacheOptions = {}): { cache: MemoryCache; clock: FakeClock } {
  const clock = new FakeClock()
  return { cache: new MemoryCache({ clock, ...options }), clock }
}

async function read (cache: MemoryCache, key = 'key'): Promise<unknown> {
  const result = await cache.get(key)
  if (!result.ok) throw result.error
  return result.value
}

async function entryOf (cache: MemoryCache, key = 'key'): Promise<Entry<unknown> | null> {
  const result = await cache.getEntry(key)
  if (!result.ok) throw result.error
  return result.value
}

t.test('get: a hit until the very end of the ttl, then a miss', async (t) => {
  const { cache, clock } = make()
  await cache.set('key', 'value', 10)
  clock.advance(9.999)
  t.equal(await read(cache), 'value')
  clock.advance(0.001)
  t.equal(await read(cache), null)
})

t.test('set: without a ttl it is an hour', async (t) => {
  for (const ttl of [undefined, {}, { ttl: undefined }]) {
    const { cache, clock } = make()
    await cache.set('key', 'value', ttl as {})
    clock.advance(3599.999)
    t.equal(await read(cache), 'value')
    clock.advance(0.001)
    t.equal(await read(cache), null)
  }
})

t.test('set: every key has an end: Infinity, and whatever is above 30 days, is 30 days', async (t) => {
  for (const ttl of [Infinity, MAX_TTL + 1, Number.MAX_VALUE, { ttl: Infinity }]) {
    const { cache, clock } = make()
    await cache.set('key', 'value', ttl)
    clock.advance(MAX_TTL - 1)
    t.equal(await read(cache), 'value')
    clock.advance(1)
    t.equal(await entryOf(cache), null)
  }
})

t.test('set: a stale window has an end, too: 30 days more', async (t) => {
  const { cache, clock } = make()
  await cache.set('key', 'value', { ttl: Infinity, staleIfError: Infinity })
  clock.advance(2 * MAX_TTL - 1)
  t.match(await entryOf(cache), { fresh: false, staleLeft: 1 })
  clock.advance(1)
  t.equal(await entryOf(cache), null)
})

t.test('set: -0 is 0: nothing is stored', async (t) => {
  const { cache } = make()
  await cache.set('key', 'before')
  t.match(await cache.set('key', 'value', -0), { ok: true })
  t.equal(cache.size, 0)
})

t.test('set: a bad call leaves what is stored', async (t) => {
  const { cache } = make()
  await cache.set('key', 'value')
  for (const [value, ttl] of [[undefined, 60], [1n, 60], [1, -1], [1, { tags: [''] }], [1, null]] as [unknown, number][]) {
    t.match(await cache.set('key', value, ttl), { ok: false })
  }
  t.equal(await read(cache), 'value')
})

t.test('getEntry: age, ttlLeft and staleLeft are exact', async (t) => {
  const { cache, clock } = make()
  await cache.set('key', 'value', { ttl: 10, staleWhileRevalidate: 5, staleIfError: 20, tags: ['a'] })
  clock.advance(4)
  t.same(await entryOf(cache), { value: 'value', fresh: true, age: 4, ttlLeft: 6, staleLeft: 26, tags: ['a'] })
  clock.advance(6)
  t.same(await entryOf(cache), { value: 'value', fresh: false, age: 10, ttlLeft: 0, staleLeft: 20, tags: ['a'] })
  clock.advance(19)
  t.match(await entryOf(cache), { fresh: false, ttlLeft: -19, staleLeft: 1 })
  clock.advance(1)
  t.equal(await entryOf(cache), null)
})

t.test('getEntry: a soft invalidation leaves 0 of the ttl, and the stale end where it was', async (t) => {
  const { cache, clock } = make()
  await cache.set('key', 'value', { ttl: 10, staleIfError: 20, tags: ['a'] })
  clock.advance(4)
  await cache.tags.invalidate('a', { soft: true })
  t.match(await entryOf(cache), { fresh: false, ttlLeft: 0, staleLeft: 26 })
  clock.advance(8)
  t.match(await entryOf(cache), { fresh: false, ttlLeft: -2, staleLeft: 18 })
  clock.advance(18)
  t.equal(await entryOf(cache), null)
})

t.test('get, readNow: a stored null is STORED_NULL, in both isolations, and from JSON, too', async (t) => {
  for (const isolation of ['clone', 'freeze'] as const) {
    const { cache } = make({ isolation })
    for (const value of [null, { toJSON: () => null }]) {
      await cache.set('key', value)
      t.equal(await cache.get('key'), STORED_NULL)
      t.equal(cache[readNow]('key'), STORED_NULL)
    }
    t.not(await cache.get('unknown'), STORED_NULL)
  }
})

t.test('clone: every reader gets a copy of its own', async (t) => {
  const { cache } = make({ isolation: 'clone' })
  await cache.set('key', { list: [1] })
  const one = await read(cache) as { list: number[] }
  const other = await read(cache)
  t.not(one, other)
  one.list.push(2)
  t.same(await read(cache), { list: [1] })
  t.same((await cache.getMany(['key', 'key'])), { ok: true, value: [{ list: [1] }, { list: [1] }] })
})

t.test('freeze: all readers share one deeply frozen value', async (t) => {
  const { cache } = make({ isolation: 'freeze' })
  const stored = { list: [{ deep: { name: 'x' } }] }
  await cache.set('key', stored)
  const one = await read(cache) as typeof stored
  t.equal(one, await read(cache))
  t.equal(one, (await entryOf(cache))!.value)
  t.equal(one, (cache[readNow]('key') as { value: unknown }).value)
  t.not(one, stored)
  for (const part of [one, one.list, one.list[0]!, one.list[0]!.deep]) t.ok(Object.isFrozen(part))
  t.notOk(Object.isFrozen(stored), 'what the caller holds stays as it was')
  t.throws(() => { one.list[0]!.deep.name = 'changed' }, TypeError)
})

t.test('freeze: a value deeper than the stack is stored where JSON.stringify takes it, and set rejects with no RangeError', async (t) => {
  const { cache } = make({ isolation: 'freeze' })
  const depth = 200_000
  const { stringify } = JSON
  t.teardown(() => { JSON.stringify = stringify })
  // Node 26 serialises a deep value without using the stack; older versions refuse the value before it could be frozen.
  JSON.stringify = () => '['.repeat(depth) + ']'.repeat(depth)
  const { ok } = await cache.set('key', [])
  JSON.stringify = stringify
  t.equal(ok, true)
  let part = await read(cache)
  let levels = 0
  for (; Array.isArray(part); part = part[0]) if (Object.isFrozen(part)) levels++
  t.equal(levels, depth)
})

t.test('freeze: Buffers, which cannot be frozen, are copied', async (t) => {
  const { cache } = make({ isolation: 'freeze' })
  await cache.set('key', Buffer.from('abc'))
  const one = await read(cache) as Buffer
  one.fill(0)
  t.equal(String(await read(cache)), 'abc')
})

t.test('get: a Buffer comes back as a Buffer, a Uint8Array, too', async (t) => {
  for (const isolation of ['clone', 'freeze'] as const) {
    const { cache } = make({ isolation })
    for (const bytes of [Buffer.from('abc'), new Uint8Array([97, 98, 99])]) {
      await cache.set('key', bytes)
      const found = await read(cache)
      t.ok(Buffer.isBuffer(found))
      t.equal(String(found), 'abc')
    }
  }
})

t.test('set: never throws, whatever it is given', async (t) => {
  const { cache } = make({ isolation: 'freeze' })
  let deep: unknown[] = []
  for (let depth = 0; depth < 50_000; depth++) deep = [deep]
  const detached = new Uint8Array(8)
  structuredClone(detached, { transfer: [detached.buffer] })
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  for (const value of [detached, revoked.proxy]) t.match(await cache.set('key', value), { error: { code: 'CACHE_ERR_VALUE_INVALID' } })
  // `JSON.stringify` of Node 26 accepts the deep value.
  const result = await cache.set('key', deep)
  if (!result.ok) t.equal(result.error.code, 'CACHE_ERR_VALUE_INVALID')
})

t.test('setMany: tries each, and answers with the first error', async (t) => {
  const { cache } = make()
  const result = await cache.setMany([
    { key: 'a', value: 1 }, { key: 'b', value: () => {} }, { key: '', value: 1 }, undefined as never, { key: 'c', value: 3 }
  ])
  t.match(result, { error: { code: 'CACHE_ERR_VALUE_INVALID' } })
  t.same([await read(cache, 'a'), await read(cache, 'c'), cache.size], [1, 3, 2])
})

t.test('getMany, delMany: one bad key refuses all', async (t) => {
  const { cache } = make()
  await cache.set('a', 1)
  t.match(await cache.getMany(['a', '']), { error: { code: 'CACHE_ERR_KEY_INVALID' } })
  t.match(await cache.delMany(['a', '']), { error: { code: 'CACHE_ERR_KEY_INVALID' } })
  t.equal(await read(cache, 'a'), 1)
})

t.test('tags.invalidate: costs the same for any number of entries', async (t) => {
  const { cache } = make({ maxEntries: 20_000 })
  for (let id = 0; id < 20_000; id++) await cache.set(`key:${id}`, id, { tags: ['all'] })
  await cache.tags.invalidate('all')
  t.equal(cache.size, 20_000, 'entries go when they are read, or when room is needed')
  t.equal(await read(cache, 'key:0'), null)
  t.equal(cache.size, 19_999)
})

t.test('set: with an outdated snapshot, what was stored goes, too', async (t) => {
  const { cache } = make()
  await cache.set('key', 'old')
  const snapshot = await cache.tags.capture(['a'])
  if (!snapshot.ok) throw snapshot.error
  await cache.tags.invalidate('a')
  t.match(await cache.set('key', 'new', { tags: ['a'], snapshot: snapshot.value }), { ok: true })
  t.equal(cache.size, 0)
})

t.test('set: a snapshot of another MemoryCache is outdated', async (t) => {
  const snapshot = await make().cache.tags.capture(['a'])
  const { cache } = make()
  if (!snapshot.ok) throw snapshot.error
  await cache.set('key', 'value', { tags: ['a'], snapshot: snapshot.value })
  t.equal(await read(cache), null)
})

t.test('close: empties the cache; calls afterwards are still answered', async (t) => {
  const { cache } = make()
  await cache.set('key', 'value')
  const lock = await cache.lock('key', { ttl: 60 })
  const waiting = cache.lock('key', { ttl: 60, waitMs: 60_000 })
  t.ok(lock.ok && lock.value !== null)
  await cache.close()
  await cache.close()
  t.same(await waiting, { ok: true, value: null })
  t.equal(await read(cache), null)
  t.match(await cache.set('key', 'again'), { ok: true })
  t.match(await cache.health(), { ok: true })
})

t.test('lock: bad options are CACHE_ERR_TTL_INVALID, also while nobody holds it', async (t) => {
  const { cache } = make()
  for (const options of [undefined, null, {}, { ttl: 0 }, { ttl: NaN }, { ttl: 1, waitMs: -1 }]) {
    t.match(await cache.lock('key', options as never), { error: { code: 'CACHE_ERR_TTL_INVALID' } })
  }
})

t.test('clock: by default the monotonic one of the process', async (t) => {
  const cache = new MemoryCache()
  await cache.set('key', 'value', 1000)
  const entry = await entryOf(cache)
  t.ok(entry!.age >= 0 && entry!.age < 100 && entry!.ttlLeft > 900)
})
