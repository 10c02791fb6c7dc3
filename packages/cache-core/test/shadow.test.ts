import { CacheRegistry, MemoryCache, NullCache } from '@x/cache-core'
import { CacheClient, type ShadowOutcome } from '@x/cache-core/suite'
import t from 'tap'
import { buildApp, type LogLine } from '@x/test-kit/build-app'
import { countsOf, errorsOf } from '@x/test-kit/make-client'
import { DECIDED, EXPLAINED, settled, shadowed } from './fixtures/shadowed.js'

t.test('shadow: a load of the control arm is compared with the entry, and its value stored if there is none', async (t) => {
  const { load, outcomes, source, impl, registry, pass, counts } = shadowed(t)
  source.set('item:1', { price: 1 })
  t.same(await load('item:1', { ttl: 60, tags: ['items'] }), { price: 1 })
  t.same(outcomes(), { absent: 1 })
  t.match(await impl.getEntry!('item:1'), { value: { value: { price: 1 }, ttlLeft: 60, tags: ['items'] } })
  await pass(2)
  await load('item:1')
  t.same(outcomes(), { absent: 1, match: 1 })
  t.equal(counts().stored, 1)
  t.match(countsOf(registry, 'memory'), { hits: 0, misses: 0, sets: 0 }, 'shadow reads are no traffic of the implementation')
  t.match(countsOf(registry, 'null'), { hits: 0, misses: 2, sets: 2 })
})

t.test('shadow: a value that changed without an invalidation is a mismatch, by key pattern, age and path', async (t) => {
  const { load, outcomes, source, registry, pass, counts } = shadowed(t)
  const events: [string, ShadowOutcome, number][] = []
  registry.events.on('shadowed', (...event) => events.push(event))
  source.set('item:1', { id: 1, price: { net: 1 } })
  await load('item:1')
  source.set('item:1', { id: 1, price: { net: 2 } })
  await pass(20)
  t.same(await load('item:1'), { id: 1, price: { net: 2 } }, 'the caller gets the loaded value')
  await load('item:1')
  t.same(outcomes(), { absent: 1 }, 'an invalidation may still come')
  await pass(DECIDED)
  t.same(outcomes(), { absent: 1, mismatch: 2 })
  t.same([...counts().mismatchPaths], [['.price.net', 2]])
  t.same(counts().ages.mismatch.counts, [0, 0, 0, 2, 0, 0, 0, 0, 0, 0], 'of an age up to 60 s')
  t.same(events.map(([keyPattern, outcome, age]) => [keyPattern, outcome, Math.round(age)]), [['item', 'absent', NaN], ['item', 'mismatch', 20], ['item', 'mismatch', 20]])
})

t.test('shadow: an entry is left in place until its ttl ends, as in the cached arm: each read of a stale entry counts', async (t) => {
  const { load, outcomes, source, impl, pass } = shadowed(t)
  source.set('item:1', 'old')
  await load('item:1')
  source.set('item:1', 'new')
  for (let at = 0; at < 5; at++) {
    await pass(8)
    await load('item:1')
  }
  t.match(await impl.get('item:1'), { value: 'old' })
  await pass(DECIDED)
  t.same(outcomes(), { absent: 1, mismatch: 5 })
  await load('item:1')
  t.match(await impl.get('item:1'), { value: 'new' }, 'after the ttl the value is loaded and stored')
})

t.test('shadow: what is compared is the stored form, in any order of members', async (t) => {
  const { load, outcomes, source, pass } = shadowed(t)
  const at = new Date(0)
  const values = [{ a: 1, at, gone: undefined }, Buffer.from('bytes'), 'text', 0, false, null, [1, [at]], -0, { deep: [{ nested: { at } }] }]
  for (const [key, value] of values.entries()) {
    source.set(`item:${key}`, value)
    await load(`item:${key}`)
    await pass(1)
    await load(`item:${key}`)
  }
  source.set('item:0', { at: at.toISOString(), a: 1 })
  await load('item:0')
  t.same(outcomes(), { absent: values.length, match: values.length + 1 })
})

t.test('shadow: a member that differs on every load is named, and the value is not called stale', async (t) => {
  const { load, outcomes, source, pass, counts } = shadowed(t)
  for (let turn = 0; turn < 12; turn++) {
    for (const key of ['item:1', 'item:2', 'item:3']) {
      source.set(key, { name: 'same', generatedAt: `${turn}` })
      await load(key, { ttl: 600 })
    }
    await pass(7)
  }
  await pass(DECIDED)
  t.match(outcomes(), { absent: 3, differs: 33 })
  t.notOk(counts().outcomes.mismatch)
  t.same([...counts().volatilePaths.keys()], ['.generatedAt'])
})

