import { cacheCore, NullCache, type CacheRegistry } from '@x/cache-core'
import Fastify from 'fastify'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { changeOf } from '../src/telemetry/stored-form.js'
import { makeClient } from '@x/test-kit/make-client'

class Money { amount = 1 }

t.test('changeOf: names the first member that JSON changes, and its path', async (t) => {
  t.equal(changeOf({ createdAt: new Date(0) }), 'Date at .createdAt')
  t.equal(changeOf({ items: [1, { price: NaN }] }), 'NaN at .items[1].price')
  t.equal(changeOf(new Map()), 'Map')
  t.equal(changeOf({ roles: new Set() }), 'Set at .roles')
  t.equal(changeOf([new Money()]), 'Money at [0]')
  t.equal(changeOf({ names: [undefined] }), 'undefined at .names[0]')
  t.equal(changeOf({ render () {} }), 'function at .render')
  t.equal(changeOf({ bytes: Buffer.from('x') }), 'Buffer at .bytes')
})

t.test('changeOf: names a list that JSON fills up or cuts', async (t) => {
  const holes = [1]
  holes[2] = 3
  t.equal(changeOf({ items: holes }), 'a list with holes or named members at .items')
  t.equal(changeOf(Object.assign([1], { total: 1 })), 'a list with holes or named members')
  t.equal(changeOf(new Array(3)), 'a list with holes or named members')
  t.equal(changeOf([1, 2, 3]), undefined)
})

t.test('changeOf: names a list of a class, with methods or with a number of rows that is not enumerable', async (t) => {
  class Rows extends Array<number> { first () { return this[0] } }
  t.equal(changeOf({ rows: Rows.from([1, 2]) }), 'Rows at .rows')
  t.equal(changeOf(Rows.from([1]), 'rich'), 'Rows')
  for (const serializer of ['json', 'rich'] as const) {
    t.equal(changeOf(Object.defineProperty([1], 'count', { value: 1 }), serializer), 'a list with holes or named members')
    t.equal(changeOf({ rows: Object.assign([1], { [Symbol('count')]: 1 }) }, serializer), 'a list with holes or named members at .rows')
  }
  t.equal(changeOf(Object.defineProperty([1], Symbol('mark'), { value: 1 })), undefined, 'the mark of a library')
  t.equal(changeOf(runInNewContext('[[1], { a: [] }]')), undefined, 'an array of another realm')
})

t.test('changeOf: does not name minus zero, and names members named by symbols', async (t) => {
  for (const serializer of ['json', 'rich'] as const) t.equal(changeOf({ balance: -0, list: [0, -0] }, serializer), undefined)
  t.equal(changeOf(Object.defineProperty([1], Symbol('mark'), { value: 1 })), undefined, 'the mark of a library')
  t.equal(changeOf({ [Symbol('at')]: 1 }), 'a member named by a symbol')
  t.equal(changeOf([{ a: { [Symbol('at')]: 1 } }], 'rich'), 'a member named by a symbol at [0].a')
  t.equal(changeOf(Object.defineProperty({ a: 1 }, Symbol('mark'), { value: 1 })), undefined, 'the mark of a library')
})

t.test('getOrSet, set: a stale window in milliseconds and a tag with a hollow part are said once per pattern', async (t) => {
  const { client, registry } = makeClient()
  const said = listen(registry)
  for (const at of [1, 2]) {
    await client.getOrSet(`user:${at}`, () => 1, { ttl: 60, staleWhileRevalidate: 3_600_000, tags: [`user:${String(undefined)}`] })
    await client.getOrSet(`late:${at}`, () => 1, { ttl: 60, tags: () => ['row:null'], coveringTags: ['rows'] })
    await client.set(`set:${at}`, 1, { ttl: 60, staleIfError: 86_400_000, tags: ['ok', '[object Object]'] })
    await client.set(`good:${at}`, 1, { ttl: 60, staleIfError: 7 * 86_400, tags: ['nullable', 'user:1'] })
  }
  t.match(said.sort(), [
    /^late: a tag has the part null/, /^set: a stale window of 86400000 seconds/, /^set: a tag has the part \[object Object\]/,
    /^user: a stale window of 3600000 seconds/, /^user: a tag has the part undefined/
  ])
  t.equal(said.length, 5)
})

t.test('changeOf: shows no member whose name may be data', async (t) => {
  t.equal(changeOf({ users: { 'ada@example.com': { at: new Date(0) }, user12345: 1 } }), 'Date at .users[…].at')
  t.equal(changeOf({ user12345: NaN }), 'NaN at […]')
  let deep: object = { at: new Date(0) }
  for (let level = 0; level < 100; level++) deep = { level: deep }
  t.equal(changeOf(deep)!.length, 'Date at '.length + 101)
})

