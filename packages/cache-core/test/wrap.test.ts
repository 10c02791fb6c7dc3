import { CacheRegistry, type Result } from '@x/cache-core'
import { causeOf, ok } from '@x/cache-core/implementing'
import { CacheClient } from '@x/cache-core/suite'
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { deferred, settle } from '@x/test-kit/deferred'
import { countsOf, errorsOf, makeClient } from '@x/test-kit/make-client'

/** Texts that are reported in a key that the app makes, since an interpolation has most likely failed. */
const HOLLOW = ['undefined', 'null', 'NaN', 'Invalid Date', '[object Object]', '(id) => id', 'id => id', 'function of (id)']

interface User { id: number; team: string }

/** Makes a function of the app that records its calls. */
function recorded<A extends unknown[], T> (fn: (...args: A) => T) {
  const calls: A[] = []
  return {
    calls,
    fn: (...args: A): T => {
      calls.push(args)
      return fn(...args)
    }
  }
}

t.test('wrap: a function runs once for equal arguments', async (t) => {
  const { client, registry } = makeClient()
  const { calls, fn } = recorded((id: number, fields: { a?: number; b?: number } = {}) => ({ id, fields }))
  const load = client.wrap(fn, { name: 'user', ttl: 60 })
  t.same(await load(1, { a: 1, b: 2 }), { id: 1, fields: { a: 1, b: 2 } })
  t.same(await load(1, { b: 2, a: 1 }), { id: 1, fields: { a: 1, b: 2 } }, 'whatever the order of the members')
  t.same(await load(1), { id: 1, fields: {} })
  t.same(await load(1, undefined), { id: 1, fields: {} })
  t.equal(calls.length, 2)
  t.match(countsOf(registry, 'memory'), { hits: 2, misses: 2 })
  t.same([...registry.active.stats.counters.keys()], ['user'], 'the name is the key pattern')
})

t.test('wrap: a function of the first arguments alone leaves the type of the others as it is', async (t) => {
  const { client } = makeClient()
  const users = async (team: string, { limit = 10 } = {}): Promise<User[]> => [{ id: limit, team }]
  const load = client.wrap(users, { name: 'users', coveringTags: (team) => [`team:${team}`], tags: ([user], team) => [`${team}:${user!.id}`] })
  t.same(await load('red', { limit: 5 }), [{ id: 5, team: 'red' }], 'the compiler takes the second argument')
  const byTeam = client.namespace<User[]>('ns').wrap(users, { name: 'byTeam', key: (team) => team })
  t.same(await byTeam('red', { limit: 5 }), [{ id: 5, team: 'red' }])
  t.equal(byTeam.keyOf('red', { limit: 5 }), 'byTeam:red')
})

t.test('wrap: calls with equal arguments share one run, its value and its error', async (t) => {
  const { client } = makeClient()
  const value = deferred<string>()
  const { calls, fn } = recorded((_id: string) => value.promise)
  const load = client.wrap(fn, { name: 'user' })
  const waiting = [load('a'), load('a'), load('a')]
  await settle()
  const failure = new Error('down')
  value.reject(failure)
  for (const outcome of await Promise.allSettled(waiting)) t.equal((outcome as PromiseRejectedResult).reason, failure)
  t.equal(calls.length, 1)
})

t.test('wrap: arguments that differ in type or place have keys of their own', async (t) => {
  const { client } = makeClient()
  const load = client.wrap((...args: unknown[]) => args.length, { name: 'f' })
  const lists: unknown[][] = [
    [], [null], [1], ['1'], ['1,2'], [1, 2], ['1', '2'], [[1, 2]], [[1], 2], [true], ['true'], [1n], ['1n'], [0], [-0], [NaN], ['NaN'], [Infinity], ['undefined', 1],
    [undefined, 1], [null, 1], [{}], [[]], [{ a: 1 }], [{ a: '1' }], [{ a: undefined }], [{ a: { b: 1 } }], [{ 'a":1,"b': 1 }], [{ a: 1, b: 1 }], [''], ['', ''], ['#'],
    ['null'], ['\\u006eull'], ['\null'], ['\\null'], ['u006eull'], ['\n', 'ull'], ['0null'], ['[object Object]'], ['\\u005bobject Object]'], [{ null: 1 }], [[null]], ['a null b'],
    [new Date(0)], [new Date(1)], [new Date(NaN)], ['Date(0)'], [{ since: new Date(0) }], [new Date(0).toISOString()],
    [{ __proto__: null, constructor: 1 }], ['x'.repeat(300)], ['y'.repeat(300)]
  ]
  const keys = lists.map((args) => load.keyOf(...args))
  t.equal(new Set(keys).size, lists.length, keys.join('\n'))
  for (const key of keys) {
    t.ok(key.startsWith('f:'))
    t.ok(key.length <= 2 + 256)
    t.match(await client.get(key), { ok: true }, 'it is a valid key')
  }
  t.match(await client.get(load.keyOf('\ud800')), { ok: true }, 'an unpaired surrogate, too')
})

