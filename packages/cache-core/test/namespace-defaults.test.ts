import type { FastifyCache, NamespaceOptions } from '@x/cache-core'
import { ok } from '@x/cache-core/implementing'
import t from 'tap'
import { settle } from '@x/test-kit/deferred'
import { ThreeMethodCache } from '@x/test-kit/foreign-caches'
import { errorsOf, makeClient } from '@x/test-kit/make-client'

interface User { id: number; team: string }
const ADA: User = { id: 1, team: 'red' }

/** The ways in which a value can be stored under a key of a namespace. */
const stores: Record<string, (cache: FastifyCache, key: string, value: unknown, options?: object) => Promise<unknown>> = {
  set: (cache, key, value, options) => cache.set(key, value, options),
  setMany: (cache, key, value, options) => cache.setMany([options === undefined ? { key, value } : { key, value, options }]),
  getOrSet: (cache, key, value, options) => cache.getOrSet(key, () => value, options),
  getOrSetMany: (cache, key, value, options) => cache.getOrSetMany([key], () => [value], options),
  wrap: (cache, key, value, options) => cache.wrap((_key: string) => value, { name: 'w', key: (id) => id, ...options })(key.slice(2)),
  warm: (cache, key, value, options = {}) => cache.warm([{ key, loader: () => value, options }])
}

for (const [call, store] of Object.entries(stores)) {
  t.test(`namespace: its defaults apply to ${call}, and the options of the call take precedence`, async (t) => {
    const { client } = makeClient()
    const app = client.namespace('app', { ttl: 50, staleIfError: 7, tags: ['all'] })
    await store(app, 'w:1', 1)
    t.match(await app.getEntry('w:1'), { value: { ttlLeft: 50, staleLeft: 57, tags: ['all'] } })
    await store(app, 'w:2', 2, { ttl: 5, staleIfError: 1, tags: ['own'] })
    const entry = await app.getEntry('w:2')
    t.match(entry, { value: { ttlLeft: 5, staleLeft: 6 } })
    t.same(entry.ok && entry.value?.tags.toSorted(), ['all', 'own'], 'tags are added')
    await store(app, 'w:3', 3, { ttl: undefined, tags: undefined })
    t.match(await app.getEntry('w:3'), { value: { ttlLeft: 50, tags: ['all'] } }, 'undefined counts as absent')
    await app.tags.invalidate('all')
    t.same(await app.getMany(['w:1', 'w:2', 'w:3']), ok([null, null, null]))
  })

  t.test(`namespace: functions among its defaults get the value of ${call}`, async (t) => {
    const { client } = makeClient()
    const users = client.namespace<User>('users', { ttl: (user) => user.id * 10, tags: (user) => [`team:${user.team}`], coveringTags: ['users'] }) as FastifyCache
    await store(users, 'w:1', ADA, { tags: ['own'] })
    const entry = await users.getEntry('w:1')
    t.match(entry, { value: { ttlLeft: 10 } })
    t.same(entry.ok && entry.value?.tags.toSorted(), ['own', 'team:red', 'users'])
    for (const tag of ['team:red', 'users', 'own']) {
      await store(users, 'w:1', ADA, { tags: ['own'] })
      await users.tags.invalidate(tag)
      t.same(await users.get('w:1'), ok(null), tag)
    }
  })
}

t.test('namespace: coveringTags of a call that are no array are refused, with a tags function among the defaults', async (t) => {
  const { client, registry } = makeClient()
  const users = client.namespace<User>('users', { tags: (user) => [`team:${user.team}`], coveringTags: ['users'] }) as FastifyCache
  const wrapped = users.wrap((_id: string) => ADA, { name: 'find', tags: ['a'], coveringTags: () => { throw new Error('no tags') } })
  for (const call of [1, 2, 3]) {
    t.same(await users.getOrSet('1', () => ADA, { tags: ['a'], coveringTags: null as never }), ADA)
    t.same(await wrapped('2'), ADA)
    t.same(errorsOf(registry, 'memory'), { tag_invalid: call * 2 })
  }
})

t.test('namespace: a number as the ttl of a call takes precedence over the default', async (t) => {
  const { client } = makeClient()
  const app = client.namespace('app', { ttl: 50 })
  await app.set('a', 1, 5)
  await app.getOrSet('b', () => 1, 5)
  await app.getOrSetMany(['c'], () => [1], 5)
  for (const key of ['a', 'b', 'c']) t.match(await app.getEntry(key), { value: { ttlLeft: 5 } })
})

