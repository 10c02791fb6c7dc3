import { CacheRegistry, MemoryCache, NullCache, type Cache, type SerializerName } from '@x/cache-core'
import { ok, serializedBy, type Serializer, type Serializes } from '@x/cache-core/implementing'
import { CacheClient, guardedSerializer, type Clock } from '@x/cache-core/suite'
import { testCache } from '@x/cache-core/testing'
import { deferred, settle } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import { makeClient } from '@x/test-kit/make-client'
import v8 from 'node:v8'
import t from 'tap'
import { changeOf } from '../src/telemetry/stored-form.js'
import { shadowed } from './fixtures/shadowed.js'

function clientOf (serializer: SerializerName = 'rich', cache: Cache = new MemoryCache()): { client: CacheClient; registry: CacheRegistry; doubts: string[] } {
  const registry = new CacheRegistry({ serializer })
  registry.register(cache)
  const doubts: string[] = []
  registry.events.on('doubted', (_pattern, message) => { doubts.push(message) })
  return { client: new CacheClient(registry), registry, doubts }
}

const made = () => ({ at: new Date(5), tags: new Set(['a']), total: 5n, none: undefined })

t.test('the contract, with rich values', async (t) => {
  const time = new FakeTime(t)
  const options = {
    test: (name: string, run: () => Promise<void>): Promise<unknown> => t.test(name, run),
    advance: (ms: number): void => time.advance(ms),
    isRich: true
  }
  for (const isolation of ['clone', 'freeze'] as const) {
    await testCache({ ...options, name: `memory, ${isolation}`, make: () => new MemoryCache({ clock: time.clock, isolation, serializer: 'rich' }) })
  }
  await testCache({
    ...options,
    name: 'client',
    make () {
      const registry = new CacheRegistry({ clock: time.clock, serializer: 'rich' })
      registry.register(new MemoryCache({ clock: time.clock }))
      return new CacheClient(registry)
    }
  })
})

t.test('serializer: the one of the registry is that of a MemoryCache, unless it has its own', async (t) => {
  for (const [own, expected] of [[undefined, made().at], ['rich', made().at], ['json', made().at.toJSON()]] as const) {
    const { client } = clientOf('rich', new MemoryCache(own === undefined ? {} : { serializer: own }))
    await client.set('a:1', { at: made().at })
    t.same(await client.get('a:1'), { ok: true, value: { at: expected } })
  }
  t.throws(() => new MemoryCache({ serializer: 'xml' as never }), { code: 'CACHE_ERR_OPTION_INVALID' })
})

t.test('getOrSet: every caller of a load, and every hit, gets values of the same classes', async (t) => {
  const { client, doubts } = clientOf()
  let loads = 0
  const get = (): Promise<unknown> => client.getOrSet('a:1', async () => { loads++; return made() })
  t.strictSame(await Promise.all([get(), get(), get()]), [made(), made(), made()])
  t.strictSame(await get(), made())
  t.same([loads, doubts], [1, []])
})

for (const isolation of ['clone', 'freeze'] as const) {
  t.test(`getOrSet: a refresh that answers unchanged() stores values of the same classes again (${isolation})`, async (t) => {
    const { client, clock } = makeClient((clock) => new MemoryCache({ clock, isolation }), { serializer: 'rich' })
    const options = { ttl: 10, staleWhileRevalidate: 60 }
    // One of the values has no BigInt, which JSON refuses: a wrong copy by JSON would succeed and lose the classes.
    for (const value of [() => ({ at: new Date(5), tags: new Set(['a']), none: undefined }), made]) {
      await client.set('a:1', value(), options)
      clock.advance(12)
      const served = await client.getOrSet('a:1', ({ unchanged }) => unchanged(), options) as ReturnType<typeof made>
      t.strictSame(served, value())
      served.tags.clear()
      await settle()
      t.strictSame(await client.get('a:1'), { ok: true, value: value() })
    }
  })
}

