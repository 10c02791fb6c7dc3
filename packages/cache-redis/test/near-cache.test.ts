import t from 'tap'
import type { BoundToken } from '../src/entries/bound-token.js'
import { Codec, gzipCompression, type DecodedPayload } from '../src/entries/codec.js'
import { jsonSerializer, richSerializer, type Serializer } from '../src/entries/serializers.js'
import type { StoredEntry } from '../src/entries/found-entry.js'
import { GENERATION, Keys } from '../src/entries/keys.js'
import { NearCache, type NearDeps } from '../src/near/near-cache.js'
import type { NearSettings } from '../src/near/near-options.js'

const SERVER = 'server01'
const generation: BoundToken = { token: 'generation00', serverId: SERVER }
const tagged: BoundToken = { token: 'token0000000', serverId: SERVER }
const keys = new Keys('cache:')

/** One master with its messages, as the near cache uses them; each reason not to trust a copy is a field. */
interface World {
  now: number
  isTrusted: boolean
  serverId: string | undefined
  /** The tokens that this process remembers, by tag. */
  readonly tokens: Map<string, BoundToken>
  ownerOfSlot: 'this' | 'another' | 'unknown'
  version: number
}

interface Lifetime { ttlMs?: number; windowMs?: number; leftMs?: number; tags?: boolean }

interface Options extends Partial<NearSettings> { isCluster?: boolean; serializer?: Serializer }

function setUp ({ isCluster = false, serializer = jsonSerializer, ...settings }: Options = {}) {
  const world: World = {
    now: 1000, isTrusted: true, serverId: SERVER, tokens: new Map([[GENERATION, generation], ['tag', tagged]]), ownerOfSlot: 'this', version: 0
  }
  const node = { get serverId () { return world.serverId }, isTrustedAt: () => world.isTrusted }
  const deps = {
    connection: { isCluster, slotOf: () => 7, ownerOfSlot: () => ({ this: node, another: {}, unknown: undefined })[world.ownerOfSlot] },
    keys,
    tokens: {
      get version () { return world.version },
      proves: (proofs: { tag: string; token: string; serverId: string }[]) => proofs.every(({ tag, token, serverId }) => {
        const current = world.tokens.get(tag)
        return current?.token === token && current.serverId === serverId
      })
    },
    serializer,
    ageBoundMs: 250,
    now: () => world.now
  } as unknown as NearDeps
  const near = new NearCache({ maxEntries: 100, maxBytes: 1_000_000, isolation: 'clone', ...settings }, deps)
  const limits = { compressAboveBytes: Infinity, maxValueBytes: 1_000_000, limitMs: 1000 }
  const codec = new Codec({ serializer, compression: gzipCompression, ...limits })

  /** Makes an entry as a read from Redis returns it. */
  async function stored (value: unknown, lifetime: Lifetime = {}): Promise<StoredEntry> {
    const { ttlMs = 10_000, windowMs = 0, tags = false } = lifetime
    const { leftMs = ttlMs + windowMs } = lifetime
    const serialised = codec.serialise(value)
    if (serialised instanceof Error) throw serialised
    const bytes = await codec.encode(serialised, { ttlMs, windowMs, ownServerId: undefined, tags: tags ? [{ tag: 'tag', ...tagged }] : [] })
    const decoded = await codec.decode(Buffer.from(bytes)) as DecodedPayload
    return { decoded, isStale: false, leftMs, place: { name: keys.entry('generation00server01', 'key'), generation, node: node as never } }
  }

  /** Reads a key from Redis, and holds a copy of the entry. */
  async function hold (key: string, value: unknown, options?: Lifetime): Promise<void> {
    const entry = await stored(value, options)
    near.end(near.begin(key), entry)
  }

  const read = (key: string): unknown => {
    const result = near.read(key)
    return result?.ok === true ? result.value : undefined
  }
  return { near, world, stored, hold, read }
}

