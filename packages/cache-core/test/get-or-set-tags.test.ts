import { MAX_TTL, ok } from '@x/cache-core/implementing'
import t from 'tap'
import { deferred, settle } from '@x/test-kit/deferred'
import { ForeignCache, ThreeMethodCache } from '@x/test-kit/foreign-caches'
import { errorsOf, makeClient } from '@x/test-kit/make-client'

const KEY = 'user:1'

for (const [kind, implementation] of Object.entries({ memory: undefined, foreign: () => new ForeignCache() })) {
  t.test(`getOrSet: an entry is gone once one of its tags is invalidated (${kind})`, async (t) => {
    for (const tag of ['users', 'team:1']) {
      const { client } = makeClient<any>(implementation)
      const options = { tags: ['users', 'team:1'] }
      await client.getOrSet(KEY, () => 'old', options)
      await settle()
      await client.tags.invalidate('others')
      t.equal(await client.getOrSet(KEY, () => 'new', options), 'old')
      await client.tags.invalidate(tag)
      t.equal(await client.getOrSet(KEY, () => 'new', options), 'new')
    }
  })

  t.test(`getOrSet: a value loaded while another process invalidated its tag is not kept (${kind})`, async (t) => {
    const { client, impl } = makeClient<any>(implementation)
    const old = deferred<string>()
    const call = client.getOrSet(KEY, () => old.promise, { tags: ['users'] })
    await settle()
    await impl.tags.invalidate('users')
    old.resolve('old')
    t.equal(await call, 'old')
    await settle()
    t.same(await client.get(KEY), ok(null))
  })

  t.test(`getOrSet: tags that the value tells are stored when others cover them (${kind})`, async (t) => {
    for (const tag of ['user:7', 'users']) {
      const { client } = makeClient<any>(implementation)
      const options = { tags: (user: { id: number }) => [`user:${user.id}`], coveringTags: ['users'] }
      await client.getOrSet(KEY, () => ({ id: 7 }), options)
      await settle()
      t.same(await client.getOrSet(KEY, () => ({ id: 8 }), options), { id: 7 })
      await client.tags.invalidate(tag)
      t.same(await client.getOrSet(KEY, () => ({ id: 8 }), options), { id: 8 })
    }
  })

  t.test(`getOrSet: without covering tags a tags function is an error, and nothing is stored (${kind})`, async (t) => {
    const { client, registry, impl } = makeClient<any>(implementation)
    for (const coveringTags of [undefined, []]) {
      const options = { tags: () => ['user:7'], ...coveringTags === undefined ? {} : { coveringTags } }
      t.equal(await client.getOrSet(KEY, () => 'value', options), 'value')
      await settle()
      t.same(await impl.get(KEY), ok(null))
    }
    t.same(errorsOf(registry, registry.active.stats.label), { tag_invalid: 2 })
  })

  t.test(`getOrSet: a late tag that was invalidated while the load ran keeps the value out (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const options = { tags: () => ['user:7'], coveringTags: ['users'] }
    const old = deferred<string>()
    const call = client.getOrSet(KEY, () => old.promise, options)
    await settle()
    await client.tags.invalidate('user:7')
    old.resolve('old')
    t.equal(await call, 'old')
    await settle()
    t.same(await client.get(KEY), ok(null))
  })

  t.test(`getOrSet: a covering tag that was invalidated while the load ran keeps the value out (${kind})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const options = { tags: () => ['user:7'], coveringTags: ['users'] }
    const old = deferred<string>()
    const call = client.getOrSet(KEY, () => old.promise, options)
    await settle()
    await client.tags.invalidate('users')
    t.equal(await client.getOrSet(KEY, () => 'new', options), 'new')
    old.resolve('old')
    t.equal(await call, 'old')
    await settle()
    t.same(await client.get(KEY), ok('new'))
  })

  t.test(`getOrSet: a tags function that throws or answers with no list stores nothing, and is counted (${kind})`, async (t) => {
    const { client, registry, impl } = makeClient<any>(implementation)
    const wrong = [() => { throw new Error('bug') }, () => 'user:7', () => undefined, () => [7], () => ['']]
    for (const tags of wrong as (() => string[])[]) {
      t.equal(await client.getOrSet(KEY, () => 'value', { tags, coveringTags: ['users'] }), 'value')
      await settle()
      t.same(await impl.get(KEY), ok(null))
    }
    t.same(errorsOf(registry, registry.active.stats.label), { tag_invalid: wrong.length })
  })

  t.test(`getOrSet: at most 64 tags, the late ones among them (${kind})`, async (t) => {
    const { client, registry } = makeClient<any>(implementation)
    const late = (count: number) => Array.from({ length: count }, (_, at) => `t${at}`)
    await client.getOrSet(KEY, () => 'value', { tags: () => late(64), coveringTags: ['users'] })
    t.same(errorsOf(registry, registry.active.stats.label), { tag_invalid: 1 })
    await client.getOrSet(KEY, () => 'value', { tags: () => late(63), coveringTags: ['users'] })
    await settle()
    t.same(await client.get(KEY), ok('value'))
  })

  t.test(`getOrSet: what happens to the caller's list of tags later changes nothing (${kind})`, async (t) => {
    const { client, registry } = makeClient<any>(implementation)
    const tags = ['users']
    const value = deferred<string>()
    const call = client.getOrSet(KEY, () => value.promise, { tags })
    await settle()
    tags[0] = 'others'
    await client.tags.invalidate('users')
    value.resolve('old')
    await call
    await settle()
    t.same(await client.get(KEY), ok(null))
    t.equal(registry.flights.joinable(KEY), undefined)
  })
}

