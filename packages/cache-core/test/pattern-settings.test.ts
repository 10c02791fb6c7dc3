import { cacheCore, cacheOptionsFromEnv, CacheRegistry, MemoryCache, type CacheCoreOptions, type FastifyCache, type GetOrSetOptions, type PatternOptions } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import { FakeClock } from '@x/test-kit/fake-clock'
import { ThreeMethodCache } from '@x/test-kit/foreign-caches'
import fc from 'fast-check'
import Fastify from 'fastify'
import t from 'tap'

const OPTIONS = { item: { ttl: 100, staleWhileRevalidate: 50, staleIfError: 70, tags: ['items'] } }

interface Tested { readonly client: FastifyCache; readonly registry: CacheRegistry; readonly clock: FakeClock }

/** Makes a client over a MemoryCache with a fake clock, whose key patterns have options. */
function clientOf (patterns: Record<string, PatternOptions> = OPTIONS): Tested {
  const clock = new FakeClock()
  const registry = new CacheRegistry({ clock, patterns })
  registry.register(new MemoryCache({ clock }))
  return { client: new CacheClient(registry), registry, clock }
}

/** Returns the lifetimes and tags of a stored entry. */
async function entryOf (client: FastifyCache, key: string): Promise<{ ttl: number; window: number; tags: string[] } | null> {
  const result = await client.getEntry(key)
  if (!result.ok || result.value === null) return null
  const { ttlLeft, staleLeft, tags } = result.value
  return { ttl: ttlLeft, window: staleLeft - ttlLeft, tags }
}

/** Returns the lifetimes and tags of the entry after a load with these options. */
async function loadedWith (options: GetOrSetOptions<any>, key = 'item:1'): Promise<Awaited<ReturnType<typeof entryOf>>> {
  const { client } = clientOf()
  await client.getOrSet(key, () => 'value', options)
  return entryOf(client, key)
}

t.test('getOrSet: the number of the pattern replaces that of the call, or none', async (t) => {
  const expected = { ttl: 100, window: 70, tags: ['items'] }
  t.same(await loadedWith({}), expected)
  t.same(await loadedWith({ ttl: 5, staleWhileRevalidate: 900, staleIfError: 1 }), expected)
  t.same(await loadedWith({ ttl: Infinity }), expected)
  t.same(await loadedWith({ ttl: 5 }, 'other-item:1'), { ttl: 5, window: 0, tags: [] }, 'another pattern')
})

t.test('getOrSet: a 0 and a function of the call hold, since they decide about the value', async (t) => {
  t.equal(await loadedWith({ ttl: 0 }), null)
  t.match(await loadedWith({ ttl: () => 7 }), { ttl: 7, window: 70 })
  t.equal(await loadedWith({ ttl: () => 0 }), null)
  t.match(await loadedWith({ staleWhileRevalidate: 0, staleIfError: 0 }), { ttl: 100, window: 0 })
})

t.test('getOrSet: wrong options of a call are refused as without a pattern', async (t) => {
  for (const options of [{ ttl: -1 }, { ttl: NaN }, { ttl: '5' }, { staleIfError: 'x' }, { tll: 5 }, { tags: 'x' }] as object[]) {
    t.equal(await loadedWith(options), null, JSON.stringify(options))
  }
})

t.test('getOrSet: the windows of the pattern are those of reads, too', async (t) => {
  const { client, clock } = clientOf()
  await client.getOrSet('item:1', () => 'first')
  clock.advance(120)
  t.equal(await client.getOrSet('item:1', () => 'second'), 'first', 'stale while it is refreshed')
  await new Promise(setImmediate)
  t.equal(await client.getOrSet('item:1', () => 'third'), 'second')
  clock.advance(160)
  t.equal(await client.getOrSet('item:1', () => { throw new Error('down') }, { retryAfterMs: 0 }), 'second', 'stale if loading fails')
})