/** Returns the Redis key of an entry in a generation. */
const nameOf = (key: string, of = 'generation00server01'): string => `cache:e:${of}:${key}`

t.test('near: a read that no message interrupted is held and served', async (t) => {
  const { near, hold, read } = setUp()
  await hold('key', { a: 1 })
  t.same(read('key'), { a: 1 })
  t.match(near.find('key'), { decoded: { value: { a: 1 } }, isStale: false })
  t.match(near.share('key'), { ok: true, value: { value: { a: 1 }, fresh: true } })
  t.equal(read('other'), undefined)
  t.match(near.status, { entries: 1, hits: 3, ageBoundMs: 250 })
})

for (const [doubt, raise] of Object.entries<(set: ReturnType<typeof setUp>) => void>({
  'a message about its key': ({ near }) => near.forgetNames([nameOf('key')]),
  'a message about its key in another generation': ({ near }) => near.forgetNames([nameOf('key', 'another00000server01')]),
  'a write or removal of this process': ({ near }) => near.forget('key'),
  'a flush: FLUSHALL, a closed connection, an open breaker': ({ near }) => near.clear()
})) {
  t.test(`near: ${doubt} removes the copy, and nothing that was read before is held`, async (t) => {
    const set = setUp()
    await set.hold('key', 'old')
    const slow = set.near.begin('key')
    const entry = await set.stored('old')
    raise(set)
    t.equal(set.read('key'), undefined)
    t.equal(set.near.find('key'), undefined)
    t.equal(set.near.share('key'), undefined)
    set.near.end(slow, entry)
    t.equal(set.read('key'), undefined, 'the slow reply is not held')
    await set.hold('key', 'new')
    t.equal(set.read('key'), 'new', 'a later one is')
  })
}

for (const [doubt, raise, isCluster] of [
  ['the messages of the master are late', (world) => { world.isTrusted = false }, false],
  ['the server has another identity', (world) => { world.serverId = 'server02' }, false],
  ['the server has no identity', (world) => { world.serverId = undefined }, false],
  ['the generation is not remembered', (world) => { world.tokens.delete(GENERATION) }, false],
  ['the generation is another', (world) => { world.tokens.set(GENERATION, { token: 'another', serverId: SERVER }) }, false],
  ['the token of a tag is not remembered', (world) => { world.tokens.delete('tag') }, false],
  ['the token of a tag is another', (world) => { world.tokens.set('tag', { token: 'another', serverId: SERVER }) }, false],
  ['the tag was invalidated softly', (world) => { world.tokens.set('tag', { token: `${tagged.token}.soft00000000`, serverId: SERVER }) }, false],
  ['the slot has another master', (world) => { world.ownerOfSlot = 'another' }, true],
  ['the slot has no known master', (world) => { world.ownerOfSlot = 'unknown' }, true]
] as Array<[string, (world: World) => void, boolean]>) {
  t.test(`near: nothing is served, and nothing is held, while ${doubt}`, async (t) => {
    const { near, world, hold, read } = setUp({ isCluster })
    await hold('key', 1, { tags: true })
    t.equal(read('key'), 1)
    const before = { ...world, tokens: new Map(world.tokens) }
    raise(world)
    world.version++
    t.equal(read('key'), undefined)
    t.equal(near.find('key'), undefined)
    t.equal(near.share('key'), undefined)
    await hold('key', 2, { tags: true })
    t.equal(near.status.entries, 0)
    Object.assign(world, before, { version: world.version + 1 })
    await hold('key', 3, { tags: true })
    t.equal(read('key'), 3)
  })
}

t.test('near: the ttl and the stale window end by the clock of this process, counted from before the command was sent', async (t) => {
  const { near, world, stored, read } = setUp()
  const entry = await stored('value', { ttlMs: 1000, windowMs: 500 })
  const reading = near.begin('key')
  world.now += 300
  near.end(reading, entry)
  t.match(near.find('key'), { isStale: false, leftMs: 1200 })
  world.now += 699
  t.equal(read('key'), 'value')
  world.now += 1
  t.equal(read('key'), undefined, 'get is a miss from the end of the ttl on')
  t.match(near.find('key'), { isStale: true, leftMs: 500, decoded: { windowMs: 500, ttlMs: 1000 } })
  t.match(near.share('key'), { value: { fresh: false, age: 1 } })
  world.now += 500
  t.equal(near.find('key'), undefined)
  t.equal(near.status.entries, 0)
})