t.test('changeOf: is silent about what a hit gives as it was, and never throws', async (t) => {
  for (const same of [null, 1, { name: undefined }, 'text', true, Buffer.from('x'), [1, [2]], { a: { b: null } }, Object.create(null)]) t.equal(changeOf(same), undefined)
  const shared = { a: 1 }
  t.equal(changeOf({ one: shared, other: [shared] }), undefined)
  t.equal(changeOf({ get late () { throw new Error('bug') } }), undefined)
  t.equal(changeOf(new Proxy({}, { ownKeys () { throw new Error('bug') } })), undefined)
})

t.test('changeOf: names what no store takes', async (t) => {
  const circle: Record<string, unknown> = {}
  circle.items = [circle]
  t.equal(changeOf(circle), 'a circle at .items[0]')
  t.equal(changeOf({ id: 1n }), 'BigInt at .id')
  t.equal(changeOf(1n), 'BigInt')
  t.equal(changeOf(NaN), 'NaN')
  t.equal(changeOf(() => 1), 'function')
  t.equal(changeOf(Symbol('s')), 'symbol')
  t.equal(changeOf(undefined), undefined)
})

t.test('getOrSet: a value that no store takes is said while observing, not only once every load is an error', async (t) => {
  const { client, registry } = makeClient(() => new NullCache() as never)
  const said = listen(registry)
  await client.getOrSet('count:1', () => NaN)
  await client.getOrSet('row:1', () => ({ id: 1n }))
  t.match(said, [/^count: changes when stored: NaN/, /^row: changes when stored: BigInt at \.id/])
  t.equal(registry.doubts.changeIn('count'), 'NaN')
})

for (const observes of [false, true]) {
  t.test(`getOrSet: what is most likely not meant is said once per pattern${observes ? ', while observing, too' : ''}`, async (t) => {
    const { client, registry } = observes ? makeClient(() => new NullCache() as never) : makeClient()
    const said: string[] = []
    registry.events.on('doubted', (keyPattern, message) => said.push(`${keyPattern}: ${message}`))
    for (const id of ['undefined', 'null', '7']) {
      await client.getOrSet(`user:${id}`, () => ({ createdAt: new Date(0) }), 60_000 * 60)
      await client.getOrSet(`plain:${id}x`, () => 'undefined', 60)
    }
    t.equal(said.length, 3)
    t.match(said[0], /^user: a ttl of 3600000 seconds is above one day/)
    t.match(said[1], /^user: a key has the part undefined/)
    t.match(said[2], /^user: changes when stored: Date at \.createdAt/)
  })
}

function listen (registry: CacheRegistry): string[] {
  const said: string[] = []
  registry.events.on('doubted', (keyPattern, message) => said.push(`${keyPattern}: ${message}`))
  return said
}

t.test('set, setMany: what is most likely not meant is said once per pattern', async (t) => {
  const { client, registry } = makeClient()
  const said = listen(registry)
  for (const at of [1, 2]) {
    await client.set(`one:${at}`, 1, 60_000 * 60)
    await client.setMany([{ key: `many:null:${at}`, value: [new Date(0)], options: { ttl: 86_401 } }])
  }
  t.equal(said.length, 4)
  t.match(said, [/^one: a ttl of 3600000/, /^many: a ttl of 86401/, /^many: a key has the part null/, /^many: changes when stored: Date at \[0\]/])
})

t.test('getOrSet: softTimeoutMs without staleIfError is said once per pattern', async (t) => {
  for (const { client, registry } of [makeClient<any>(), makeClient<any>(() => new NullCache())]) {
    const said = listen(registry)
    for (const at of [1, 2]) {
      await client.getOrSet(`user:${at}`, () => 1, { ttl: 60, softTimeoutMs: 200 })
      await client.getOrSet(`row:${at}`, () => 1, { ttl: 60, softTimeoutMs: 200, staleWhileRevalidate: 60 })
      await client.getOrSet(`good:${at}`, () => 1, { ttl: 60, softTimeoutMs: 200, staleIfError: 60 })
      await client.getOrSet(`none:${at}`, () => 1, { ttl: 60, softTimeoutMs: 200, staleIfError: 0 })
      await client.namespace('app', { staleIfError: 60 }).getOrSet(`app:${at}`, () => 1, { softTimeoutMs: 200 })
    }
    t.match(said.sort(), [/^row: softTimeoutMs has no effect without staleIfError/, /^user: softTimeoutMs has no effect/])
    t.equal(said.length, 2)
  }
})