t.test('namespace: functions for tags of the namespace and of the call are both asked', async (t) => {
  const { client } = makeClient()
  const users = client.namespace<User>('users', { tags: (user) => [`team:${user.team}`], coveringTags: ['users'] })
  await users.getOrSet('1', () => ADA, { tags: (user) => [`id:${user.id}`], coveringTags: ['more'] })
  const entry = await users.getEntry('1')
  t.same(entry.ok && entry.value?.tags.toSorted(), ['id:1', 'more', 'team:red', 'users'])
})

t.test('namespace: a tags function among the defaults without covering tags stores no loaded value, and listed tags cover none', async (t) => {
  const { client, registry } = makeClient()
  const users = client.namespace<User>('users', { tags: (user) => [user.team] })
  t.same(await users.getOrSet('1', () => ADA), ADA)
  t.same(await users.getOrSet('1', () => ADA, { tags: ['own'] }), ADA)
  t.same(await users.get('1'), ok(null))
  t.same(errorsOf(registry, 'memory'), { tag_invalid: 2 })
  t.same(await users.getOrSet('1', () => ADA, { coveringTags: ['users'] }), ADA)
  t.same(await users.get('1'), ok(ADA))
})

t.test('namespace: a default function that throws is a coded error, and nothing is stored', async (t) => {
  const bug = (): never => { throw new Error('bug') }
  const wrong: [NamespaceOptions, string][] = [[{ ttl: bug }, 'CACHE_ERR_TTL_INVALID'], [{ tags: bug, coveringTags: ['a'] }, 'CACHE_ERR_TAG_INVALID']]
  for (const [defaults, code] of wrong) {
    const { client, registry } = makeClient()
    const app = client.namespace('app', defaults)
    t.match(await app.set('a', 1), { ok: false, error: { code } })
    t.match(await app.setMany([{ key: 'a', value: 1 }]), { ok: false, error: { code } })
    t.equal(await app.getOrSet('a', () => 1), 1)
    t.same(await app.get('a'), ok(null))
    t.same(Object.values(errorsOf(registry, 'memory')), [3])
    t.match(await app.set('a', undefined), { ok: false, error: { code: 'CACHE_ERR_VALUE_INVALID' } })
  }
})

t.test('namespace: coveringTags of a call are prefixed, beside a list of tags, too', async (t) => {
  const { client } = makeClient()
  const app = client.namespace('app')
  await app.getOrSet('a', () => 1, { tags: ['one'], coveringTags: ['two'] })
  t.match(await app.getEntry('a'), { value: { tags: ['one', 'two'] } })
  await client.tags.invalidate('two')
  t.same(await app.get('a'), ok(1))
  await app.tags.invalidate('two')
  t.same(await app.get('a'), ok(null))
})

t.test('namespace: a snapshot has the default tags, and a set with it needs none', async (t) => {
  const { client } = makeClient()
  const app = client.namespace('app', { tags: ['all'], ttl: 50 })
  const snapshot = await app.tags.capture(['own'])
  if (!snapshot.ok) throw snapshot.error
  await app.set('a', 1, { snapshot: snapshot.value })
  t.match(await app.getEntry('a'), { value: { ttlLeft: 50, tags: ['all', 'own'] } })
  await app.tags.invalidate('all')
  await app.set('a', 2, { snapshot: snapshot.value })
  t.same(await app.get('a'), ok(null))
})

t.test('namespace: one within another has its defaults but for functions, and its own ones take precedence', async (t) => {
  const { client } = makeClient()
  const tenant = client.namespace('tenant', { ttl: 50, staleIfError: 7, tags: ['all'] })
  const plain = tenant.namespace('plain')
  const users = tenant.namespace<User>('users', { ttl: 5, tags: ['users'] })
  await plain.set('1', 1)
  await users.set('1', ADA)
  t.match(await client.getEntry('tenant:plain:1'), { value: { ttlLeft: 50, staleLeft: 57 } })
  t.match(await client.getEntry('tenant:users:1'), { value: { ttlLeft: 5, staleLeft: 12 } })
  t.match(await users.getEntry('1'), { value: { tags: ['users'] } }, 'it sees its own tags')
  await tenant.tags.invalidate('all')
  t.same(await plain.get('1'), ok(null))
  t.same(await users.get('1'), ok(null))
  await users.set('1', ADA)
  await users.tags.invalidate('users')
  t.same(await users.get('1'), ok(null))

  const typed = client.namespace<User>('typed', { ttl: (user) => user.id, tags: (user) => [user.team], coveringTags: ['a'] })
  const inner = typed.namespace<number>('inner')
  await inner.set('1', 1)
  t.match(await inner.getEntry('1'), { value: { ttlLeft: 3600, tags: [] } })
})