t.test('near: an entry that another program prolonged or made permanent lives no longer than it was stored for', async (t) => {
  const { near, world, hold } = setUp()
  await hold('key', 1, { ttlMs: 1000, leftMs: 999_999, tags: true })
  t.match(near.find('key'), { leftMs: 1000 })
  world.now += 1000
  t.equal(near.find('key'), undefined)
  for (const leftMs of [-1, 0]) {
    await hold('key', 1, { ttlMs: 1000, leftMs, tags: true })
    t.equal(near.find('key'), undefined, `PTTL ${leftMs} is not held`)
  }
})

t.test('near: a miss in Redis removes the copy', async (t) => {
  const { near, hold } = setUp()
  await hold('key', 1)
  near.end(near.begin('key'), null)
  t.equal(near.status.entries, 0)
})

const values: readonly unknown[] = [null, 0, '', false, 'text', 'ä', '☃', 1.5, [1, [2]], { a: { b: [{}] } }, Buffer.from('bytes')]

for (const isolation of ['clone', 'freeze'] as const) {
  t.test(`near: each value comes back as from Redis (${isolation})`, async (t) => {
    const { near, hold } = setUp({ isolation })
    for (const value of values) {
      await hold('key', value)
      const result = near.read('key')
      t.ok(result?.ok)
      t.strictSame(result?.ok === true ? result.value : undefined, value)
      t.strictSame(near.find('key')?.decoded.value, value)
    }
  })
}

t.test("near: with 'clone' no reader sees the changes of another", async (t) => {
  const { stored, near, read } = setUp()
  const entry = await stored({ list: [1] })
  near.end(near.begin('key'), entry)
  const changes = entry.decoded.value as { list: number[] }
  changes.list.push(2)
  const first = read('key') as { list: number[] }
  first.list.push(3)
  t.same(read('key'), { list: [1] })
  t.not(read('key'), read('key'))
})

t.test("near: with 'freeze' all readers share one frozen value, and what was read from Redis is frozen whether it is held or not", async (t) => {
  const { stored, near, read, world } = setUp({ isolation: 'freeze' })
  const entry = await stored({ list: [{ deep: 1 }] })
  near.end(near.begin('key'), entry)
  const value = read('key') as { list: object[] }
  t.equal(read('key'), value)
  for (const part of [value, value.list, value.list[0]]) t.ok(Object.isFrozen(part))
  world.isTrusted = false
  const other = await stored({ list: [1] })
  near.end(near.begin('other'), other)
  t.ok(Object.isFrozen(other.decoded.value))
  world.isTrusted = true
  t.equal(read('other'), undefined)
})

for (const isolation of ['clone', 'freeze'] as const) {
  t.test(`near: bytes are copied for each reader, and shared only by shareNear (${isolation})`, async (t) => {
    const { near, hold, read } = setUp({ isolation })
    await hold('key', Buffer.from('bytes'))
    const first = read('key') as Buffer
    first.fill(0)
    t.same(read('key'), Buffer.from('bytes'))
    const [one, two] = [near.share('key'), near.share('key')]
    t.ok(one?.ok === true && two?.ok === true && one.value?.value === two.value?.value)
  })
}

/** A serializer whose values are no JSON; it returns parts of the bytes that it gets. */
const views: Serializer = {
  serialize: (value) => Buffer.from(JSON.stringify(value)),
  deserialize: (bytes) => ({ at: new Date(0), view: bytes.subarray(0, 1) })
}