t.test('getOrSetMany: a Map by other keys than those of the call is said once per pattern', async (t) => {
  class AnyKey extends Map<string, number> { override get () { return 1 } }
  for (const { client, registry } of [makeClient<any>(), makeClient<any>(() => new NullCache())]) {
    const said = listen(registry)
    for (const cache of [client, client.namespace('app'), client.namespace('app').namespace('inner')]) {
      for (const at of [1, 2]) {
        t.same(await cache.getOrSetMany<number>([`user:${at}`, 'user:3'], () => new Map([[at, 1], [3, 1]]) as never), [undefined, undefined])
        t.same(await cache.getOrSetMany<number>([`good:${at}`, 'good:3'], () => new Map([['good:3', 1], ['good:4', 1]])), [undefined, 1])
        t.same(await cache.getOrSetMany<number>([`country:X${at}`], () => new Map([['country:DE', 1], ['country:FR', 1]])), [undefined])
        t.same(await cache.getOrSetMany<number>(['DE'], () => new Map([['FR', 1]])), [undefined])
        t.same(await cache.getOrSetMany<number>(['country/XX'], () => new Map([['country/DE', 1]])), [undefined])
        t.same(await cache.getOrSetMany<number>([`empty:${at}`], () => new Map()), [undefined])
        t.same(await cache.getOrSetMany<number>([`any:${at}`], () => new AnyKey([['x', 1]])), [1])
        t.same(await cache.getOrSetMany<number | undefined>([`there:${at}`], (keys) => new Map([[keys[0]!, undefined]])), [undefined])
      }
    }
    t.match(said.sort(), [/^app: the loader of a getOrSetMany returned a Map that has none of the keys/, /^user: the loader of a getOrSetMany/])
    t.equal(said.length, 2)
  }
})

t.test('touch: a ttl in milliseconds is said once per pattern, and its calls are none of the values that are checked', async (t) => {
  const { client, registry } = makeClient()
  const said = listen(registry)
  await client.set('user:1', 1, 60)
  for (let at = 0; at < 20; at++) await client.touch('user:1', 3_600_000)
  await client.set('user:2', { at: new Date(0) }, 60)
  t.match(said, [/^user: a ttl of 3600000 seconds is above one day/, /^user: changes when stored: Date at \.at/])
  t.equal(said.length, 2)
})

t.test('del, delMany, tags.invalidate: a hollow part is said once per pattern, since the removal misses the complete entry', async (t) => {
  const { client, registry } = makeClient()
  const said = listen(registry)
  for (let times = 0; times < 2; times++) {
    await client.del(`user:${String(undefined)}`)
    await client.delMany(['row:1', 'row:null'])
    await client.tags.invalidate(['team:1', 'team:[object Object]'])
    await client.tags.invalidate('user:NaN', { soft: true })
    await client.del('user:1')
    await client.del('edge:null')
  }
  t.match(said, [
    /^user: a removal by key has the part undefined/, /^row: a removal by key has the part null/,
    /^team: a removal by tag has the part \[object Object\]/, /^user: a removal by tag has the part NaN/
  ])
  t.equal(said.length, 4)
})

t.test('a ttl of one day, of Infinity, of a function or of the app is not doubted', async (t) => {
  const { client, registry } = makeClient(undefined, { defaultTtl: 200_000 })
  const said = listen(registry)
  await client.set('a:1', 1, 86_400)
  await client.set('a:2', 1, Infinity)
  await client.set('a:3', 1)
  await client.getOrSet('a:4', () => 1, { ttl: () => 200_000 })
  await client.getOrSet('a:5', () => 1)
  t.same(said, [])
})

t.test('a key with a hollow part is said also behind many good ones', async (t) => {
  const { client, registry } = makeClient()
  const said = listen(registry)
  for (let at = 0; at < 100; at++) await client.set(`user:${at}`, 1)
  t.same(said, [])
  await client.getOrSet(`user:${String(undefined)}`, () => 1)
  t.match(said, [/^user: a key has the part undefined/])
})

for (const key of ['user:undefined', 'user:[object Object]:roles', 'user:[object Promise]', 'user:NaN', 'a:b/null/c', 'undefined']) {
  t.test(`a key such as ${key} is doubted`, async (t) => {
    const { client, registry } = makeClient()
    const said = listen(registry)
    await client.set(key, 1)
    t.equal(said.length, 1)
  })
}

