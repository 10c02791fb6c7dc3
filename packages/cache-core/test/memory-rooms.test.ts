import { MemoryCache } from '@x/cache-core'
import fc from 'fast-check'
import t from 'tap'

async function held (cache: MemoryCache, keys: readonly string[]): Promise<number> {
  const read = await Promise.all(keys.map((key) => cache.getEntry(key)))
  return read.filter((result) => result.ok && result.value !== null).length
}

const keysOf = (what: string, count: number): string[] => Array.from({ length: count }, (_, id) => `${what}:${id}`)

t.test('1 100 stored responses do not throw out 100 values of the app', async (t) => {
  const cache = new MemoryCache({ maxEntries: 1000 })
  for (const key of keysOf('user', 100)) await cache.set(key, key)
  for (const key of keysOf('edge', 1100)) await cache.set(key, Buffer.alloc(100))
  t.equal(await held(cache, keysOf('user', 100)), 100)
  t.equal(cache.size, 1000, 'all of the room is used')
})

t.test('large responses do not throw out the values of the app either', async (t) => {
  const cache = new MemoryCache({ maxBytes: 1_000_000 })
  for (const key of keysOf('user', 100)) await cache.set(key, 'x'.repeat(1000))
  for (const key of keysOf('edge', 300)) {
    await cache.set(key, Buffer.alloc(10_000), { tags: [`edge-uri:${key}`] })
    t.ok(cache.bytes <= 1_000_000)
  }
  t.equal(await held(cache, keysOf('user', 100)), 100)
  t.ok(await held(cache, keysOf('edge', 300)) > 60)
})

t.test('values of the app take back what responses hold beyond their share', async (t) => {
  const cache = new MemoryCache({ maxEntries: 100, responseShare: 0.3 })
  for (const key of keysOf('edge', 100)) await cache.set(key, key)
  t.equal(await held(cache, keysOf('edge', 100)), 100, 'nobody else needs it')
  for (const key of keysOf('user', 70)) await cache.set(key, key)
  t.same([await held(cache, keysOf('user', 70)), await held(cache, keysOf('edge', 100))], [70, 30])
  for (const key of keysOf('more', 100)) await cache.set(key, key)
  t.equal(cache.size, 100)
})

t.test('responseShare: of responses, those that are used stay', async (t) => {
  const cache = new MemoryCache({ maxEntries: 100, responseShare: 0.1 })
  for (const key of keysOf('user', 90)) await cache.set(key, key)
  await cache.set('edge:used', 1)
  for (const key of keysOf('edge', 500)) {
    await cache.set(key, key)
    t.same(await cache.get('edge:used'), { ok: true, value: 1 })
  }
  t.equal(await held(cache, keysOf('user', 90)), 90)
})

t.test('responseShare: a response that needs more than it is not stored where it would throw out values of the app', async (t) => {
  const cache = new MemoryCache({ maxBytes: 100_000, responseShare: 0.2 })
  t.match(await cache.set('edge:large', Buffer.alloc(50_000)), { ok: true }, 'there is room')
  await cache.del('edge:large')
  for (const key of keysOf('user', 60)) await cache.set(key, 'x'.repeat(1000))
  t.match(await cache.set('edge:large', Buffer.alloc(50_000)), { ok: false, error: { code: 'CACHE_ERR_TOO_LARGE' } })
  t.same(await cache.get('edge:large'), { ok: true, value: null })
  t.equal(await held(cache, keysOf('user', 60)), 60)
})

t.test('responseShare: what is no part of a whole is refused', async (t) => {
  for (const responseShare of [0, -1, 1.1, NaN, Infinity, '0.5' as never]) {
    t.throws(() => new MemoryCache({ responseShare }), { code: 'CACHE_ERR_OPTION_INVALID', message: /responseShare/ }, String(responseShare))
  }
  for (const responseShare of [1, 0.001]) t.doesNotThrow(() => new MemoryCache({ responseShare }))
})

t.test('responseShare: the order of use is that of two independent lists, for any stream of calls', async () => {
  const call = fc.record({ do: fc.constantFrom('get', 'getEntry', 'set', 'set', 'set', 'del', 'clear'), room: fc.constantFrom('edge', 'user', 'edge-uri'), id: fc.nat(15) })
  const shares = fc.constantFrom(0.01, 0.3, 0.5, 1)
  const calls = fc.array(call, { maxLength: 400 })
  await fc.assert(fc.asyncProperty(calls, fc.integer({ min: 1, max: 20 }), shares, async (calls, maxEntries, responseShare) => {
    const cache = new MemoryCache({ maxEntries, responseShare })
    // The model's keys in the order of use; the last one was used most recently.
    let used: string[] = []
    const use = (key: string): boolean => {
      if (!used.includes(key)) return false
      used = [...used.filter((other) => other !== key), key]
      return true
    }
    for (const { do: what, room, id } of calls) {
      const key = `${room}:${id}`
      if (what === 'set') {
        await cache.set(key, id)
        if (!use(key)) used.push(key)
        if (used.length > maxEntries) {
          const responses = used.filter((other) => other.startsWith('edge:'))
          const evicted = responses.length > Math.max(1, responseShare * maxEntries) ? responses[0] : used[0]
          used = used.filter((other) => other !== evicted)
        }
      } else if (what === 'del') {
        await cache.del(key)
        used = used.filter((other) => other !== key)
      } else if (what === 'clear') {
        // `clear` is called rarely, since a full cache tests more.
        if (id > 0) continue
        await cache.clear()
        used = []
      } else {
        const result = what === 'get' ? await cache.get(key) : await cache.getEntry(key)
        if ((result.ok && result.value !== null) !== use(key)) return false
      }
      if (cache.size !== used.length) return false
    }
    for (const key of used) if (await held(cache, [key]) !== 1) return false
    return true
  }), { numRuns: 300 })
})

t.test('responseShare: bytes stay within the bound, and responses take nothing of the app within its share', async () => {
  const call = fc.record({ isResponse: fc.boolean(), id: fc.nat(60), bytes: fc.nat(4000), isTagged: fc.boolean() })
  await fc.assert(fc.asyncProperty(fc.array(call, { minLength: 50, maxLength: 300 }), async (calls) => {
    const maxBytes = 60_000
    const cache = new MemoryCache({ maxBytes })
    const values = keysOf('user', 10)
    for (const key of values) await cache.set(key, 'x'.repeat(1000))
    for (const { isResponse, id, bytes, isTagged } of calls) {
      // The values that the test itself changes are small: together with the others they use less than half of the cache.
      if (isResponse) await cache.set(`edge:${id}`, Buffer.alloc(bytes), isTagged ? { tags: [`edge-uri:${id}`] } : {})
      else await cache.set(`other:${id % 10}`, 'x'.repeat(bytes % 500))
      if (cache.bytes > maxBytes) return false
    }
    return await held(cache, values) === values.length
  }), { numRuns: 50 })
})