t.test('set, setMany: lifetimes and tags of the pattern, and 0 removes', async (t) => {
  const { client } = clientOf()
  await client.set('item:1', 1, 5)
  await client.setMany([{ key: 'item:2', value: 2 }, { key: 'user:2', value: 2, options: { ttl: 9 } }])
  t.same(await Promise.all(['item:1', 'item:2', 'user:2'].map((key) => entryOf(client, key))), [
    { ttl: 100, window: 70, tags: ['items'] }, { ttl: 100, window: 70, tags: ['items'] }, { ttl: 9, window: 0, tags: [] }
  ])
  await client.set('item:1', 1, 0)
  t.equal(await entryOf(client, 'item:1'), null)
})

t.test('touch, getOrSetMany: lifetimes and tags of the pattern', async (t) => {
  const { client, clock } = clientOf()
  await client.getOrSetMany(['item:1', 'item:2'], (keys) => [...keys], { ttl: 5 })
  t.same(await entryOf(client, 'item:2'), { ttl: 100, window: 70, tags: ['items'] })
  clock.advance(50)
  t.same(await client.touch('item:2', 5), { ok: true, value: true })
  t.match(await entryOf(client, 'item:2'), { ttl: 100 })
  t.match(await entryOf(client, 'item:1'), { ttl: 50 })
})

t.test('tags: are added to those of the call, and one invalidation removes the pattern', async (t) => {
  t.same((await loadedWith({ tags: ['a', 'items'] }))?.tags, ['a', 'items'])
  const { client } = clientOf()
  for (const key of ['item:1', 'item:2', 'user:1']) await client.getOrSet(key, () => key, { tags: ['a'] })
  await client.tags.invalidate('items')
  t.same(await Promise.all(['item:1', 'item:2', 'user:1'].map(async (key) => (await entryOf(client, key)) === null)), [true, true, false])
})

t.test('tags: cover no tag of a function, and join the covering tags where there are some', async (t) => {
  const tags = (): string[] => ['late']
  t.equal(await loadedWith({ tags }), null)
  t.same((await loadedWith({ tags, coveringTags: ['a'] }))?.tags, ['a', 'items', 'late'])
})

t.test('tags: an invalidation of the pattern during a load keeps its value from being stored', async (t) => {
  const { client } = clientOf()
  await client.getOrSet('item:1', async () => {
    await client.tags.invalidate('items')
    return 'old'
  })
  t.equal(await entryOf(client, 'item:1'), null)
})

t.test('tags: keys of a namespace have those of the pattern of its name, beside its own', async (t) => {
  const { client } = clientOf()
  const items = client.namespace('item')
  await items.getOrSet('1', () => 1, { tags: ['a'] })
  await items.set('2', 2)
  t.same((await entryOf(client, 'item:1'))?.tags, [':item', 'item:a', 'items'])
  t.same((await entryOf(client, 'item:2'))?.tags, [':item', 'items'])
  await client.tags.invalidate('items')
  t.same([await entryOf(client, 'item:1'), await entryOf(client, 'item:2')], [null, null])
})

t.test('tags: a set with a snapshot has the tags of the snapshot', async (t) => {
  const { client } = clientOf()
  const captured = await client.tags.capture(['a'])
  await client.set('item:1', 1, { snapshot: captured.ok ? captured.value : undefined })
  t.same((await entryOf(client, 'item:1'))?.tags, ['a'])
})