t.test('getOrSet: a tagged entry is never stored in an implementation without tags', async (t) => {
  const { client, registry, impl } = makeClient(() => new ThreeMethodCache())
  t.equal(await client.getOrSet(KEY, () => 'value', { tags: ['users'] }), 'value')
  t.equal(await client.getOrSet(KEY, () => 'value', { tags: () => ['user:7'], coveringTags: ['users'] }), 'value')
  await settle()
  t.equal(impl.values.size, 0)
  t.same(errorsOf(registry, 'ThreeMethodCache'), { unsupported: 2 })
})

t.test('getOrSet: an empty list of tags is none', async (t) => {
  const { client, impl } = makeClient(() => new ThreeMethodCache())
  await client.getOrSet(KEY, () => 'value', { tags: [] })
  await settle()
  t.same(impl.values, new Map([[KEY, 'value']]))
})

t.test('getOrSet: ttl as a function of the value, Infinity, the default and the bound', async (t) => {
  const { client, impl, clock } = makeClient<any>((clock) => new ForeignCache({ clock }), { defaultTtl: 7 })
  for (const [ttl, seconds] of [[(value: number) => value * 2, 10], [undefined, 7], [Infinity, MAX_TTL], [MAX_TTL * 2, MAX_TTL]] as const) {
    await client.getOrSet('n:1', () => 5, ttl === undefined ? undefined : { ttl })
    await settle()
    t.equal((await impl.getEntry('n:1')).value.ttlLeft, seconds)
    await client.del('n:1')
  }
  t.equal(clock.now(), 0)
})

t.test('getOrSet: jitter takes up to its fraction off the ttl, and adds nothing', async (t) => {
  const { random } = Math
  t.teardown(() => { Math.random = random })
  const { client, impl } = makeClient()
  for (const [drawn, jitter, seconds] of [
    [0, 0.2, 100], [0.5, 0.2, 90], [0.999999, 0.2, 80], [0.5, 0, 100], [0.5, 1, 50], [0.5, 7, 50], [0.5, -1, 100]
  ] as const) {
    Math.random = () => drawn
    await client.getOrSet('n:1', () => 5, { ttl: 100, jitter })
    const entry = await impl.getEntry('n:1')
    t.ok(entry.ok && Math.abs(entry.value!.ttlLeft - seconds) < 0.001, `${jitter} of ${drawn}`)
    await client.del('n:1')
  }
})

t.test('getOrSet: a value without tags that was loaded while another process cleared the cache is not kept', async (t) => {
  const { client, impl } = makeClient<ForeignCache>(() => new ForeignCache())
  const old = deferred<string>()
  const call = client.getOrSet(KEY, () => old.promise)
  await settle()
  await impl.clear()
  old.resolve('old')
  t.equal(await call, 'old')
  await settle()
  t.equal(await client.getOrSet(KEY, () => 'new'), 'new')
})
