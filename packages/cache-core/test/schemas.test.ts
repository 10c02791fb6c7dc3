import { CacheRegistry, MemoryCache, NullCache, type Cache, type PatternOptions, type ValueSchema } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import { testCache } from '@x/cache-core/testing'
import { deferred } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import { ThreeMethodCache } from '@x/test-kit/foreign-caches'
import t from 'tap'
import { Type } from 'typebox'

interface User { id: number; name: string }

const typebox = Type.Object({ id: Type.Number(), name: Type.String() })
const isUser = (value: User): boolean => typeof value?.id === 'number' && typeof value.name === 'string'
const standard = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => isUser(value as User) ? { value } : { issues: [{ message: 'no user' }] } } }
const SCHEMAS: Record<string, ValueSchema> = { TypeBox: typebox, 'a function': isUser, 'Standard Schema': standard }
const USER = { id: 1, name: 'Ada' }

interface Tested { client: CacheClient; registry: CacheRegistry; impl: Cache; doubts: string[]; errors: () => number }

/** Makes a client whose key pattern `user` has these options, over an implementation that may hold entries of another process. */
function clientOf (user: PatternOptions, impl: Cache = new MemoryCache()): Tested {
  const registry = new CacheRegistry({ patterns: { user } })
  registry.register(impl)
  const doubts: string[] = []
  registry.events.on('doubted', (keyPattern, message) => { doubts.push(`${keyPattern}: ${message}`) })
  return { client: new CacheClient(registry), registry, impl, doubts, errors: () => registry.active.stats.errors.get('schema') ?? 0 }
}

for (const [name, schema] of Object.entries(SCHEMAS)) {
  for (const [kind, make] of [['memory', () => new MemoryCache()], ['three methods', () => new ThreeMethodCache()]] as const) {
    t.test(`${name}, ${kind}: a stored value that does not pass is a miss, counted, and reported once`, async (t) => {
      const { client, impl, doubts, errors } = clientOf({ schema }, make())
      await impl.set('user:1', { id: 1 })
      await impl.set('user:2', { id: 2 })
      await impl.set('user:3', USER)
      await impl.set('order:1', { id: 1 })
      t.same(await client.get('user:1'), { ok: true, value: null })
      t.same(await client.get('user:3'), { ok: true, value: USER })
      t.same(await client.get('order:1'), { ok: true, value: { id: 1 } }, 'another pattern')
      t.same(await client.getOrSet('user:2', () => USER), USER)
      t.same(await client.get('user:2'), { ok: true, value: USER })
      t.equal(errors(), 2)
      t.equal(doubts.length, 1)
      t.match(doubts[0], /^user: a stored value does not pass the schema .* another version/)
      t.notMatch(doubts[0], 'Ada')
    })
  }

  t.test(`${name}: a loaded value that does not pass is returned, not stored, and reported once`, async (t) => {
    const { client, impl, doubts, errors } = clientOf({ schema })
    for (let time = 0; time < 2; time++) t.same(await client.getOrSet('user:1', () => ({ id: 'one' })), { id: 'one' })
    t.same(await impl.get('user:1'), { ok: true, value: null })
    t.match(await client.set('user:1', { id: 'one' }), { ok: false, error: { code: 'CACHE_ERR_SCHEMA' } })
    t.equal(errors(), 3)
    t.equal(doubts.length, 1)
    t.match(doubts[0], /^user: a value that is to be stored does not pass the schema/)
  })
}

const hasDate = (value: any): boolean => value?.at instanceof Date
const dates: ValueSchema = { '~standard': { validate: (value: unknown) => hasDate(value) ? {} : { issues: [{}] } } }