t.test('wrap: two lists of plain arguments have one key if they are equal, and only then', async (t) => {
  const { client } = makeClient()
  const load = client.wrap((...args: unknown[]) => args.length, { name: 'f' })
  const plain = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' },
      fc.constantFrom(null, undefined, true, false, 0, -0, NaN, '', ',', '"', '1', ...HOLLOW), fc.integer(), fc.double(), fc.bigInt(), fc.string({ unit: 'binary' }),
      fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(fc.string(), tie('value'), { maxKeys: 3, noNullPrototype: true }))
  })).value
  const list = fc.array(plain, { maxLength: 3 })
  const trimmed = (args: unknown[]): unknown[] => args.slice(0, args.findLastIndex((arg) => arg !== undefined) + 1)
  fc.assert(fc.property(list, list, (one, other) => {
    t.equal(load.keyOf(...one) === load.keyOf(...other), isDeepStrictEqual(trimmed(one), trimmed(other)))
    t.equal(load.keyOf(...one), load.keyOf(...structuredClone(one)))
  }), { numRuns: 300 })
})

t.test('wrap: no argument is reported as a failed interpolation, in a read or a removal', async (t) => {
  const { client, registry } = makeClient()
  const said: string[] = []
  registry.events.on('doubted', (keyPattern, message) => said.push(`${keyPattern}: ${message}`))
  const load = client.wrap((..._args: unknown[]) => 1, { name: 'users' })
  const hollow = [undefined, null, NaN, new Date(NaN), ...HOLLOW]
  for (const one of hollow) {
    for (const args of [['red', one], [one, 'red'], [{ limit: one }], [[one]], [{ [String(one)]: [one] }], [`a ${String(one)}`], [`${String(one)}:a`], [`\\${String(one)}`]]) {
      await load(...args)
      await client.del(load.keyOf(...args))
    }
  }
  const text = fc.array(fc.constantFrom(...HOLLOW, ' ', '\\', '\n', 'ull', 'u006e', '"', ':', 'x', '['), { maxLength: 6 }).map((parts) => parts.join(''))
  fc.assert(fc.property(text, text, (one, other) => {
    t.equal(load.keyOf(one) === load.keyOf(other), one === other)
    t.equal(load.keyOf({ [one]: 1 }) === load.keyOf({ [other]: 1 }), one === other)
    registry.doubts.lookAtCall('users', load.keyOf(one, { [other]: one }), {})
  }), { numRuns: 500 })
  t.same(said, [])
  const own = client.wrap((id?: string) => id ?? 'none', { name: 'own', key: (id) => String(id) })
  await own()
  t.match(said, [/^own: a key has the part undefined/], 'a text that the app makes is checked')
})

t.test('wrap: arguments without a text are refused with a code, and the function does not run', async (t) => {
  const { client } = makeClient()
  const { calls, fn } = recorded((_arg: unknown) => 1)
  const load = client.wrap(fn, { name: 'f' })
  const circular: Record<string, unknown> = {}
  circular.self = circular
  class Id { readonly id = 1 }
  class List extends Array {}
  class Day extends Date {}
  const holes = new Array<number>(2)
  holes[1] = 1
  const wrong: Record<string, unknown> = {
    'a function': () => 1,
    'a symbol': Symbol('x'),
    'an object of a class': new Id(),
    'an array of a class': new List(),
    'a Date of a class': new Day(0),
    'a Date with a member': Object.assign(new Date(0), { zone: 'UTC' }),
    'no Date': Object.create(Date.prototype),
    'a Map': new Map(),
    circular,
    'a symbol as a name': { [Symbol('x')]: 1 },
    holes,
    'named members': Object.assign([1], { more: 2 }),
    'a member that is not enumerable': Object.defineProperty({}, 'id', { value: 1 }),
    'an array with such a member': Object.defineProperty([1], 'id', { value: 1 }),
    'a getter that throws': { get secret () { throw new Error('of the app') } },
    nested: { list: [{ when: new Day(0) }] }
  }
  for (const [name, arg] of Object.entries(wrong)) {
    await t.rejects(load(arg), { code: 'CACHE_ERR_KEY_NOT_DERIVED' }, name)
    t.throws(() => load.keyOf(arg), { code: 'CACHE_ERR_KEY_NOT_DERIVED' }, name)
  }
  t.equal(calls.length, 0)
})

