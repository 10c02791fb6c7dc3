import { MemoryCache } from '@x/cache-core'
import fc from 'fast-check'
import t from 'tap'
import { FakeClock } from '@x/test-kit/fake-clock'

async function has (cache: MemoryCache, key: string): Promise<boolean> {
  const result = await cache.getEntry(key)
  return result.ok && result.value !== null
}

t.test('maxEntries: the least recently used entry makes room', async (t) => {
  const cache = new MemoryCache({ maxEntries: 3 })
  for (const key of ['a', 'b', 'c']) await cache.set(key, key)
  await cache.get('a')
  await cache.set('d', 'd')
  t.same(await Promise.all(['a', 'b', 'c', 'd'].map((key) => has(cache, key))), [true, false, true, true])
  t.equal(cache.size, 3)
})

t.test('maxEntries: overwriting takes no room of others', async (t) => {
  const cache = new MemoryCache({ maxEntries: 2 })
  for (const key of ['a', 'b', 'b', 'b', 'b']) await cache.set(key, key)
  t.same([await has(cache, 'a'), await has(cache, 'b'), cache.size], [true, true, 2])
})

t.test('maxEntries: the order of use is that of an independent LRU, for any stream of calls', async () => {
  const calls = fc.array(fc.record({ do: fc.constantFrom('get', 'get', 'getEntry', 'getMany', 'set', 'set', 'del'), key: fc.nat(12) }), { maxLength: 200 })
  await fc.assert(fc.asyncProperty(calls, fc.integer({ min: 1, max: 8 }), async (calls, maxEntries) => {
    const cache = new MemoryCache({ maxEntries })
    // The model's keys in the order of use; the last one was used most recently.
    const lru: string[] = []
    const use = (key: string): boolean => {
      const at = lru.indexOf(key)
      if (at >= 0) lru.push(...lru.splice(at, 1))
      return at >= 0
    }
    for (const { do: call, key: id } of calls) {
      const key = `key:${id}`
      if (call === 'set') {
        await cache.set(key, id)
        if (!use(key)) lru.push(key)
        if (lru.length > maxEntries) lru.shift()
      } else if (call === 'del') {
        await cache.del(key)
        if (use(key)) lru.pop()
      } else {
        const result = call === 'get' ? await cache.get(key) : call === 'getEntry' ? await cache.getEntry(key) : await cache.getMany([key])
        const value = result.ok ? result.value : undefined
        const isHit = Array.isArray(value) ? value[0] !== null : value !== null
        if (isHit !== use(key)) return false
      }
      if (cache.size !== lru.length) return false
    }
    return true
  }), { numRuns: 200 })
})

t.test('maxEntries: the hits of a long skewed stream are exactly those of an independent LRU', async (t) => {
  const cache = new MemoryCache({ maxEntries: 50 })
  const lru = new Map<string, true>()
  let seed = 7
  let hits = 0
  let expected = 0
  for (let request = 0; request < 20_000; request++) {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
    const key = `table:${Math.floor(500 * (seed / 0x7fffffff) ** 3)}`
    const result = await cache.get(key)
    if (result.ok && result.value !== null) hits++
    else await cache.set(key, request)
    if (lru.delete(key)) expected++
    lru.set(key, true)
    if (lru.size > 50) lru.delete(lru.keys().next().value!)
  }
  t.equal(hits, expected)
  t.ok(hits > 4000 && hits < 18_000, `${hits} hits: a stream that tells something`)
})

t.test('maxBytes: never held more than, whatever is stored', async (t) => {
  const maxBytes = 20_000
  const cache = new MemoryCache({ maxBytes })
  let most = 0
  for (let id = 0; id < 500; id++) {
    const tags = id % 3 === 0 ? [`tag:${id}`] : []
    await cache.set(`key:${id}`, 'x'.repeat((id * 37) % 3000), { tags })
    most = Math.max(most, cache.bytes)
  }
  t.ok(most <= maxBytes)
  t.ok(cache.bytes > maxBytes / 2)
  t.ok(cache.size > 3)
})

t.test('maxBytes: keys, values and tags all count', async (t) => {
  const bytesOf = async (key: string, value: unknown, tags?: string[]): Promise<number> => {
    const cache = new MemoryCache()
    await cache.set(key, value, tags === undefined ? {} : { tags })
    return cache.bytes
  }
  const least = await bytesOf('k', '')
  t.equal(await bytesOf('k'.repeat(101), ''), least + 16 + 104)
  t.equal(await bytesOf('k', 'x'.repeat(100)), least + 16 + 104)
  t.equal(await bytesOf('k', Buffer.alloc(100)), least + 184 + 104)
  t.equal(await bytesOf('k', '€'.repeat(100)), least + 16 + 200)
  t.equal(await bytesOf('k', { a: 'x'.repeat(100) }), least + 16 + 112)
  t.ok(await bytesOf('k', '', ['t'.repeat(100)]) >= least + 16 + 104)
})

