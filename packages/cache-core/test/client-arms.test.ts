import { ok } from '@x/cache-core/implementing'
import t from 'tap'
import { settle } from '@x/test-kit/deferred'
import { ForeignCache } from '@x/test-kit/foreign-caches'
import { countsOf, makeClient } from '@x/test-kit/make-client'

const KEY = 'user:1'

t.test('control: reads and stores are withheld, and counted as null', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache())
  await impl.memory.set(KEY, 'stored')
  const control = client.withArm('control')
  t.same(await control.get(KEY), ok(null))
  t.same(await control.getEntry(KEY), ok(null))
  t.same(await control.getMany([KEY, 'user:2']), ok([null, null]))
  t.same(await control.set(KEY, 'control'), ok())
  t.same(await control.setMany([{ key: KEY, value: 'control' }]), ok())
  t.equal(await control.getOrSet(KEY, () => 'loaded'), 'loaded')
  t.same(impl.calls, [])
  t.same(countsOf(registry, 'null'), { hits: 0, misses: 5, sets: 3, dels: 0 })
  t.same(countsOf(registry, 'ForeignCache'), { hits: 0, misses: 0, sets: 0, dels: 0 })
})

t.test('control: del, delMany, clear, tags and lock reach the real implementation', async (t) => {
  const { client, impl, registry } = makeClient(() => new ForeignCache())
  const control = client.withArm('control')
  for (const cache of [control, control.namespace('app')]) {
    await cache.del(KEY)
    await cache.delMany([KEY])
    await cache.tags.capture(['t'])
    await cache.tags.invalidate('t')
    await cache.lock(KEY, { ttl: 1 })
    await cache.clear()
    await cache.health()
  }
  t.same(impl.calls, [
    'del user:1', 'delMany user:1', 'capture t', 'invalidate t', 'lock user:1', 'clear', 'health',
    'del app:user:1', 'delMany app:user:1', 'capture :app,app:t', 'invalidate app:t', 'lock app:user:1', 'invalidate :app', 'health'
  ])
  t.match(countsOf(registry, 'ForeignCache'), { dels: 4 })
})

t.test('removals reach the real implementation whatever the percent and the allow-list are', async (t) => {
  for (const rollout of [{ percent: 0 }, { allow: ['order'] }, { allow: [] }, { percent: 50 }]) {
    const { client, impl } = makeClient(() => new ForeignCache(), { rollout })
    for (const arm of ['by-key', 'cached', 'control'] as const) {
      await impl.memory.set(KEY, 'stored')
      await client.withArm(arm).del(KEY)
      t.same(await impl.memory.get(KEY), ok(null), `${arm} ${JSON.stringify(rollout)}`)
    }
  }
})

t.test('cached: the allow-list holds for requests that are in, too', async (t) => {
  const { client, impl } = makeClient(() => new ForeignCache(), { rollout: { allow: ['order'], percent: 50 } })
  const cached = client.withArm('cached')
  await cached.set('user:1', 1)
  await cached.set('order:1', 1)
  t.same(impl.calls, ['set order:1'], 'and the percent does not: the request was drawn')
})

t.test('by-key: outside of requests each key has its bucket', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache(), { rollout: { percent: 50 } })
  const keys = Array.from({ length: 200 }, (_, at) => `user:${at}`)
  for (const key of keys) await client.set(key, key)
  const isIn = keys.filter((key) => registry.rollout.includes(key))
  t.ok(isIn.length > 60 && isIn.length < 140)
  t.same(impl.calls, isIn.map((key) => `set ${key}`))
})

t.test('getMany, setMany: where a part of the keys is in, each part goes its way', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache(), { rollout: { allow: ['order'] } })
  await client.setMany([{ key: 'order:1', value: 1 }, { key: 'user:1', value: 2 }, { key: 'order:2', value: 3, options: { ttl: 0 } }])
  t.same(impl.calls, ['delMany order:2', 'setMany order:1'])
  t.same(await client.getMany(['user:1', 'order:1', 'user:2', 'order:2']), ok([null, 1, null, null]))
  t.equal(impl.calls.at(-1), 'getMany order:1,order:2')
  t.same(await client.getMany(['user:1']), ok([null]))
  t.equal(impl.calls.length, 3, 'nothing is asked for where nothing is in')
  t.same(countsOf(registry, 'ForeignCache'), { hits: 1, misses: 1, sets: 1, dels: 0 })
  t.same(countsOf(registry, 'null'), { hits: 0, misses: 3, sets: 1, dels: 0 })
})

t.test('the rollout may change at any time: the next call goes by it', async (t) => {
  const { client, registry, impl } = makeClient(() => new ForeignCache())
  await client.set(KEY, 1)
  registry.rollout.percent = 0
  t.same(await client.get(KEY), ok(null))
  registry.rollout.percent = 100
  t.same(await client.get(KEY), ok(1))
  registry.rollout.allow = ['order']
  t.same(await client.get(KEY), ok(null))
  registry.rollout.allow = ['*']
  t.same(await client.get(KEY), ok(1))
  await settle()
  t.equal(impl.calls.length, 3)
})