t.test('wrap: a Date counts by its time, and a load that begins later gets a copy of it', async (t) => {
  const { client } = makeClient()
  const { calls, fn } = recorded(({ since }: { since: Date }) => since.getTime())
  const load = client.wrap(fn, { name: 'f', ttl: 60 })
  const since = new Date(5)
  const loading = load({ since })
  since.setTime(9)
  t.equal(await loading, 5)
  t.equal(await load({ since: new Date(5) }), 5)
  t.equal(await load({ since }), 9)
  t.equal(calls.length, 2)
})

t.test('wrap: key returns the key of the arguments, and what it leaves out does not count', async (t) => {
  const { client } = makeClient()
  const { calls, fn } = recorded((user: { id: number }, _log: () => void) => user.id)
  const load = client.wrap(fn, { name: 'user', key: ({ id }) => `${id}` })
  t.equal(await load({ id: 7 }, () => {}), 7)
  t.equal(await load({ id: 7 }, () => {}), 7)
  t.equal(calls.length, 1)
  t.equal(load.keyOf({ id: 7 }, () => {}), 'user:7')
  t.same(await client.get('user:7'), ok(7))
})

t.test('wrap: a key function that returns no string, or throws, is a coded error', async (t) => {
  const { client } = makeClient()
  for (const wrong of [undefined, null, 7, {}]) {
    await t.rejects(client.wrap(() => 1, { name: 'f', key: () => wrong as never })(), { code: 'CACHE_ERR_KEY_NOT_DERIVED' })
  }
  const failure = new Error('bug')
  const error: unknown = await client.wrap(() => 1, { name: 'f', key: () => { throw failure } })().catch((error: unknown) => error)
  t.match(error, { code: 'CACHE_ERR_KEY_NOT_DERIVED' })
  t.equal(causeOf(error), failure)
})

t.test('wrap: a function for the key, the tags or the coveringTags that rejects is an error of the cache, and its rejection is handled', async (t) => {
  const { client, registry } = makeClient()
  const rejects = (): never => Promise.reject(new Error('of the app')) as never
  await t.rejects(client.wrap((id: number) => id, { name: 'k', key: rejects })(1), { code: 'CACHE_ERR_KEY_NOT_DERIVED' })
  t.equal(await client.wrap((id: number) => id, { name: 'c', coveringTags: rejects })(1), 1)
  t.equal(await client.wrap((id: number) => id, { name: 't', tags: rejects, coveringTags: ['all'] })(1), 1)
  // An unhandled rejection would fail the test in the next turn of the event loop.
  await new Promise((resolve) => { setImmediate(resolve) })
  t.match(errorsOf(registry, 'memory'), { tag_invalid: 2 })
})

t.test('wrap: a caller that changes its arguments during the load changes neither the result nor the tags', async (t) => {
  const { client } = makeClient()
  const tags = (_page: unknown, { filter: [tag] }: { filter: string[] }): string[] => [tag!]
  const load = client.wrap(async (query: { page: number; filter: string[] }) => query.page, { name: 'list', tags, coveringTags: ['all'] })
  const query = { page: 1, filter: ['a'] }
  const first = load(query)
  query.page = 2
  query.filter[0] = 'b'
  t.same([await first, await load(query)], [1, 2])
  t.same(await client.get(load.keyOf({ page: 1, filter: ['a'] })), ok(1))
  t.match(await client.getEntry(load.keyOf({ page: 1, filter: ['a'] })), { value: { tags: ['all', 'a'] } })
})

t.test('wrap: the function gets arguments equal to those of the call, in objects of the same kind', async (t) => {
  const { client } = makeClient()
  const { calls, fn } = recorded((..._args: unknown[]) => 1)
  const args = () => [1, 'a', null, [1, [2]], { a: { b: [undefined] } }, JSON.parse('{"__proto__":{"x":1}}') as unknown, Object.assign(Object.create(null) as object, { q: '1' })]
  await client.wrap(fn, { name: 'f' })(...args())
  t.strictSame(calls, [args()])
  t.equal(Object.getPrototypeOf(calls[0]![6]), null)
})

t.test('wrap: tags by result and by arguments invalidate the entry', async (t) => {
  const { client } = makeClient()
  const { calls, fn } = recorded((id: number): User => ({ id, team: 'red' }))
  const load = client.wrap(fn, {
    name: 'user', tags: (user, id) => [`team:${user.team}`, `of:${id}`], coveringTags: (id) => [`user:${id}`]
  })
  for (const [at, tag] of ['team:red', 'of:1', 'user:1'].entries()) {
    await load(1)
    t.equal(calls.length, at + 1, 'it is a hit until the tag is invalidated')
    await load(1)
    t.equal(calls.length, at + 1)
    await client.tags.invalidate(tag)
  }
  await load(1)
  t.equal(calls.length, 4)
  const listed = client.wrap(() => 1, { name: 'listed', tags: ['all'], coveringTags: ['more'] })
  await listed()
  t.match(await client.getEntry(listed.keyOf()), { value: { tags: ['all', 'more'] } })
})