t.test('near: values of a serializer of the app are read by it for each reader, from bytes of their own', async (t) => {
  const { hold, read } = setUp({ serializer: views })
  await hold('key', 'x')
  const first = read('key') as { at: Date; view: Buffer }
  t.same(first.at, new Date(0))
  first.view.fill(0)
  t.equal((read('key') as { view: Buffer }).view.toString(), '"')
})

t.test('near: rich values are copies for each reader, and values of JSON among them', async (t) => {
  const { hold, read } = setUp({ serializer: richSerializer })
  for (const value of [{ at: new Date(5), tags: new Set(['a']) }, { id: 1 }, 5n, NaN, 'text', null]) {
    await hold('key', value)
    const first = read('key') as { tags?: Set<string> }
    first?.tags?.clear()
    t.strictSame(read('key'), value)
  }
})

t.test('near: a value that the serializer cannot read again is read from Redis', async (t) => {
  let fails = false
  const { near, hold, read } = setUp({
    serializer: { serialize: String, deserialize: (bytes) => { if (fails) throw new Error('no'); return bytes.toString() } }
  })
  await hold('key', 'x')
  t.equal(read('key'), 'x')
  fails = true
  t.equal(read('key'), undefined)
  t.equal(near.status.entries, 0)
})

t.test('near: entries and bytes stay within their bounds, and the least recently read entry makes room', async (t) => {
  const { near, hold, read } = setUp({ maxEntries: 3 })
  for (const key of ['a', 'b', 'c']) await hold(key, key)
  t.equal(read('a'), 'a')
  await hold('d', 'd')
  t.equal(near.status.entries, 3)
  t.equal(read('b'), undefined)
  t.equal(read('a'), 'a')
  const small = setUp({ maxBytes: 20_000 })
  for (let at = 0; at < 100; at++) {
    await small.hold(`key:${at}`, 'x'.repeat(900), { tags: at % 2 === 0 })
    t.ok(small.near.status.bytes <= 20_000)
  }
  t.ok(small.near.status.entries > 10)
  await small.hold('large', 'x'.repeat(30_000))
  t.equal(small.read('large'), undefined, 'an entry above maxBytes is not held')
})

t.test('near: a value larger than maxBytes does not empty the near cache each time that it is read', async (t) => {
  const { near, hold, read } = setUp({ maxBytes: 20_000 })
  for (const key of ['a', 'b', 'c']) await hold(key, key)
  await hold('large', 'x'.repeat(30_000))
  t.strictSame(['a', 'b', 'c', 'large'].map(read), ['a', 'b', 'c', undefined])
  await hold('edge:large', 'x'.repeat(15_000))
  t.strictSame(['a', 'b', 'c'].map(read), ['a', 'b', 'c'], 'a stored response that needs more than its share and fits evicts nothing')
  await hold('edge:larger', 'x'.repeat(15_000))
  t.strictSame(['a', 'b', 'c', 'edge:larger'].map(read), ['a', 'b', 'c', undefined], 'a stored response above its share is not held where room is needed')
  await hold('b', 'x'.repeat(30_000))
  t.equal(read('b'), undefined, 'the copy of the earlier value is gone')
  t.equal(near.status.entries, 3)
})

t.test('near: messages about other keys, and names that are no entries, remove nothing', async (t) => {
  const { near, hold, read } = setUp()
  await hold('key', 1)
  near.forgetNames([nameOf('key:1'), nameOf('ke'), 'cache:t:key', 'cache:g', 'cache:e:', 'cache:e:key', 'other:e:x:key', ''])
  t.equal(read('key'), 1)
  await hold('a:b:c', 2)
  near.forgetNames([nameOf('a:b:c')])
  t.equal(read('a:b:c'), undefined)
})

t.test('decline: a copy that was read by share and not used is no hit', async (t) => {
  const { near, hold, read } = setUp()
  await hold('key', 'value')
  t.match(near.share('key'), { ok: true })
  near.decline()
  t.equal(near.status.hits, 0)
  read('key')
  t.equal(near.status.hits, 1)
})
