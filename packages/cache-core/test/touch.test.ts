import { CacheRegistry } from '@x/cache-core'
import { ok } from '@x/cache-core/implementing'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { deferred, settle } from '@x/test-kit/deferred'
import { ForeignCache, ThreeMethodCache } from '@x/test-kit/foreign-caches'
import { countsOf, errorsOf, makeClient } from '@x/test-kit/make-client'

const KEY = 'user:1'

t.test('touch: without a ttl the default applies', async (t) => {
  const { client, clock } = makeClient(undefined, { defaultTtl: 100 })
  await client.set(KEY, 1, 10)
  clock.advance(9)
  t.same(await client.touch(KEY), ok(true))
  t.match(await client.getEntry(KEY), { value: { ttlLeft: 100, age: 9 } })
})

t.test('touch: a wrong key or ttl is a coded error and counted, and the implementation is not asked', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache())
  for (const ttl of [-1, NaN, '60', null, {}]) {
    t.match(await client.touch(KEY, ttl as number), { ok: false, error: { code: 'CACHE_ERR_TTL_INVALID' } }, String(ttl))
  }
  t.match(await client.touch(''), { ok: false, error: { code: 'CACHE_ERR_KEY_INVALID' } })
  t.same(errorsOf(registry, 'ForeignCache'), { ttl_invalid: 5, key_invalid: 1 })
  t.same(impl.calls, [])
})

t.test('touch: an implementation without it answers CACHE_ERR_UNSUPPORTED', async (t) => {
  const { client } = makeClient(() => new ThreeMethodCache())
  t.match(await client.touch(KEY, 60), { ok: false, error: { code: 'CACHE_ERR_UNSUPPORTED' } })
})

t.test('touch: is false, and withheld, while observing and outside of the rollout', async (t) => {
  t.same(await new CacheClient(new CacheRegistry()).touch(KEY, 60), ok(false))
  const { client, impl } = makeClient(() => new ForeignCache())
  await impl.memory.set(KEY, 1)
  t.same(await client.withArm('control').touch(KEY, 60), ok(false))
  t.same(impl.calls, [])
})

t.test('touch: counts no read and no store, and its duration is measured', async (t) => {
  const { client, registry } = makeClient(() => new ForeignCache())
  await client.set(KEY, 1)
  registry.stats.measuresDurations = true
  t.same(await client.touch(KEY, 60), ok(true))
  t.same(countsOf(registry, 'ForeignCache'), { hits: 0, misses: 0, sets: 1, dels: 0 })
  t.equal(registry.active.stats.durations.get('touch')?.count, 1)
})

t.test('touch: waits for the pending store of the key, and a later write waits for it', async (t) => {
  const { client, impl } = makeClient(() => new ForeignCache())
  impl.held.add('set')
  impl.held.add('touch')
  const stored = client.set(KEY, 1, 10)
  const touched = client.touch(KEY, 60)
  const removed = client.del(KEY)
  await settle()
  t.same(impl.calls, [`set ${KEY}`])
  await impl.release('set')
  t.ok((await stored).ok)
  await settle()
  t.same(impl.calls, [`set ${KEY}`, `touch ${KEY}`])
  await impl.release('touch')
  t.same(await touched, ok(true))
  t.ok((await removed).ok)
  t.same(await client.get(KEY), ok(null))
})

t.test('touch: leaves the pending load of the key joinable, and its value is stored', async (t) => {
  const { client, clock } = makeClient()
  const options = { ttl: 10, staleWhileRevalidate: 60 }
  await client.getOrSet(KEY, () => 'old', options)
  clock.advance(11)
  const source = deferred<string>()
  t.equal(await client.getOrSet(KEY, () => source.promise, options), 'old')
  t.same(await client.touch(KEY, 60), ok(true))
  source.resolve('new')
  await settle()
  t.same(await client.get(KEY), ok('new'))
})

t.test('touch: of a namespace has its prefix, and its ttl where that is a number', async (t) => {
  const { client } = makeClient()
  const app = client.namespace('app', { ttl: 70 })
  await app.set(KEY, 1, 10)
  t.same(await client.touch(KEY), ok(false))
  t.same(await app.touch(KEY), ok(true))
  t.match(await app.getEntry(KEY), { value: { ttlLeft: 70 } })
  t.same(await app.touch(KEY, 5), ok(true))
  t.match(await app.getEntry(KEY), { value: { ttlLeft: 5 } })
})
