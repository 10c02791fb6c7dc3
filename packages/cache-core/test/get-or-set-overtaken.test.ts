import { CacheRegistry, MemoryCache, type FastifyCache } from '@x/cache-core'
import { ok } from '@x/cache-core/implementing'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { deferred, settle, stateOf } from '@x/test-kit/deferred'
import { ForeignCache } from '@x/test-kit/foreign-caches'
import { makeClient } from '@x/test-kit/make-client'

const KEY = 'user:1'
const changes: Record<string, (cache: FastifyCache) => Promise<unknown>> = {
  del: (cache) => cache.del(KEY),
  delMany: (cache) => cache.delMany([KEY]),
  'set with ttl 0': (cache) => cache.set(KEY, 0, 0),
  'tags.invalidate': (cache) => cache.tags.invalidate('users'),
  'tags.invalidate, soft': (cache) => cache.tags.invalidate('users', { soft: true }),
  clear: (cache) => cache.clear()
}
const implementations = { memory: undefined, foreign: () => new ForeignCache() }

for (const [kind, implementation] of Object.entries(implementations)) {
  for (const arm of ['by-key', 'control'] as const) {
    for (const [name, change] of Object.entries(changes)) {
      // A write of the control arm is not stored, so its removal is not tested here.
      if (arm === 'control' && name.startsWith('set')) continue
      t.test(`getOrSet: a load that is invalidated while it runs (${name}) is joined by no late caller, given to its earlier waiters and not stored (${kind}, ${arm})`, async (t) => {
        const { client } = makeClient<any>(implementation)
        const options = { tags: ['users'] }
        const old = deferred<string>()
        const earlier = [1, 2].map(() => client.getOrSet(KEY, () => old.promise, options))
        await settle()
        await change(client.withArm(arm))
        const later = client.getOrSet(KEY, () => 'new', options)
        t.equal(await later, 'new', 'a late caller does not join it')
        old.resolve('old')
        t.same(await Promise.all(earlier), ['old', 'old'])
        await settle()
        t.equal(await client.getOrSet(KEY, () => t.fail('loaded again'), options), 'new', 'a stale value is not kept')
      })
    }
  }

  t.test(`getOrSet: a load overtaken by set gives way to the value that was set (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const old = deferred<string>()
    const earlier = client.getOrSet(KEY, () => old.promise)
    await settle()
    t.ok((await client.set(KEY, 'set')).ok)
    t.equal(await client.getOrSet(KEY, () => 'loaded'), 'set')
    old.resolve('old')
    t.equal(await earlier, 'old')
    await settle()
    t.equal(await client.getOrSet(KEY, () => 'loaded'), 'set')
  })

  t.test(`getOrSet: a load overtaken by setMany gives way to the value that was set (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const old = deferred<string>()
    const earlier = client.getOrSet(KEY, () => old.promise)
    await settle()
    t.ok((await client.setMany([{ key: KEY, value: 'set' }])).ok)
    old.resolve('old')
    t.equal(await earlier, 'old')
    await settle()
    t.equal(await client.getOrSet(KEY, () => 'loaded'), 'set')
  })

  t.test(`getOrSet: a load overtaken by a set of a control request is not stored (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const old = deferred<string>()
    const earlier = client.getOrSet(KEY, () => old.promise)
    await settle()
    await client.withArm('control').set(KEY, 'set')
    t.equal(await client.getOrSet(KEY, () => 'new'), 'new')
    old.resolve('old')
    t.equal(await earlier, 'old')
    await settle()
    t.equal(await client.getOrSet(KEY, () => 'newer'), 'new')
  })

  t.test(`getOrSet: a load overtaken by a swap is not stored in what went out of service (${kind})`, async (t) => {
    const { client, registry, impl } = makeClient<any>(implementation)
    const old = deferred<string>()
    const earlier = client.getOrSet(KEY, () => old.promise)
    await settle()
    const next = new MemoryCache()
    registry.register(next, 'Next')
    t.equal(await client.getOrSet(KEY, () => 'new'), 'new', 'a late caller loads for the new one')
    old.resolve('old')
    t.equal(await earlier, 'old')
    await settle()
    t.same(await impl.get(KEY), ok(null))
    t.same(await next.get(KEY), ok('new'))
  })

  t.test(`getOrSet: an invalidation of other tags overtakes nothing (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const value = deferred<string>()
    const earlier = client.getOrSet(KEY, () => value.promise, { tags: ['users'] })
    await settle()
    await client.tags.invalidate(['orders', 'records'])
    await client.del('user:2')
    const later = client.getOrSet(KEY, () => t.fail('loaded twice'), { tags: ['users'] })
    value.resolve('value')
    t.same(await Promise.all([earlier, later]), ['value', 'value'])
    await settle()
    t.equal(await client.getOrSet(KEY, () => t.fail('not stored'), { tags: ['users'] }), 'value')
  })

  t.test(`getOrSet: a failed load that was overtaken does not put off the next one (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const old = deferred<string>()
    const earlier = client.getOrSet(KEY, () => old.promise)
    await settle()
    await client.del(KEY)
    const later = client.getOrSet(KEY, () => 'new')
    old.reject(new Error('the source is down'))
    await t.rejects(earlier, { message: 'the source is down' })
    t.equal(await later, 'new')
  })
}

t.test('getOrSet: a refresh in the background that was overtaken is not stored', async (t) => {
  const { client, clock } = makeClient()
  const options = { ttl: 10, staleWhileRevalidate: 60 }
  await client.getOrSet(KEY, () => 'first', options)
  clock.advance(11)
  const old = deferred<string>()
  t.equal(await client.getOrSet(KEY, () => old.promise, options), 'first')
  await client.del(KEY)
  old.resolve('old')
  await settle()
  t.equal(await client.getOrSet(KEY, () => 'new', options), 'new')
})

t.test('del: also overtakes the refresh beside which another caller asks for fresh values only', async (t) => {
  const { client, clock } = makeClient()
  await client.getOrSet(KEY, () => 'first', { ttl: 10, staleWhileRevalidate: 60 })
  clock.advance(11)
  const old = deferred<string>()
  await client.getOrSet(KEY, () => old.promise, { ttl: 10, staleWhileRevalidate: 60 })
  const strict = client.getOrSet(KEY, () => old.promise, 10)
  await client.del(KEY)
  old.resolve('old')
  t.equal(await strict, 'old')
  await settle()
  t.same(await client.get(KEY), ok(null))
})

t.test('del: waits for the store of what was loaded, so that it cannot land behind', async (t) => {
  const { client, impl } = makeClient(() => new ForeignCache())
  impl.held.add('set')
  await client.getOrSet(KEY, () => 'old')
  const del = client.del(KEY)
  await settle()
  t.notOk(impl.calls.includes(`del ${KEY}`))
  await impl.release('set')
  t.ok((await del).ok)
  t.same(await client.get(KEY), ok(null))
})

t.test('delMany and clear: wait for stores, too', async (t) => {
  const { client, impl } = makeClient(() => new ForeignCache())
  for (const remove of [() => client.delMany([KEY, 'user:2']), () => client.clear()]) {
    impl.held.add('set')
    await client.getOrSet(KEY, () => 'old')
    const removal = remove()
    t.equal(await stateOf(removal), 'pending')
    await impl.release('set')
    t.ok((await removal).ok)
    impl.held.clear()
    t.same(await client.get(KEY), ok(null))
  }
})

t.test('tags.invalidate: a store that lands behind it is not served', async (t) => {
  const { client, impl } = makeClient(() => new ForeignCache())
  impl.held.add('set')
  await client.getOrSet(KEY, () => 'old', { tags: ['users'] })
  t.ok((await client.tags.invalidate('users')).ok)
  const later = client.getOrSet(KEY, () => 'new', { tags: ['users'] })
  t.equal(await later, 'new', 'nor joined while it is under way')
  await impl.release('set')
  t.same(await client.get(KEY), ok(null))
})

t.test('getOrSet: two stores of one key land in the order of their loads', async (t) => {
  const { client, impl } = makeClient(() => new ForeignCache())
  impl.held.add('set')
  await client.getOrSet(KEY, () => 'old', { tags: ['users'] })
  await client.tags.invalidate('users')
  const mine = await client.getOrSet(KEY, () => ({ name: 'new' }), { tags: ['users'] })
  t.equal(impl.waiting.length, 1, 'the second waits for the first')
  mine.name = 'changed by its owner'
  await impl.release('set')
  await settle()
  await impl.release('set')
  await settle()
  t.same(await client.get(KEY), ok({ name: 'new' }), 'and stores what was loaded')
})

t.test('getOrSet: a call that began before a swap stores nothing in what went out of service', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache())
  impl.held.add('getEntry')
  const call = client.getOrSet(KEY, () => 'value', { tags: ['users'] })
  const { drained } = registry.register(new MemoryCache())
  await impl.release('getEntry')
  await drained
  t.equal(await call, 'value')
  await settle()
  t.same(impl.calls, [`getEntry ${KEY}`], 'whose owner may have closed it by now')
})

t.test('getOrSet: a store that waits for its turn is dropped when it is overtaken', async (t) => {
  const { client, impl } = makeClient(() => new ForeignCache())
  impl.held.add('set')
  await client.getOrSet(KEY, () => 'first', { tags: ['users'] })
  await client.tags.invalidate('users')
  await client.getOrSet(KEY, () => 'second', { tags: ['users'] })
  await client.tags.invalidate('users')
  await impl.release('set')
  await settle()
  t.same(impl.waiting, [])
  t.same(await client.get(KEY), ok(null))
})

t.test('set: lands behind the store of what was loaded before, and del behind both', async (t) => {
  const { client, impl } = makeClient(() => new ForeignCache())
  impl.held.add('set')
  await client.getOrSet(KEY, () => 'old')
  const set = client.set(KEY, 'set')
  await settle()
  t.equal(impl.waiting.length, 1)
  const del = client.del(KEY)
  await impl.release('set')
  await settle()
  t.equal(await stateOf(del), 'pending')
  await impl.release('set')
  t.ok((await set).ok)
  t.ok((await del).ok)
  t.same(await client.get(KEY), ok(null))
})

t.test('getOrSet: a load that began while a removal was under way is not joined after it', async (t) => {
  const { client, impl } = makeClient(() => new ForeignCache())
  for (const [member, change] of [['del', changes.del!], ['invalidate', changes['tags.invalidate']!], ['clear', changes.clear!]] as const) {
    impl.held.add(member)
    const changing = change(client)
    await settle()
    const old = deferred<string>()
    const earlier = client.getOrSet(KEY, () => old.promise, { tags: ['users'] })
    await settle()
    await impl.release(member)
    await changing
    t.equal(await client.getOrSet(KEY, () => 'new', { tags: ['users'] }), 'new', member)
    old.resolve('old')
    t.equal(await earlier, 'old')
    await settle()
    t.equal(await client.getOrSet(KEY, () => t.fail('loaded again'), { tags: ['users'] }), 'new')
    impl.held.clear()
    await client.clear()
  }
})

t.test('getOrSet: removals in one app overtake the loads of another that shares its registry', async (t) => {
  const registry = new CacheRegistry()
  registry.register(new MemoryCache())
  const [one, other] = [new CacheClient(registry), new CacheClient(registry)]
  const old = deferred<string>()
  const earlier = one.getOrSet(KEY, () => old.promise)
  await other.del(KEY)
  old.resolve('old')
  t.equal(await earlier, 'old')
  t.same(await one.get(KEY), ok(null))
})