t.test('tags: those of the pattern count among the 64 of an entry, and the error of a call with too many names them', async (t) => {
  const { client, registry } = clientOf({ item: { tags: ['items', 'tag 1', 'all'] } })
  const messages: string[] = []
  registry.events.on('failed', (_impl, _operation, error) => { messages.push(error.message) })
  const tagsOf = (count: number): string[] => Array.from({ length: count }, (_, at) => `tag ${at}`)
  const message = /got 65 tags, of which option "patterns" added 2 \("items", "all"\)$/
  const named = client.namespace('item')
  const calls: ((count: number) => Promise<unknown>)[] = [
    (count) => client.set('item:1', 1, { tags: tagsOf(count) }),
    (count) => client.getOrSet('item:2', () => 1, { tags: tagsOf(count) }),
    (count) => client.getOrSet('item:3', () => 1, { tags: tagsOf(count), coveringTags: [] }),
    (count) => client.getOrSet('item:4', () => 1, { tags: () => tagsOf(count).slice(1), coveringTags: ['tag 0'] })
  ]
  for (const [at, call] of calls.entries()) {
    // The tag of the pattern that the call itself has counts once; that of a function is not known when the pattern's tags are added.
    await call(at === 3 ? 61 : 62)
    t.equal((await entryOf(client, `item:${at + 1}`))?.tags.length, at === 3 ? 63 : 64)
    t.same(messages.splice(0), [])
    await client.del(`item:${at + 1}`)
    await call(63)
    t.equal(await entryOf(client, `item:${at + 1}`), null)
    t.match(messages.splice(0).at(-1), at === 3 ? /got 65 tags, of which option "patterns" added 3/ : message)
  }
  await named.set('5', 1, { tags: tagsOf(62) })
  t.match(messages, [/got 66 tags, of which option "patterns" added 3 \("items", "tag 1", "all"\)$/])
})

t.test('tags: an implementation without tags stores the entry without them', async (t) => {
  const { client, registry } = clientOf()
  const cache = new ThreeMethodCache()
  registry.register(cache)
  await client.getOrSet('item:1', () => 1)
  t.same([cache.values.get('item:1'), cache.ttls.length], [1, 1])
})

t.test('stored responses have no options, whatever pattern their keys have', async (t) => {
  const clock = new FakeClock()
  const registry = new CacheRegistry({ clock, keyPattern: () => 'item', patterns: OPTIONS })
  registry.register(new MemoryCache({ clock }))
  const client = new CacheClient(registry)
  await client.set('edge:GET /', 'response', 5)
  t.same(await entryOf(client, 'edge:GET /'), { ttl: 5, window: 0, tags: [] })
})

t.test('registry.patterns: changes at run time apply to later calls, and the status shows them', async (t) => {
  const { client, registry } = clientOf({})
  t.notOk('patterns' in registry.status())
  await client.set('item:1', 1, 5)
  registry.patterns.set('item', { ttl: 9 })
  await client.set('item:2', 2, 5)
  t.same([(await entryOf(client, 'item:1'))?.ttl, (await entryOf(client, 'item:2'))?.ttl], [5, 9])
  t.same(registry.status().patterns, { item: { ttl: 9 } })
  registry.patterns.set('item', undefined)
  await client.set('item:3', 3, 5)
  t.same([(await entryOf(client, 'item:3'))?.ttl, registry.patterns.get('item')], [5, undefined])
})

t.test('registry.patterns: a pattern that is set has a label of its own, whichever patterns came first', async (t) => {
  const { client, registry } = clientOf({})
  registry.configure({ maxKeyPatterns: 1 })
  await client.set('first:1', 1)
  registry.patterns.set('item', { ttl: 9 })
  await client.set('item:1', 1, 5)
  t.equal((await entryOf(client, 'item:1'))?.ttl, 9)
})

const WRONG: [patterns: unknown, path: string, allowed: RegExp][] = [
  [[], 'patterns', /object/],
  [{ 'user:*': {} }, 'patterns', /a letter/],
  [{ other: {} }, 'patterns', /not "other"/],
  [{ edge: { ttl: 5 } }, 'patterns', /cache-edge/],
  [{ [`u${'1'.repeat(6)}`]: {} }, 'patterns', /a letter/],
  [{ item: 5 }, 'patterns.item', /object/],
  [{ item: { tll: 5 } }, 'patterns.item.tll', /ttl, staleWhileRevalidate/],
  [{ item: { ttl: 0 } }, 'patterns.item.ttl', /above 0/],
  [{ item: { ttl: '5' } }, 'patterns.item.ttl', /a number/],
  [{ item: { staleIfError: -1 } }, 'patterns.item.staleIfError', /at least 0|from 0/],
  [{ item: { maxEntries: 1.5 } }, 'patterns.item.maxEntries', /a whole number/],
  [{ item: { tags: 'items' } }, 'patterns.item.tags', /array/],
  [{ item: { tags: [':item'] } }, 'patterns.item.tags', /without a colon/],
  [{ item: { tags: ['\ud800'] } }, 'patterns.item.tags', /without a colon/]
]