t.test('shadow: a stale member beside one that differs on every load is a mismatch', async (t) => {
  const { load, outcomes, source, pass, counts } = shadowed(t)
  for (let turn = 0; turn < 12; turn++) {
    source.set('item:1', { generatedAt: turn, name: turn < 8 ? 'old' : 'new' })
    await load('item:1', { ttl: 600 })
    await pass(7)
  }
  await pass(DECIDED)
  t.same(outcomes(), { absent: 1, differs: 7, mismatch: 4 })
  t.same([...counts().mismatchPaths.keys()], ['.name'])
})

t.test('shadow: a value that changes now and then is stale, and does not count as different on every load', async (t) => {
  const { load, outcomes, source, pass, counts } = shadowed(t)
  for (let turn = 0; turn < 30; turn++) {
    source.set('item:1', { price: Math.floor(turn / 3) })
    await load('item:1', { ttl: 3600 })
    await pass(7)
  }
  await pass(DECIDED)
  t.same(outcomes(), { absent: 1, match: 2, mismatch: 27 })
  t.equal(counts().volatilePaths.size, 0)
})

t.test('shadow: a change of all keys at once does not count as different on every load', async (t) => {
  const { load, outcomes, source, pass } = shadowed(t)
  const keys = Array.from({ length: 20 }, (_, at) => `item:${at}`)
  for (let turn = 0; turn < 4; turn++) {
    for (const key of keys) {
      source.set(key, { price: turn < 2 ? 1 : 2 })
      await load(key, { ttl: 600 })
    }
    await pass(7)
  }
  await pass(DECIDED)
  t.same(outcomes(), { absent: 20, match: 20, mismatch: 40 })
})

t.test('shadow: the same share of the keys is sampled in every process, and only sampled keys are read and stored', async (t) => {
  const sampled = (percent: number, salt = ''): string[] => {
    const { shadow } = new CacheRegistry({ rollout: { percent: 0, salt, shadow: { percent } } })
    return Array.from({ length: 20_000 }, (_, at) => `item:${at}`).filter((key) => shadow.groupOf(key) !== undefined)
  }
  const one = sampled(1)
  t.ok(one.length > 140 && one.length < 260, `${one.length} of 20 000`)
  t.same(sampled(1, 'other salt'), one)
  const two = new Set(sampled(2))
  t.ok(one.every((key) => two.has(key)))
  t.equal(sampled(0).length, 0)
  t.equal(sampled(100).length, 20_000)

  const { load, source, impl } = shadowed(t, undefined, 1)
  for (const key of [one[0]!, 'item:unsampled']) {
    source.set(key, 1)
    await load(key)
  }
  t.match([await impl.get(one[0]!), await impl.get('item:unsampled')], [{ value: 1 }, { value: null }])
})

t.test('shadow: the sample is independent of the arm that the bucket of a key decides', async (t) => {
  const { shadow, rollout } = new CacheRegistry({ rollout: { percent: 50, shadow: { percent: 1 } } })
  const sampled = Array.from({ length: 200_000 }, (_, at) => `user:${at}`).filter((key) => shadow.groupOf(key) !== undefined)
  const cached = sampled.filter((key) => rollout.includes(key)).length
  t.ok(Math.abs(cached / sampled.length - 0.5) < 0.07, `${cached} of ${sampled.length}`)
  t.ok(new Set(sampled.map((key) => shadow.groupOf(key))).size === 64, 'and spread over all groups')
})

t.test('shadow: at another percent the loads of the control arm are compared, those of the cached arm are not', async (t) => {
  const { client, registry, source, outcomes, pass } = shadowed(t)
  registry.rollout.percent = 50
  source.set('item:1', 1)
  const load = async (arm: 'cached' | 'control'): Promise<void> => {
    await client.withArm(arm).getOrSet('item:1', async () => source.get('item:1'), 60)
    await settled()
    await pass(1)
  }
  await load('cached')
  t.same(outcomes(), {})
  await load('control')
  t.same(outcomes(), { match: 1 })
})

t.test('shadow: a key pattern that may not be cached is neither read nor stored', async (t) => {
  const { load, outcomes, registry, source, impl } = shadowed(t)
  registry.rollout.allow = ['user']
  source.set('item:1', 1)
  await load('item:1')
  t.same(outcomes(), {})
  t.match(await impl.get('item:1'), { value: null })
})

t.test('shadow: NullCache has nothing to compare, which is logged once', async (t) => {
  const lines: LogLine[] = []
  const app = await buildApp(t, { rollout: { percent: 0, shadow: {} } }, lines)
  await app.ready()
  t.equal(lines.filter(({ msg }) => /shadow reads compare nothing, since NullCache stores nothing/.test(msg)).length, 1)
  t.equal(app.cache.registry.shadow.percent, 1, 'the default share')
  for (let at = 0; at < 300; at++) await app.cache.getOrSet(`item:${at}`, async () => at)
  t.equal(app.cache.registry.shadow.stats.patterns.size, 0)
})