t.test('maxBytes: many tags cannot get around the bound', async (t) => {
  const cache = new MemoryCache({ maxBytes: 100_000 })
  for (let id = 0; id < 100; id++) {
    await cache.set(`key:${id}`, 1, { tags: Array.from({ length: 64 }, (_, at) => `${id}:${at}`.padEnd(256, 'x')) })
  }
  t.ok(cache.size <= 3, `${cache.size} entries of 32 kB`)
})

t.test('maxBytes: what went out gives its room back', async (t) => {
  const clock = new FakeClock()
  const cache = new MemoryCache({ clock })
  await cache.set('deleted', 'x'.repeat(1000))
  await cache.set('expired', 'x'.repeat(1000), 1)
  await cache.set('overwritten', 'x'.repeat(1000))
  await cache.set('invalidated', 'x'.repeat(1000), { tags: ['tag'] })
  await cache.set('zero', 'x'.repeat(1000))
  const before = cache.bytes
  await cache.del('deleted')
  await cache.set('overwritten', '')
  await cache.set('zero', 1, 0)
  await cache.tags.invalidate('tag')
  clock.advance(2)
  await cache.get('expired')
  await cache.get('invalidated')
  t.ok(cache.bytes < before - 4500, `${cache.bytes} of ${before}`)
  t.equal(cache.size, 1)
  await cache.clear()
  t.same([cache.size, cache.bytes], [0, 0])
})

t.test('set: one value that finds no room is CACHE_ERR_TOO_LARGE, throws nobody else out, and supersedes what was there', async (t) => {
  const cache = new MemoryCache({ maxBytes: 2000 })
  await cache.set('other', 'x'.repeat(500))
  await cache.set('key', 'old')
  for (const value of ['x'.repeat(2000), Buffer.alloc(2000), { text: 'x'.repeat(2000) }]) {
    t.match(await cache.set('key', value), { ok: false, error: { code: 'CACHE_ERR_TOO_LARGE' } })
  }
  t.same([await has(cache, 'key'), await has(cache, 'other')], [false, true])
  t.match(await cache.set('key', 1, { tags: Array.from({ length: 64 }, (_, at) => `tag:${at}`) }), { error: { code: 'CACHE_ERR_TOO_LARGE' } })
})

t.test('set: one value may take all of maxBytes', async (t) => {
  const least = new MemoryCache()
  await least.set('key', '')
  const maxBytes = least.bytes + 2000
  const cache = new MemoryCache({ maxBytes })
  await cache.set('other', 'x'.repeat(500))
  t.match(await cache.set('key', 'x'.repeat(1700)), { ok: true })
  t.equal(cache.size, 1)
  t.ok(cache.bytes <= maxBytes)
  t.match(await cache.set('key', 'x'.repeat(2001)), { ok: false })
})

t.test('maxTags: an entry keeps its tags, whatever else is captured', async (t) => {
  const cache = new MemoryCache({ maxTags: 2 })
  await cache.set('key', 1, { tags: ['kept'] })
  for (let id = 0; id < 100; id++) await cache.tags.capture([`tag:${id}`])
  t.equal(await has(cache, 'key'), true)
  await cache.tags.invalidate('kept')
  t.equal(await has(cache, 'key'), false)
})

t.test('maxTags: what was loaded under a tag that was forgotten meanwhile is not stored', async (t) => {
  const cache = new MemoryCache({ maxTags: 2 })
  const captured = await cache.tags.capture(['tag'])
  for (let id = 0; id < 2; id++) await cache.tags.capture([`tag:${id}`])
  await cache.set('key', 1, { tags: ['tag'], ...captured.ok ? { snapshot: captured.value } : {} })
  t.equal(await has(cache, 'key'), false)
})

t.test('options: a value of a wrong type or range is CACHE_ERR_OPTION_INVALID', async (t) => {
  for (const name of ['maxEntries', 'maxBytes', 'maxTags']) {
    for (const value of [0, -1, 1.5, NaN, Infinity, 2 ** 53, '10', null, {}, 1n]) {
      t.throws(() => new MemoryCache({ [name]: value }), { code: 'CACHE_ERR_OPTION_INVALID', message: new RegExp(name) }, `${name}: ${String(value)}`)
    }
  }
  for (const isolation of ['copy', '', true, 1n, {}]) {
    t.throws(() => new MemoryCache({ isolation: isolation as 'clone' }), { code: 'CACHE_ERR_OPTION_INVALID', message: /isolation/ })
  }
})

t.test('options: no bound makes it take its room beforehand, nor fail', async (t) => {
  t.throws(() => new MemoryCache({ maxEntries: 2 ** 24 + 1 }), { code: 'CACHE_ERR_OPTION_INVALID' })
  const before = process.memoryUsage().heapUsed
  const cache = new MemoryCache({ maxEntries: 1_000_000, maxBytes: Number.MAX_SAFE_INTEGER })
  t.ok(process.memoryUsage().heapUsed - before < 60e6, 'less than 60 bytes for each entry that may come')
  t.match(await cache.set('key', 1, { tags: ['tag'] }), { ok: true })
})