t.test('keys that only contain such a word are not doubted, nor are those of stored responses', async (t) => {
  const { client, registry } = makeClient()
  const said = listen(registry)
  for (const key of ['user:nullable', 'page:annull', 'user:undefined1', 'user:NaNa', 'edge:null']) await client.set(key, 1)
  await client.set('edge:1', { body: Buffer.from('x') })
  t.same(said, [])
})

t.test('changeIn: what was seen of a pattern', async (t) => {
  const { client, registry } = makeClient<any>(() => new NullCache())
  await client.getOrSet('user:1', () => ({ at: new Date(0) }))
  await client.getOrSet('plain:1', () => 1)
  t.equal(registry.doubts.changeIn('user'), 'Date at .at')
  t.equal(registry.doubts.changeIn('plain'), undefined)
  t.equal(registry.doubts.changeIn('unknown'), undefined)
})

t.test('cacheCore: a doubt is one line in the log', async (t) => {
  const lines: { keyPattern?: string; msg: string }[] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: (line: string) => { lines.push(JSON.parse(line)) } } } })
  t.teardown(() => app.close())
  await app.register(cacheCore)
  for (const id of [1, 2]) await app.cache.getOrSet(`user:${id}`, () => new Map(), { ttl: 60 })
  t.match(lines, [{ keyPattern: 'user', msg: /changes when stored: Map/ }])
  t.equal(lines.length, 1)
})

t.test('set, lock: a key with an invalid date, or with the text of a function that was not called, is said once', async (t) => {
  const { client, registry } = makeClient()
  const said = listen(registry)
  const ttl = { ttl: 60 }
  await client.set(`day:${String(new Date('x'))}`, 1, ttl)
  for (const fn of ['(id) => id + 1', 'function idOf (id) { return id }', '({ id }) => { return id }', '() => 1']) await client.set(`fn${String(said.length)}:${fn}`, 1, ttl)
  await client.lock('job:undefined', { ttl: 10 })
  for (const fine of ['price:a=>5', 'day:Invalid', 'page:function', 'row:x=> y', 'search:x => y', 'redirect:/a => /b', 'q:calling a function (x)']) await client.set(fine, 1, ttl)
  t.match(said, [
    /^day: a key has the part Invalid Date/, /^fn1: a key has the part \(id\) =>/, /^fn2: a key has the part function idOf \(id\)/,
    /^fn3: a key has the part \(\{ id \}\) =>/, /^fn4: a key has the part \(\) =>/, /^job: the key of a lock has the part undefined: all calls .* share one lock/
  ])
  t.equal(said.length, 6)
  await client.set('job:undefined', 1, ttl)
  t.match(said[6], /^job: a key has the part undefined: its entry/, 'that of a lock does not hide it')
})

t.test('lock: a ttl in milliseconds is said once per pattern', async (t) => {
  const { client, registry } = makeClient()
  const said = listen(registry)
  await client.lock('job:1', { ttl: 3600 })
  for (const key of ['job:2', 'job:3']) await client.lock(key, { ttl: 30_000, waitMs: 0 })
  t.match(said, [/^job: a lock has a ttl of 30000 seconds/])
  t.equal(said.length, 1)
})

t.test('lock: takes no place among the metric labels', async (t) => {
  const { client, registry } = makeClient()
  registry.configure({ maxKeyPatterns: 2 })
  for (const name of ['a', 'b', 'c']) await client.lock(`${name}:1`, { ttl: 1 })
  await client.set('user:1', 1, 60)
  t.ok(registry.stats.patterns.has('user'))
})

t.test('samples: the number of checked values, which may be raised', async (t) => {
  const { registry, client } = makeClient<any>(() => new NullCache())
  const load = async (from: number, to: number): Promise<void> => {
    for (let turn = from; turn < to; turn++) await client.getOrSet('user:1', () => turn === 8 ? { at: new Date(0) } : { turn })
  }
  await load(0, 8)
  t.ok(registry.doubts.hasChecked('user'))
  registry.doubts.samples = 20
  t.notOk(registry.doubts.hasChecked('user'))
  await load(8, 20)
  t.equal(registry.doubts.changeIn('user'), 'Date at .at')
  t.ok(registry.doubts.hasChecked('user'))
})

t.test('getOrSetMany: a Map by ids that are texts is said, in a namespace, too', async (t) => {
  const { client, registry } = makeClient<any>()
  const said = listen(registry)
  t.same(await client.getOrSetMany<number>(['user:1'], () => new Map([['1', 5]])), [undefined])
  t.same(await client.namespace('app').getOrSetMany<number>(['user:1'], () => new Map([['1', 5]])), [undefined])
  t.match(said, [/^user: the loader of a getOrSetMany/, /^app: the loader of a getOrSetMany/])
})