/** A cache whose values pass through a serializer of the app, as those of RedisCache with option `serializer`. */
function cacheWith (serializer: Serializer): Cache {
  const { serialize, deserialize } = guardedSerializer(serializer)
  const entries = new Map<string, Buffer>()
  const cache: Cache & Serializes = {
    [serializedBy]: serializer,
    name: 'own',
    async get (key) { return ok(entries.has(key) ? deserialize(entries.get(key)!) as never : null) },
    async set (key, value) {
      entries.set(key, Buffer.from(serialize(value)))
      return ok(undefined)
    },
    async del (key) {
      entries.delete(key)
      return ok(undefined)
    }
  }
  return cache
}

t.test('serializer of an implementation: every caller of a load, every queued write and every hit has its values', async (t) => {
  const ownJson = cacheWith({ serialize: (value) => JSON.stringify(value), deserialize: (bytes) => JSON.parse(String(bytes)) })
  for (const [cache, option, expected] of [
    [cacheWith({ serialize: v8.serialize, deserialize: v8.deserialize }), 'json', made()], [new MemoryCache({ serializer: 'rich' }), 'json', made()],
    [ownJson, 'rich', { at: made().at.toJSON(), tags: {} }], [new MemoryCache({ serializer: 'json' }), 'rich', { at: made().at.toJSON(), tags: {} }]
  ] as const) {
    const { client, doubts } = clientOf(option, cache)
    const value = (): object => 'total' in expected ? made() : { at: made().at, tags: new Set(['a']) }
    let loads = 0
    const get = (): Promise<unknown> => client.getOrSet('a:1', async () => { loads++; return value() })
    const [first, ...joined] = await Promise.all([get(), get(), get()])
    t.strictSame(first, value(), 'the caller that loads gets what it loaded')
    t.strictSame([...joined, await get(), loads], [expected, expected, expected, 1])
    if ('total' in expected) t.same(doubts, [])
    const own = value() as { tags: Set<string> }
    const writes = [client.set('a:2', 'before'), client.set('a:2', own)]
    own.tags.clear()
    await Promise.all(writes)
    t.strictSame(await client.get('a:2'), { ok: true, value: expected })
  }
})

t.test('serializer of an implementation: callers share the value if it cannot serialize or read it, and none fails', async (t) => {
  const fails = (): never => { throw new Error('out of order') }
  for (const serializer of [
    { serialize: fails, deserialize: fails }, { serialize: () => 'text', deserialize: fails }, { serialize: () => 5 as never, deserialize: fails },
    // The rejection of a promise that nobody takes would end the process.
    { serialize: (async () => fails()) as never, deserialize: fails }, { serialize: () => 'text', deserialize: async () => fails() },
    { serialize: () => 'text', deserialize: () => undefined }
  ]) {
    const { client } = clientOf('json', cacheWith(serializer))
    const get = (): Promise<unknown> => client.getOrSet('a:1', async () => made())
    t.strictSame(await Promise.all([get(), get()]), [made(), made()])
  }
})

t.test('getOrSet: a load gives its callers copies by the serializer that it began with, if the cache is replaced meanwhile', async (t) => {
  for (const next of [new NullCache(), new MemoryCache({ serializer: 'json' })]) {
    const { client, registry } = clientOf('json', cacheWith(v8))
    const source = deferred<object>()
    // The value has no BigInt, which JSON refuses: a wrong copy by JSON would succeed and lose the classes.
    const value = (): object => ({ at: new Date(5), tags: new Set(['a']) })
    const callers = [1, 2].map(() => client.getOrSet('a:1', () => source.promise))
    await settle()
    registry.register(next)
    source.resolve(value())
    t.strictSame(await Promise.all(callers), [value(), value()])
  }
})

t.test('set: a rich value that waits for an earlier write is stored as it was at the call', async (t) => {
  const { client } = clientOf('rich', Object.assign(new MemoryCache({ serializer: 'rich' }), {}))
  const value = made()
  const writes = [client.set('a:1', made()), client.set('a:1', value), client.set('a:1', 5n)]
  value.tags.clear()
  await Promise.all(writes)
  t.same(await client.get('a:1'), { ok: true, value: 5n })
})