for (const [patterns, path, allowed] of WRONG) {
  t.test(`patterns: ${JSON.stringify(patterns)} is refused, as an option, at run time and from the environment`, async (t) => {
    const of = (act: () => unknown): { code?: string; message: string } => {
      try {
        act()
      } catch (error) {
        return error as Error & { code?: string }
      }
      return { message: '' }
    }
    const app = Fastify()
    t.teardown(() => app.close())
    const refused = await app.register(cacheCore, { patterns } as never).then(() => undefined, (error: Error) => error)
    t.match(refused, { code: 'CACHE_ERR_OPTION_INVALID', message: `Option "${path}" is invalid` })
    t.match(refused?.message, allowed)
    t.match(of(() => cacheOptionsFromEnv({ CACHE_PATTERNS: JSON.stringify(patterns) })), { code: 'CACHE_ERR_ENV_INVALID', message: /CACHE_PATTERNS/ })
    if (Array.isArray(patterns)) return
    const { registry } = clientOf()
    const [name, own] = Object.entries(patterns as object)[0]!
    t.match(of(() => registry.patterns.set(name, own as PatternOptions)), { code: 'CACHE_ERR_OPTION_INVALID' })
    t.same(registry.patterns.all(), OPTIONS, 'the options in force stay')
  })
}

t.test('CACHE_PATTERNS: the options as JSON', async (t) => {
  t.same(cacheOptionsFromEnv({ CACHE_IMPL: 'memory', CACHE_PATTERNS: ' {"item":{"ttl":5,"tags":["items"]}} ' }).patterns, { item: { ttl: 5, tags: ['items'] } })
  t.notOk('patterns' in cacheOptionsFromEnv({ CACHE_IMPL: 'memory', CACHE_PATTERNS: ' ' }))
  for (const got of ['{', 'item', '5', 'null', '{"__proto__":{"ttl":5}}']) {
    t.throws(() => cacheOptionsFromEnv({ CACHE_PATTERNS: got }), { code: 'CACHE_ERR_ENV_INVALID', message: /CACHE_PATTERNS/ }, got)
  }
})

t.test('patterns: the same key pattern with other options of a sibling package is CACHE_ERR_OPTION_CLASH', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, { patterns: { item: { ttl: 5 } } })
  const { coreOf } = await import('@x/cache-core')
  const core = coreOf(app)!
  t.throws(() => core.configureFor('a sibling', { patterns: { item: { ttl: 6 } } }), { code: 'CACHE_ERR_OPTION_CLASH', message: /patterns\.item/ })
  core.configureFor('a sibling', { patterns: { item: { ttl: 5 }, user: { ttl: 7 } } })
  t.same(app.cache.registry.patterns.all(), { item: { ttl: 5 }, user: { ttl: 7 } })
})

t.test('maxEntries: the pattern evicts its own least recently used entry, and no other one', async (t) => {
  const { client } = clientOf({ item: { maxEntries: 3 } })
  await client.set('user:1', 1)
  for (const id of [1, 2, 3]) await client.set(`item:${id}`, id)
  await client.get('item:1')
  await client.set('item:4', 4)
  const held = await Promise.all(['user:1', 'item:1', 'item:2', 'item:3', 'item:4'].map(async (key) => (await client.get(key) as { value: unknown }).value))
  t.same(held, [1, 1, null, 3, 4])
})

