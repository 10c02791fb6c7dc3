import { CacheRegistry } from '@x/cache-core'
import { MAX_KEY_LENGTH, ok } from '@x/cache-core/implementing'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { deferred, settle } from '@x/test-kit/deferred'
import { ForeignCache, ThreeMethodCache } from '@x/test-kit/foreign-caches'
import { countsOf, errorsOf, makeClient } from '@x/test-kit/make-client'

t.test('namespace: prefixes every key', async (t) => {
  const { client, impl } = makeClient(() => new ForeignCache())
  const app = client.namespace('app')
  await app.set('user:1', 1)
  await app.setMany([{ key: 'user:2', value: 2 }])
  t.same(await app.get('user:1'), ok(1))
  t.same(await app.getMany(['user:2', 'user:3']), ok([2, null]))
  t.same(await client.get('app:user:1'), ok(1))
  t.match(await app.getEntry('user:1'), { value: { value: 1 } })
  t.equal(await app.getOrSet('user:1', () => t.fail('loaded')), 1)
  await app.del('user:1')
  await app.delMany(['user:2'])
  t.same(await client.getMany(['app:user:1', 'app:user:2']), ok([null, null]))
  t.ok((await app.lock('user:1', { ttl: 1 })).ok)
  t.ok((await app.health()).ok)
  t.ok(impl.calls.every((call) => call === 'health' || / (app:|:app)/.test(call)), impl.calls.join())
})

t.test('namespace: shares registry, counters and loads with the cache it is of', async (t) => {
  const { client, registry } = makeClient()
  const app = client.namespace('app')
  t.equal(app.registry, registry)
  const value = deferred<number>()
  const calls = [app.getOrSet('user:1', () => value.promise), client.namespace('app').getOrSet('user:1', () => t.fail('loaded twice') as never)]
  await settle()
  value.resolve(1)
  t.same(await Promise.all(calls), [1, 1])
  t.match(countsOf(registry, 'memory'), { misses: 2, sets: 1 })
  t.same([...registry.active.stats.counters.keys()], ['app'])
})

t.test('namespace: tags are its own', async (t) => {
  const { client } = makeClient()
  const [app, other] = [client.namespace('app'), client.namespace('other')]
  for (const cache of [app, other]) await cache.getOrSet('user:1', () => 'value', { tags: ['users'] })
  await app.tags.invalidate('users')
  t.same(await app.get('user:1'), ok(null))
  t.same(await other.get('user:1'), ok('value'))
  await client.tags.invalidate('users')
  t.same(await other.get('user:1'), ok('value'))
  await client.tags.invalidate(['other:users'])
  t.same(await other.get('user:1'), ok(null))
})

t.test('namespace: a snapshot keeps out what was invalidated since', async (t) => {
  const { client } = makeClient()
  const app = client.namespace('app')
  for (const change of [() => app.tags.invalidate('users'), () => app.clear(), () => client.clear()]) {
    const snapshot = (await app.tags.capture(['users']) as any).value
    await change()
    await app.set('user:1', 'old', { tags: ['users'], snapshot })
    t.same(await app.get('user:1'), ok(null))
  }
})

t.test('clear: of a namespace clears it, those within it, and nothing else', async (t) => {
  const { client } = makeClient()
  const app = client.namespace('app')
  const inner = app.namespace('inner')
  const other = client.namespace('other')
  const fill = async () => {
    await client.set('user:1', 1)
    await app.set('user:1', 1)
    await app.setMany([{ key: 'user:2', value: 2, options: { tags: ['users'] } }])
    await app.getOrSet('user:3', () => 3, { tags: () => ['late'], coveringTags: ['users'] })
    await app.getOrSet('user:4', () => 4)
    await inner.set('user:1', 1)
    await other.set('user:1', 1)
  }
  await fill()
  t.ok((await app.clear()).ok)
  t.same(await app.getMany(['user:1', 'user:2', 'user:3', 'user:4']), ok([null, null, null, null]))
  t.same(await inner.get('user:1'), ok(null))
  for (const cache of [client, other]) t.same(await cache.get('user:1'), ok(1))
  await fill()
  await inner.clear()
  t.same(await inner.get('user:1'), ok(null))
  t.same(await app.getMany(['user:1', 'user:2', 'user:3', 'user:4']), ok([1, 2, 3, 4]))
})

t.test('clear: of a namespace overtakes its loads', async (t) => {
  const { client } = makeClient()
  const app = client.namespace('app')
  const old = deferred<string>()
  const call = app.getOrSet('user:1', () => old.promise)
  await settle()
  await app.clear()
  t.equal(await app.getOrSet('user:1', () => 'new'), 'new')
  old.resolve('old')
  t.equal(await call, 'old')
  t.same(await app.get('user:1'), ok('new'))
})

t.test('getOrSet: of a namespace stores no late tags without covering ones', async (t) => {
  const { client, registry } = makeClient()
  const app = client.namespace('app')
  t.equal(await app.getOrSet('user:1', () => 1, { tags: () => ['users'] }), 1)
  t.same(await app.get('user:1'), ok(null))
  t.same(errorsOf(registry, 'memory'), { tag_invalid: 1 })
})

t.test('getOrSet: of a namespace takes a number as its ttl', async (t) => {
  const { client } = makeClient()
  await client.namespace('app').getOrSet('user:1', () => 1, 7)
  t.match(await client.getEntry('app:user:1'), { value: { ttlLeft: 7 } })
})