t.test('schema of a Date, JSON: the log says once that the stored form does not pass, and what to do', async (t) => {
  for (const [impl, stores] of [[new MemoryCache(), true], [new NullCache(), false]] as const) {
    const { client, doubts } = clientOf({ schema: dates }, impl)
    for (const key of ['user:1', 'user:1', 'user:2']) await client.getOrSet(key, () => ({ at: new Date(0) }))
    await client.set('user:3', { at: new Date(0) })
    const said = doubts.filter((doubt) => /stored form does not/.test(doubt))
    t.equal(said.length, 1)
    t.match(said[0], /^user: a loaded value passes the schema, .* every read is a miss .* serializer: 'rich'/)
    const reads = doubts.filter((doubt) => /a stored value does not pass/.test(doubt))
    t.equal(reads.length, stores ? 1 : 0)
    for (const read of reads) t.match(read, /the serializer has changed it/)
  }
})

t.test('schema of a Date: is no doubt with the rich serializer, nor with one that accepts the stored form', async (t) => {
  const ofRich = new CacheRegistry({ patterns: { user: { schema: dates } }, serializer: 'rich' })
  const ofBoth = new CacheRegistry({ patterns: { user: { schema: (value) => hasDate(value) || typeof value.at === 'string' } } })
  for (const registry of [ofRich, ofBoth]) {
    registry.register(new MemoryCache())
    const doubts: string[] = []
    registry.events.on('doubted', (_pattern, message) => { doubts.push(message) })
    const client = new CacheClient(registry)
    for (let time = 0; time < 2; time++) await client.getOrSet('user:1', () => ({ at: new Date(0) }))
    t.match(await client.get('user:1'), { ok: true, value: {} })
    t.same(doubts.filter((doubt) => /schema/.test(doubt)), [])
  }
})

t.test('getEntry, getMany: values that do not pass are misses, the others are not', async (t) => {
  const { client, impl, errors } = clientOf({ schema: isUser })
  await impl.set('user:1', USER)
  await impl.set('user:2', 5)
  t.same(await client.getMany(['user:2', 'user:1', 'user:0']), { ok: true, value: [null, USER, null] })
  t.same(await client.getEntry('user:2'), { ok: true, value: null })
  t.match(await client.getEntry('user:1'), { ok: true, value: { value: USER } })
  t.equal(errors(), 2)
})

t.test('getOrSet: a stale value that does not pass is not served, in place of a failed load either', async (t) => {
  const { client, impl } = clientOf({ schema: isUser, staleIfError: 100 })
  await impl.set('user:1', { id: 1 }, { ttl: 100 })
  await t.rejects(client.getOrSet('user:1', () => { throw new Error('down') }), { message: 'down' })
})

t.test('setMany: stores the values that pass, and returns the error', async (t) => {
  const { client, impl } = clientOf({ schema: isUser })
  t.match(await client.setMany([{ key: 'user:1', value: USER }, { key: 'user:2', value: 5 }]), { ok: false, error: { code: 'CACHE_ERR_SCHEMA' } })
  t.same(await impl.get('user:1'), { ok: true, value: USER })
  t.same(await impl.get('user:2'), { ok: true, value: null })
})

t.test('schema: null is a value, which passes or not', async (t) => {
  for (const make of [() => new MemoryCache(), () => new ThreeMethodCache()]) {
    const allowing = clientOf({ schema: (value) => value === null }, make())
    let loads = 0
    for (let time = 0; time < 2; time++) t.equal(await allowing.client.getOrSet('user:1', () => { loads++; return null }), null)
    t.same([loads, allowing.errors()], [1, 0])
    const refusing = clientOf({ schema: isUser }, make())
    t.match(await refusing.client.set('user:1', null), { ok: false, error: { code: 'CACHE_ERR_SCHEMA' } })
    t.same([await refusing.client.get('user:2'), refusing.errors()], [{ ok: true, value: null }, 1], 'a miss is no value')
  }
})