t.test('namespace: an entry with default tags is not stored in an implementation without tags', async (t) => {
  const { client, impl } = makeClient(() => new ThreeMethodCache())
  const app = client.namespace('app', { tags: ['all'] })
  t.match(await app.set('a', 1), { ok: false, error: { code: 'CACHE_ERR_UNSUPPORTED' } })
  t.equal(await app.getOrSet('a', () => 1), 1)
  await settle()
  t.equal(impl.values.size, 0)
})

t.test('namespace: wrong defaults are refused when it is made', async (t) => {
  const { client } = makeClient()
  const wrong: unknown[] = [
    'x', null, 60, [5], { tll: 5 }, { ttl: -1 }, { ttl: NaN }, { ttl: '60' }, { jitter: -1 }, { staleIfError: 'x' }, { staleWhileRevalidate: NaN }, { softTimeoutMs: '1' },
    { retryAfterMs: -1 }, { timeoutMs: {} }, { earlyRefresh: true }, { lock: 'yes' }, { tags: 'a' }, { tags: [''] }, { tags: [7] }, { coveringTags: () => ['a'] }
  ]
  for (const cache of [client, client.namespace('app')]) {
    for (const defaults of wrong) {
      t.throws(() => cache.namespace('inner', defaults as never), { code: 'CACHE_ERR_OPTION_INVALID' }, JSON.stringify(defaults))
    }
  }
  t.ok(client.namespace('app', { ttl: Infinity, jitter: 0.1, lock: true, timeoutMs: 0, tags: [], coveringTags: [] }))
})

t.test('namespace: types: its values have one type', async (t) => {
  const { client } = makeClient()
  const users = client.namespace<User>('user', { ttl: (user) => user.id, tags: (user) => [user.team], coveringTags: ['users'] })
  const user: User = await users.getOrSet('1', async () => ADA)
  // @ts-expect-error -- the stale value is a user
  await users.getOrSet('4', ({ stale }) => ({ id: stale?.value.age as number, team: 'red' }))
  const found = await users.get('1')
  const name: string | undefined = found.ok ? found.value?.team : undefined
  const many: (User | undefined)[] = await users.getOrSetMany(['1'], (keys) => keys.map(() => ADA))
  const load = users.wrap((id: number) => ({ id, team: 'red' }), { name: 'byId' })
  const loaded: User = await load(1)
  // @ts-expect-error -- no user
  await users.set('2', 'text')
  // @ts-expect-error -- no user
  await users.getOrSet('3', () => 7)
  // @ts-expect-error -- a function of the value gets a user
  client.namespace<User>('user', { ttl: (user) => user.age as number })
  const untyped: FastifyCache = client.namespace('other', { ttl: 5 })
  const inner = users.namespace<number>('inner')
  const count: number = await inner.getOrSet('1', () => 1)
  t.same([user, name, many, loaded, count, typeof untyped.get], [ADA, 'red', [ADA], ADA, 1, 'function'])
})

t.test('namespace: functions among its defaults that return a promise or no list are refused, and rejections are handled', async (t) => {
  for (const wrong of [() => Promise.reject(new Error('of the app')), () => 'red', () => new Set(['red']), () => null]) {
    const { client } = makeClient()
    const tagged = client.namespace('tagged', { tags: wrong as never, coveringTags: ['all'] })
    const timed = client.namespace('timed', { ttl: wrong as never })
    for (const [call, store] of Object.entries(stores)) {
      for (const [cache, options] of [[tagged, undefined], [tagged, { tags: ['own'] }], [timed, undefined]] as const) {
        await store(cache, 'w:1', 1, options)
        t.same(await cache.get('w:1'), ok(null), `${call}, ${String(wrong)}`)
      }
    }
    const own = { tags: wrong, coveringTags: ['all'] }
    t.equal(await tagged.getOrSet('b', () => 1, own as never), 1)
    t.match(await tagged.set('a', 1), { ok: false, error: { code: 'CACHE_ERR_TAG_INVALID' } })
    t.match(await timed.set('a', 1), { ok: false, error: { code: 'CACHE_ERR_TTL_INVALID' } })
    // An unhandled rejection would fail the test in the next turn of the event loop.
    await new Promise((resolve) => { setImmediate(resolve) })
  }
})