t.test('maxEntries: a change at run time applies from the next store of the pattern on', async (t) => {
  const { client, registry } = clientOf({ item: { maxEntries: 50 } })
  const cache = registry.current as MemoryCache
  const fill = async (): Promise<void> => { for (let id = 0; id < 50; id++) await client.set(`item:${id}`, id) }
  await fill()
  t.equal(cache.size, 50)
  registry.patterns.set('item', { maxEntries: 2 })
  await client.set('item:0', 0)
  t.equal(cache.size, 2)
  registry.patterns.set('item', undefined)
  await fill()
  t.equal(cache.size, 50)
  registry.patterns.set('item', { maxEntries: 10 })
  await fill()
  t.equal(cache.size, 10, 'entries that were stored without a limit count once they are stored again')
})

t.test('maxEntries: with any order of calls each pattern is a cache of its own size', async () => {
  const limits: Record<string, number> = { a: 2, b: 5 }
  const step = fc.record({ pattern: fc.constantFrom('a', 'b', 'c'), id: fc.nat(8), isSet: fc.boolean(), isDel: fc.boolean() })
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
    const { client, registry } = clientOf({ a: { maxEntries: 2 }, b: { maxEntries: 5 } })
    const model = new Map<string, string[]>([['a', []], ['b', []], ['c', []]])
    for (const { pattern, id, isSet, isDel } of steps) {
      const key = `${pattern}:${id}`
      const used = model.get(pattern)!
      const at = used.indexOf(key)
      if (isSet) await client.set(key, id)
      else if (isDel) await client.del(key)
      else {
        const result = await client.get(key)
        if (!result.ok || (result.value !== null) !== (at >= 0)) return false
      }
      if (at >= 0) used.splice(at, 1)
      if (isSet || (!isDel && at >= 0)) used.push(key)
      if (used.length > (limits[pattern] ?? Infinity)) used.shift()
    }
    return (registry.current as MemoryCache).size === [...model.values()].flat().length
  }), { numRuns: 300 })
})

t.test('maxEntries: the bytes of a cache without entries are none, whatever was evicted', async (t) => {
  const { client, registry } = clientOf({ item: { maxEntries: 3 } })
  for (let id = 0; id < 40; id++) await client.set(`item:${id}`, 'x'.repeat(id), { tags: ['a'] })
  const cache = registry.current as MemoryCache
  t.ok(cache.bytes > 0)
  await client.delMany(Array.from({ length: 40 }, (_, id) => `item:${id}`))
  t.equal(cache.size, 0)
})

t.test('getOrSet: a tags function without coveringTags counts as not storable while NullCache observes', async (t) => {
  const registry = new CacheRegistry()
  const client = new CacheClient(registry)
  const codes: string[] = []
  registry.events.on('failed', (_impl, _operation, { code }) => { codes.push(code) })
  t.equal(await client.getOrSet('item:1', () => 1, { tags: () => ['late'] }), 1)
  t.same([codes, registry.active.stats.of('item:1').sets], [['CACHE_ERR_TAG_INVALID'], 0])
})

t.test('types: options of key patterns and the serializer are checked by the compiler', async (t) => {
  const right: CacheCoreOptions = { serializer: 'rich', patterns: { item: { ttl: 5, tags: ['items'], version: 2, schema: (value: { id: number }) => value.id > 0 } } }
  // @ts-expect-error: an option that is misspelled
  const misspelled: CacheCoreOptions = { patterns: { item: { tll: 5 } } }
  // @ts-expect-error: an unknown serializer
  const unknown: CacheCoreOptions = { serializer: 'xml' }
  // @ts-expect-error: a version is a number
  const text: CacheCoreOptions = { patterns: { item: { version: '2' } } }
  for (const wrong of [misspelled, unknown, text]) t.throws(() => new CacheRegistry(wrong as never), { code: 'CACHE_ERR_OPTION_INVALID' })
  t.ok(new CacheRegistry(right as never))
})