t.test('shadow: percent 100 has no control arm to compare, which is logged; at 0 nothing is', async (t) => {
  const said = async (percent: number): Promise<number> => {
    const lines: LogLine[] = []
    const app = await buildApp(t, { implementation: 'memory', rollout: { percent, shadow: {} } }, lines)
    await app.ready()
    return lines.filter(({ msg }) => msg.includes('shadow')).length
  }
  t.same([await said(100), await said(0)], [1, 0])
})

t.test('shadow: option percent is a number from 0 to 100', async (t) => {
  for (const percent of [-1, 101, NaN, '1']) {
    await t.rejects(async () => buildApp(t, { rollout: { shadow: { percent } } } as never), { code: 'CACHE_ERR_OPTION_INVALID' })
    t.throws(() => { new CacheRegistry().shadow.percent = percent as never }, { code: 'CACHE_ERR_OPTION_INVALID' })
  }
  await t.rejects(async () => buildApp(t, { rollout: { shadow: { share: 1 } } } as never), { code: 'CACHE_ERR_OPTION_INVALID' })
})

t.test('shadow: a write of the control arm, which is withheld, removes the entry, or it would look stale', async (t) => {
  const { client, load, outcomes, source, pass, impl } = shadowed(t)
  source.set('item:1', 'old')
  for (const [value, write] of [
    ['one', () => client.set('item:1', 'one', 600)],
    ['two', () => client.setMany([{ key: 'item:1', value: 'two', options: { ttl: 600 } }])],
    ['three', () => client.set('item:1', 'three', 0)]
  ] as const) {
    await load('item:1', { ttl: 600 })
    source.set('item:1', value)
    t.match(await write(), { ok: true })
    await settled()
    t.match(await impl.get('item:1'), { value: null })
    await pass(10)
  }
  await pass(DECIDED)
  t.same(outcomes(), { absent: 3 })
})

t.test('shadow: while it is off, a load of the control arm neither reads nor stores', async (t) => {
  const { load, outcomes, source, impl, registry, client } = shadowed(t, undefined, 0)
  source.set('item:1', 1)
  await load('item:1')
  await client.set('item:2', 1)
  t.same(outcomes(), {})
  t.match([await impl.get('item:1'), await impl.get('item:2')], [{ value: null }, { value: null }])
  registry.shadow.percent = 100
  await load('item:1')
  t.same(outcomes(), { absent: 1 })
})

t.test('shadow: close ends the timers and what is in flight, and later loads begin nothing', async (t) => {
  const { client, load, outcomes, source, pass, time, registry } = shadowed(t)
  source.set('item:1', 'old')
  await load('item:1')
  source.set('item:1', 'new')
  await pass(7)
  await load('item:1')
  void client.getOrSet('item:2', () => new Promise(() => {}))
  t.ok(time.pending > 0)
  client.stop()
  // No timer is left, since the interval for the time limits of calls ends by itself.
  t.equal(time.pending, 0)
  await load('item:1')
  await pass(DECIDED)
  t.same(outcomes(), { absent: 1 })
  t.same(errorsOf(registry, 'memory'), {})
})

t.test('shadow: two clients of one registry each end their own comparisons', async (t) => {
  const { client, registry, source, load, outcomes, pass } = shadowed(t)
  const other = new CacheClient(registry)
  source.set('item:1', 'old')
  await load('item:1')
  other.stop()
  source.set('item:1', 'new')
  await pass(7)
  await load('item:1')
  await load('item:1')
  await pass(DECIDED)
  t.same(outcomes(), { absent: 1, mismatch: 2 })
  t.ok(client)
})

t.test('shadow: a swap ends the comparison with the cache that went out of service', async (t) => {
  const { load, outcomes, source, registry, pass, time } = shadowed(t)
  source.set('item:1', 'old')
  await load('item:1')
  source.set('item:1', 'new')
  await pass(7)
  await load('item:1')
  const other = new MemoryCache({ clock: time.clock })
  registry.register(other)
  await pass(EXPLAINED)
  t.same(outcomes(), { absent: 1, explained: 1 })
  await load('item:1')
  t.match(await other.get('item:1'), { value: 'new' })
  registry.register(new NullCache())
  await load('item:1')
  t.same(outcomes(), { absent: 2, explained: 1 })
})

t.test('shadow: a swap during a load stores its value nowhere', async (t) => {
  const { client, registry, impl, time } = shadowed(t)
  const other = new MemoryCache({ clock: time.clock })
  await client.getOrSet('item:1', async () => {
    registry.register(other)
    return 1
  })
  await settled()
  t.match([await impl.get('item:1'), await other.get('item:1')], [{ value: null }, { value: null }])
})