t.test('set: BigInt, NaN and -0 are values of the rich serializer alone', async (t) => {
  for (const value of [5n, NaN, Infinity]) {
    t.match(await clientOf('json').client.set('a:1', value), { ok: false, error: { code: 'CACHE_ERR_VALUE_INVALID' } })
    t.match(await clientOf('rich').client.set('a:1', value), { ok: true })
  }
  for (const value of [undefined, () => {}, Symbol('a')]) t.match(await clientOf('rich').client.set('a:1', value), { ok: false, error: { code: 'CACHE_ERR_VALUE_INVALID' } })
})

t.test('MemoryCache: a value of JSON takes the same bytes with both serializers', async (t) => {
  const bytes = await Promise.all((['json', 'rich'] as const).flatMap((serializer) => (['clone', 'freeze'] as const).map(async (isolation) => {
    const cache = new MemoryCache({ serializer, isolation })
    for (let id = 0; id < 50; id++) await cache.set(`a:${id}`, { id, name: `name ${id}`, list: [1, 'ä', null] })
    return cache.bytes
  })))
  t.same(bytes.slice(0, 2), bytes.slice(2))
})

t.test('changeOf: knows what the rich serializer keeps, in maps and sets, too', async (t) => {
  class Account { id = 1 }
  const Own = { Date: class Date {} }
  t.equal(changeOf([made(), new Map<unknown, unknown>([[1n, new Set([NaN])]]), Buffer.from('a'), new Float32Array(1)], 'rich'), undefined)
  t.equal(changeOf({ map: new Map([[1, new Account()]]) }, 'rich'), 'Account at .map[…]')
  t.equal(changeOf({ at: new Own.Date() }, 'rich'), 'Date at .at', 'a class of the app')
  t.equal(changeOf({ call () {} }, 'rich'), 'function at .call')
  t.equal(changeOf(made()), 'Date at .at', 'JSON')
  const circle = new Map<string, unknown>()
  circle.set('self', circle)
  t.equal(changeOf(circle, 'rich'), 'a circle at […]')
})

t.test('doubted: names the option where it helps, and not where it does not, while observing as well', async (t) => {
  for (const cache of [new NullCache(), new MemoryCache()]) {
    const { client, doubts } = clientOf('json', cache)
    await client.getOrSet('date:1', () => made())
    await client.getOrSet('url:1', () => ({ at: new URL('http://a/') }))
    t.match(doubts[0], /^changes when stored: Date at \.at: JSON .* or set the option serializer: 'rich'$/)
    t.notMatch(doubts[1], 'rich')
  }
  const { client, registry, doubts } = clientOf('rich', new NullCache())
  await client.getOrSet('date:1', () => made())
  t.same([doubts, registry.doubts.changeIn('date')], [[], undefined])
  await client.getOrSet('url:1', () => ({ at: new URL('http://a/') }))
  t.match(doubts[0], /^changes when stored: URL at \.at: the rich serializer does not keep it/)
})

for (const [name, option, make] of [
  ['rich values of the registry', 'rich', (clock: Clock): Cache => new MemoryCache({ clock })],
  ['rich values of an implementation', 'json', (clock: Clock): Cache => new MemoryCache({ clock, serializer: 'rich' })],
  ['values of a serializer of the app', 'json', (): Cache => cacheWith({ serialize: v8.serialize, deserialize: v8.deserialize })]
] as const) {
  t.test(`shadow reads: ${name} are compared as they are stored`, async (t) => {
    const { client, source, load, pass, outcomes, counts, registry } = shadowed(t, make)
    registry.serializer = option
    registry.register(make(registry.clock))
    source.set('item:1', made())
    await load('item:1')
    await load('item:1')
    t.same(outcomes(), { absent: 1, match: 1 })
    source.set('item:1', { ...made(), at: new Date(6) })
    await pass(1)
    await load('item:1')
    await pass(90)
    t.match(outcomes(), { mismatch: 1 })
    t.match([...counts().mismatchPaths.keys()][0], /^\.at/)
    client.stop()
    await settle()
  })
}