t.test('schema: one that throws or answers with a promise refuses every value, and no call fails', async (t) => {
  const throwing = (): boolean => { throw new Error('broken') }
  const late = { '~standard': { validate: async (value: unknown) => ({ value }) } }
  for (const [schema, why] of [[throwing, 'throws'], [async () => true, 'promise'], [late, 'promise'], [() => 1, 'no boolean']] as const) {
    const { client, impl, doubts } = clientOf({ schema: schema as ValueSchema })
    await impl.set('user:1', USER)
    t.same(await client.getOrSet('user:1', () => USER), USER)
    t.match(doubts[0], why)
  }
})

t.test('schema: every waiter of a load gets the value that does not pass', async (t) => {
  const { client } = clientOf({ schema: isUser })
  const held = deferred<unknown>()
  const all = [1, 2, 3].map(() => client.getOrSet('user:1', () => held.promise))
  held.resolve({ id: 'one' })
  t.same(await Promise.all(all), [{ id: 'one' }, { id: 'one' }, { id: 'one' }])
})

t.test('schema: wrong ones are CACHE_ERR_OPTION_INVALID, and the status does not show a right one', async (t) => {
  class OldSchema { validate () { return {} } }
  const ofOtherPrototype = Object.create({ type: 'object', validate () {} }) as object
  for (const schema of [5, 'user', null, [], { '~standard': {} }, { '~standard': null }, new Date(), new Map(), new OldSchema(), ofOtherPrototype]) {
    t.throws(() => clientOf({ schema: schema as never }), { code: 'CACHE_ERR_OPTION_INVALID', message: /patterns\.user\.schema/ })
  }
  for (const schema of [{ type: 'object' }, Object.assign(Object.create(null), { type: 'object' }), { '~standard': undefined, type: 'object' }]) {
    t.same(await clientOf({ schema }).client.set('user:1', USER), { ok: true, value: undefined })
    t.match(await clientOf({ schema }).client.set('user:1', 'Ada'), { error: { code: 'CACHE_ERR_SCHEMA' } })
  }
  t.same(clientOf({ schema: typebox, version: 2, ttl: 5 }).registry.status().patterns, { user: { version: 2, ttl: 5 } })
})

t.test('version: entries of another version, and of keys without one, are misses', async (t) => {
  const impl = new MemoryCache()
  const before = clientOf({}, impl)
  const first = clientOf({ version: 1 }, impl)
  const second = clientOf({ version: 2 }, impl)
  for (const [at, { client }] of [before, first, second].entries()) {
    t.same(await client.get('user:1'), { ok: true, value: null })
    await client.set('user:1', at)
  }
  t.same(await Promise.all([before, first, second].map(async ({ client }) => (await client.get('user:1') as { value: unknown }).value)), [0, 1, 2])
  t.same(await impl.get('user:1@v2'), { ok: true, value: 2 })
  await second.client.set('order:1', 5)
  t.same(await impl.get('order:1'), { ok: true, value: 5 }, 'another pattern has no version')
})

t.test('version: a removal reaches the versions beside it and keys without a version, a tag reaches every version', async (t) => {
  for (const make of [() => new MemoryCache(), () => new ThreeMethodCache()]) {
    const impl = make()
    const clients = [{}, { version: 1 }, { version: 2 }, { version: 3 }, { version: 4 }].map((user) => clientOf(user, impl).client)
    for (const remove of [(client: CacheClient) => client.del('user:1'), (client: CacheClient) => client.delMany(['user:1'])]) {
      for (const client of clients) await client.set('user:1', 1)
      const removed = await remove(clients[2]!)
      if (!removed.ok) continue
      t.same(await Promise.all(clients.map(async (client) => (await client.get('user:1') as { value: unknown }).value)), [null, null, null, null, 1])
    }
  }
  const impl = new MemoryCache()
  const clients = [{ version: 1 }, { version: 2 }, { version: 3 }].map((user) => clientOf(user, impl).client)
  for (const client of clients) await client.set('user:1', 1, { tags: ['a'] })
  await clients[0]!.tags.invalidate('a')
  t.same(await Promise.all(clients.map(async (client) => (await client.get('user:1') as { value: unknown }).value)), [null, null, null])
})