t.test('wrap: a function for coveringTags that throws fails no caller, and nothing is stored', async (t) => {
  for (const made of [makeClient(), makeClient()]) {
    for (const cache of [made.client, made.client.namespace('app')]) {
      const load = cache.wrap(() => 1, { name: 'f', tags: () => ['a'], coveringTags: () => { throw new Error('bug') } })
      t.equal(await load(), 1)
      t.same(await cache.get(load.keyOf()), ok(null))
    }
    t.same(errorsOf(made.registry, 'memory'), { tag_invalid: 2 })
  }
})

t.test('wrap: ttl and stale windows are those of getOrSet', async (t) => {
  const { client, clock } = makeClient()
  let loads = 0
  const load = client.wrap(() => ++loads, { name: 'f', ttl: (value) => value * 10, staleWhileRevalidate: 60 })
  t.equal(await load(), 1)
  clock.advance(10)
  t.equal(await load(), 1, 'stale')
  await settle()
  t.equal(await load(), 2)
})

t.test('wrap: the function is called without a this', async (t) => {
  const { client } = makeClient()
  const seen: unknown[] = []
  const load = client.wrap(function (this: unknown) { seen.push(this); return 1 }, { name: 'f' })
  await load.call({ not: 'captured' })
  t.same(seen, [undefined])
})

t.test('wrap: the name is the key pattern if it can be a label, and in a namespace the pattern is that of the namespace', async (t) => {
  const { client, registry } = makeClient()
  for (const [name, pattern] of [['users', 'users'], ['find.users-2', 'find.users-2'], ['_users', 'other'], ['2fa', 'other'], ['v12345', 'other']] as const) {
    t.equal(registry.stats.patterns.of(client.wrap(() => 1, { name }).keyOf()), pattern)
    await client.namespace('app').wrap(() => 1, { name })()
  }
  t.same([...registry.active.stats.counters.keys()], ['app'])
})

t.test('wrap: keyOf is the key for del, within a namespace, too', async (t) => {
  const { client } = makeClient()
  for (const cache of [client, client.namespace('app').namespace('inner')]) {
    const { calls, fn } = recorded((id: number) => id)
    const load = cache.wrap(fn, { name: 'user' })
    await load(1)
    t.same(await cache.get(load.keyOf(1)), ok(1))
    await cache.del(load.keyOf(1))
    await load(1)
    t.equal(calls.length, 2)
  }
})

t.test('wrap: while observing each call runs the function, within the call', async (t) => {
  const client = new CacheClient(new CacheRegistry())
  const { calls, fn } = recorded((id: number) => id)
  const load = client.wrap(fn, { name: 'user' })
  const waiting = [load(1), load(1)]
  t.equal(calls.length, 2)
  t.same(await Promise.all(waiting), [1, 1])
})

t.test('wrap: wrong options, and a function that is none, are refused when the function is wrapped', async (t) => {
  const { client } = makeClient()
  const wrong: unknown[] = [
    undefined, null, 'user', {}, { name: '' }, { name: 'a:b' }, { name: 7 }, { name: 'x'.repeat(65) }, { name: 'f', key: 'id' }, { name: 'f', tll: 5 }, { name: 'f', keys: () => '' }
  ]
  for (const options of wrong) {
    t.throws(() => client.wrap(() => 1, options as never), { code: 'CACHE_ERR_OPTION_INVALID' }, JSON.stringify(options))
  }
  t.throws(() => client.wrap('loadUser' as never, { name: 'f' }), { code: 'CACHE_ERR_OPTION_INVALID' })
})

t.test('wrap: types: arguments and result are those of the function', async (t) => {
  const { client } = makeClient()
  const loadUser = async (id: number): Promise<User> => ({ id, team: 'red' })
  const load = client.wrap(loadUser, { name: 'user', tags: (user, id) => [user.team, id.toFixed(0)], coveringTags: ['users'] })
  const user: User = await load(1)
  // @ts-expect-error -- the argument is a number
  const wrong: Promise<User> = load('1')
  // @ts-expect-error -- a method needs its object, which the wrapped function does not have
  client.wrap(function (this: User, id: number) { return id }, { name: 'method' })
  const stored: Result<unknown> = await client.get(load.keyOf(1))
  t.same([user, await wrong, stored], [{ id: 1, team: 'red' }, { id: '1', team: 'red' }, ok({ id: 1, team: 'red' })])
})