t.test('namespace: works on an implementation without tags, but for clear', async (t) => {
  const { client, impl } = makeClient(() => new ThreeMethodCache())
  const app = client.namespace('app')
  await app.set('user:1', 1)
  await app.set('user:2', 2, 7)
  await app.getOrSet('user:3', () => 3)
  await settle()
  t.same([...impl.values.keys()], ['app:user:1', 'app:user:2', 'app:user:3'])
  t.match(await app.clear(), { ok: false, error: { code: 'CACHE_ERR_UNSUPPORTED' } })
  t.match(await app.set('user:4', 4, { tags: ['users'] }), { ok: false, error: { code: 'CACHE_ERR_UNSUPPORTED' } })
})

t.test('namespace: works while observing', async (t) => {
  const app = new CacheClient(new CacheRegistry()).namespace('app')
  t.equal(await app.getOrSet('user:1', () => 1, { tags: ['users'] }), 1)
  t.ok((await app.set('user:1', 1)).ok)
  t.ok((await app.clear()).ok)
})

t.test('namespace: the name is checked', async (t) => {
  const { client } = makeClient()
  for (const name of ['', 'a:b', 'ä', ' ', 'x'.repeat(65), undefined, null, 7, {}]) {
    t.throws(() => client.namespace(name as string), { code: 'CACHE_ERR_OPTION_INVALID' }, String(name))
  }
  for (const name of ['a', 'x'.repeat(64), 'tenant_7.v2-b', '1']) t.ok(client.namespace(name))
})

t.test('namespace: invalid keys stay invalid, and its prefix counts towards their length', async (t) => {
  const { client } = makeClient()
  const app = client.namespace('app')
  for (const key of ['', 7, null, undefined, 'x'.repeat(MAX_KEY_LENGTH - 3)]) {
    t.match(await app.get(key as string), { ok: false, error: { code: 'CACHE_ERR_KEY_INVALID' } })
    t.match(await app.set(key as string, 1), { ok: false, error: { code: 'CACHE_ERR_KEY_INVALID' } })
    t.equal(await app.getOrSet(key as string, () => 1), 1)
  }
  t.ok((await app.set('x'.repeat(MAX_KEY_LENGTH - 4), 1)).ok)
  for (const tags of [undefined, null, 7, [7], ['']] as never[]) {
    t.match(await app.tags.invalidate(tags), { ok: false, error: { code: 'CACHE_ERR_TAG_INVALID' } })
  }
})

t.test('namespace: its own tag is its alone; no tag of the app begins with a colon and a name', async (t) => {
  const { client, registry } = makeClient()
  const app = client.namespace('app')
  const inner = app.namespace('inner')
  for (const cache of [app, inner]) valueOf(await cache.set('user:1', 'kept'))
  const refused = { ok: false, error: { code: 'CACHE_ERR_TAG_INVALID', message: /a colon before a name/ } }
  for (const own of [':app', ':app:inner', ':other']) {
    t.match(await client.tags.invalidate(own), refused)
    t.match(await client.tags.invalidate(['a', own]), refused)
    t.match(await client.tags.capture([own]), refused)
    t.match(await client.set('key', 1, { tags: [own] }), refused)
    t.match(await client.setMany([{ key: 'key', value: 1, options: { tags: [own] } }]), refused)
    t.equal(await client.getOrSet('key', () => 'loaded', { tags: [own] }), 'loaded')
    t.equal(await client.getOrSet('key', () => 'loaded', { tags: () => [own], coveringTags: ['a'] }), 'loaded')
    t.equal(await client.getOrSet('key', () => 'loaded', { tags: () => ['a'], coveringTags: [own] }), 'loaded')
    t.same(await client.get('key'), ok(null), 'it is not stored')
  }
  t.ok((errorsOf(registry, 'memory').tag_invalid ?? 0) >= 21)
  for (const cache of [app, inner]) t.same(await cache.get('user:1'), ok('kept'))
})

t.test('namespace: no tag of one touches another, whatever its user calls it', async (t) => {
  const { client } = makeClient()
  const app = client.namespace('app')
  const inner = app.namespace('inner')
  valueOf(await app.set('outer', 1, { tags: [':inner', 'a::b', ':'] }))
  valueOf(await inner.set('key', 1))
  for (const tag of [':app', ':inner', ':app:inner', 'inner:', ':inner:', 'app']) valueOf(await app.tags.invalidate(tag))
  t.same(await inner.get('key'), ok(1))
  t.same(await app.get('outer'), ok(null), 'that tag was its own')
  valueOf(await app.set('outer', 1, { tags: [':inner'] }))
  valueOf(await inner.clear())
  t.same(await app.get('outer'), ok(1))
  t.same(await inner.get('key'), ok(null))
})

t.test('namespace: names that another package of the suite uses are refused, but within a namespace', async (t) => {
  const { client, registry } = makeClient()
  registry.reservedNames.add('edge')
  t.throws(() => client.namespace('edge'), { code: 'CACHE_ERR_OPTION_INVALID', message: /edge/ })
  t.ok(client.namespace('app').namespace('edge'))
})

function valueOf (result: { ok: boolean }): void {
  if (!result.ok) throw (result as unknown as { error: Error }).error
}