t.test('version: lowered by a rollback and raised again, it reads the entries of before, without those that were removed meanwhile', async (t) => {
  for (const [make, remove] of [
    [() => new MemoryCache(), (client: CacheClient) => client.del('user:1')],
    [() => new MemoryCache(), (client: CacheClient) => client.delMany(['user:1'])],
    [() => new ThreeMethodCache(), (client: CacheClient) => client.del('user:1')]
  ] as const) {
    const impl = make()
    const second = clientOf({ version: 2 }, impl).client
    await second.set('user:1', 'before')
    await second.set('user:2', 'before')
    const first = clientOf({ version: 1 }, impl).client
    t.equal(await first.getOrSet('user:1', () => 'of version 1'), 'of version 1')
    t.match(await remove(first), { ok: true })
    const again = clientOf({ version: 2 }, impl).client
    t.equal(await again.getOrSet('user:1', () => 'after'), 'after')
    t.equal(await again.getOrSet('user:2', () => 'loaded again'), 'before')
  }
})

t.test('version: changed at run time and back, it reads the entries of before, without those that were removed meanwhile', async (t) => {
  const { client, registry } = clientOf({ version: 2 })
  await client.set('user:1', 'before')
  await client.set('user:2', 'before')
  registry.patterns.set('user', { version: 1 })
  await client.del('user:1')
  registry.patterns.set('user', { version: 2 })
  t.same(await client.getMany(['user:1', 'user:2']), { ok: true, value: [null, 'before'] })
})

t.test('version: a change at run time applies at once, and events name the keys of the app', async (t) => {
  const { client, registry } = clientOf({ version: 1 })
  const stored: string[] = []
  registry.events.on('stored', (key) => { stored.push(key) })
  await client.set('user:1', 1)
  registry.patterns.set('user', { version: 2 })
  t.same(await client.get('user:1'), { ok: true, value: null })
  registry.patterns.set('user', undefined)
  t.equal(registry.patterns.hasRules, false)
  t.same(stored, ['user:1'])
})

t.test('schema: one that answers with a promise, or with another object with `then`, refuses every value, and its rejection is handled', async (t) => {
  const failed = new Error('the schema failed')
  const thenable = { then: (_resolve: unknown, reject: (error: Error) => void) => reject(failed) }
  const schemas = [
    () => Promise.reject(failed),
    { '~standard': { validate: () => Promise.reject(failed) } },
    { '~standard': { validate: () => thenable as never } }
  ]
  for (const schema of schemas) {
    const { client, impl, doubts } = clientOf({ schema: schema as ValueSchema })
    await impl.set('user:1', USER)
    t.same(await client.get('user:1'), { ok: true, value: null })
    t.match(await client.set('user:1', USER), { ok: false, error: { code: 'CACHE_ERR_SCHEMA' } })
    t.match(doubts, [/such as a promise/, /such as a promise/])
    // An unhandled rejection would fail the test in the next turn of the event loop.
    await new Promise((resolve) => { setImmediate(resolve) })
  }
})

t.test('schema, version: while NullCache observes, every load is that of its caller', async (t) => {
  const { client } = clientOf({ schema: isUser, version: 2 }, new NullCache())
  t.same(await client.getOrSet('user:1', () => ({ id: 'one' })), { id: 'one' })
})

t.test('the contract, behind a schema and a version for every key', async (t) => {
  const time = new FakeTime(t)
  await testCache({
    // The claim about the longest keys is left out, since the version uses a part of the maximum length.
    test: (name, run) => / takes any key of /.test(name) ? undefined : t.test(name, run),
    name: 'client with rules',
    make () {
      const registry = new CacheRegistry({ clock: time.clock, keyPattern: () => 'every', patterns: { every: { schema: () => true, version: 3 } } })
      registry.register(new MemoryCache({ clock: time.clock }))
      return new CacheClient(registry)
    },
    advance: (ms) => time.advance(ms),
    checksInput: true
  })
})
