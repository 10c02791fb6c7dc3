import { MemoryCache, type Cache, type Result } from '@x/cache-core'
import { ok } from '@x/cache-core/implementing'
import type { Clock } from '@x/cache-core/suite'
import t, { type Test } from 'tap'
import { deferred, stateOf } from '@x/test-kit/deferred'
import { ForeignCache, ThreeMethodCache, type Fault } from '@x/test-kit/foreign-caches'
import { errorsOf } from '@x/test-kit/make-client'
import { SharedCache, SharedStore } from '@x/test-kit/shared-store'
import { DECIDED, EXPLAINED, settled, shadowed, type Shadowed } from './fixtures/shadowed.js'

/** Makes a client over a cache to which other processes also write, and the cache of one of them. */
function shared (t: Test): Shadowed & { other: SharedCache } {
  let other!: SharedCache
  const one = shadowed(t, (clock) => {
    const store = new SharedStore(clock)
    other = new SharedCache(store)
    return new SharedCache(store)
  })
  return { ...one, other }
}

/** Loads a key until it has an entry: an implementation whose store several processes share stores a value from the second load on. */
async function fill ({ load, source, pass }: Shadowed, key: string, value: unknown, options = { ttl: 60 }): Promise<void> {
  source.set(key, value)
  await load(key, options)
  await load(key, options)
  await pass(2)
}

t.test('shadow: a store of several processes gets the value with a lease that was taken before the load began', async (t) => {
  const one = shared(t)
  const { load, source, impl, other, client, outcomes } = one
  source.set('item:1', 'old')
  await load('item:1')
  t.match(await impl.get('item:1'), { value: null }, 'the lease was not there when the first load began')
  await load('item:1')
  t.match(await impl.get('item:1'), { value: 'old' })
  await other.del('item:1')
  await load('item:1')

  const began = deferred()
  const goOn = deferred()
  const loading = client.getOrSet('item:1', async () => {
    const value = source.get('item:1')
    began.resolve()
    await goOn.promise
    return value
  }, { ttl: 60 })
  await began.promise
  source.set('item:1', 'new')
  await other.del('item:1')
  goOn.resolve()
  t.equal(await loading, 'old')
  await settled()
  t.match(await impl.get('item:1'), { value: null }, 'what was removed during the load is not stored')
  t.match(outcomes(), { absent: 4 })
})

t.test('shadow: a lease with other tags, or one that is too old for a load, is not used', async (t) => {
  const { load, source, impl, pass } = shared(t)
  source.set('item:1', 1)
  await load('item:1', { ttl: 60, tags: ['a'] })
  await load('item:1', { ttl: 60, tags: ['b'] })
  t.match(await impl.get('item:1'), { value: null })
  await load('item:1', { ttl: 60, tags: ['b'] })
  t.match(await impl.getEntry!('item:1'), { value: { value: 1, tags: ['b'] } })

  source.set('item:2', 2)
  await load('item:2')
  await pass(565)
  await load('item:2')
  t.match(await impl.get('item:2'), { value: null })
  await load('item:2')
  t.match(await impl.get('item:2'), { value: 2 })
})

t.test('shadow: an invalidation in another process within five seconds explains a mismatch', async (t) => {
  const changes: [string, (other: SharedCache) => Promise<Result<void>>][] = [
    ['del', (other) => other.del('item:1')],
    ['set', (other) => other.set('item:1', 'new', 60)],
    ['tags.invalidate', (other) => other.tags.invalidate('items')],
    ['soft tags.invalidate', (other) => other.tags.invalidate('items', { soft: true })],
    ['clear', (other) => other.clear()]
  ]
  for (const [name, change] of changes) {
    for (const after of [0, 4.9]) {
      await t.test(`${name} after ${after} s`, async (t) => {
        const one = shared(t)
        await fill(one, 'item:1', 'old', { ttl: 60, tags: ['items'] } as never)
        one.source.set('item:1', 'new')
        await one.load('item:1')
        await one.pass(after)
        await change(one.other)
        await one.pass(DECIDED)
        t.same(one.outcomes(), { absent: 2, explained: 1 })
      })
    }
  }
})

t.test('shadow: an invalidation in this process explains a mismatch, also if the entry has ended since', async (t) => {
  for (const make of [undefined, (clock: Clock) => new SharedCache(new SharedStore(clock))]) {
    for (const change of ['del', 'set', 'tags', 'clear'] as const) {
      await t.test(`${change} on ${make === undefined ? 'MemoryCache' : 'a shared cache'}`, async (t) => {
        const one = shadowed(t, make)
        const { client } = one
        await fill(one, 'item:1', 'old', { ttl: 12, tags: ['items'] } as never)
        one.source.set('item:1', 'new')
        await one.load('item:1', { ttl: 12, tags: ['items'] })
        await one.pass(3)
        if (change === 'del') await client.del('item:1')
        else if (change === 'set') await client.set('item:1', 'new')
        else if (change === 'clear') await client.clear()
        else await client.tags.invalidate('items')
        await one.pass(DECIDED)
        t.match(one.outcomes(), { explained: 1, mismatch: undefined })
      })
    }
  }
})

t.test('shadow: an invalidation more than six seconds later explains nothing', async (t) => {
  const one = shared(t)
  await fill(one, 'item:1', 'old')
  one.source.set('item:1', 'new')
  await one.load('item:1')
  await one.pass(6.5)
  await one.other.del('item:1')
  await one.pass(DECIDED)
  t.same(one.outcomes(), { absent: 2, mismatch: 1 })
})

t.test('shadow: an entry of several processes that ends within the five seconds is not judged, one of this process is', async (t) => {
  const one = shared(t)
  await fill(one, 'item:1', 'old', { ttl: 7 })
  await one.load('item:1')
  t.same(one.outcomes(), { absent: 2, undecided: 1 })

  const local = shadowed(t)
  await fill(local, 'item:1', 'old', { ttl: 7 })
  local.source.set('item:1', 'new')
  await local.load('item:1')
  await local.pass(DECIDED)
  t.match(local.outcomes(), { mismatch: 1 })
})

t.test('shadow: an entry that was stored during the load may be newer than the loaded value', async (t) => {
  const { client, other, outcomes, pass } = shared(t)
  const goOn = deferred()
  const loading = client.getOrSet('item:1', async () => {
    await goOn.promise
    return 'old'
  })
  await pass(1)
  await other.set('item:1', 'new', 60)
  await pass(1)
  goOn.resolve()
  await loading
  await pass(DECIDED)
  t.same(outcomes(), { undecided: 1 })
})

t.test('shadow: a loader that throws, returns undefined, skips or hangs is compared with nothing', async (t) => {
  const { client, outcomes, time, pass, impl, registry, load, source } = shadowed(t)
  await t.rejects(client.getOrSet('item:1', async () => { throw new Error('down') }), /down/)
  await t.rejects(client.getOrSet('item:1', () => { throw new Error('down at once') }), /down at once/)
  t.equal(await client.getOrSet('item:1', async () => undefined), undefined)
  t.equal(await client.getOrSet('item:1', async ({ skip }) => { skip(); return 1 }), 1)
  t.equal(await client.getOrSet('item:1', async () => 1, 0), 1)
  t.equal(await client.getOrSet('item:1', async () => 1, { tll: 1 } as never), 1)
  const late = deferred<number>()
  const hanging = client.getOrSet('item:1', () => late.promise)
  void client.getOrSet('item:2', () => new Promise(() => {}))
  const limited = client.getOrSet('item:3', () => new Promise(() => {}), { timeoutMs: 100 })
  limited.catch(() => {})
  await pass(40)
  await t.rejects(limited, { code: 'CACHE_ERR_LOAD_TIMEOUT' })
  t.equal(time.pending, 0, 'no timer waits for the loader')
  late.resolve(1)
  t.equal(await hanging, 1)
  await settled()
  t.same(outcomes(), {})
  t.match(await impl.get('item:1'), { value: null })
  t.same(errorsOf(registry, 'memory'), {})
  for (let at = 0; at < 300; at++) void client.getOrSet(`item:${at}`, () => new Promise(() => {}))
  t.match(outcomes(), { dropped: 44 }, 'loads that hang take the places of others for thirty seconds at most')
  await pass(40)
  source.set('item:1', 1)
  await load('item:1')
  t.match(outcomes(), { absent: 1 })
})

t.test('shadow: nothing about the answer, the error or its time changes while the implementation fails', async (t) => {
  for (const fault of ['throws', 'rejects', 'hangs', 'is no Result'] as Fault[]) {
    for (const member of ['getEntry', 'set', 'capture']) {
      await t.test(`${member} ${fault}`, async (t) => {
        let cache!: ForeignCache
        const { client, outcomes, pass, registry, source } = shadowed(t, (clock) => (cache = new ForeignCache({ clock })))
        cache.faults.set(member, fault)
        const unhandled: unknown[] = []
        const note = (error: unknown): void => { unhandled.push(error) }
        process.on('unhandledRejection', note)
        t.teardown(() => process.off('unhandledRejection', note))
        source.set('item:1', { a: 1 })
        for (let turn = 0; turn < 3; turn++) {
          const value = { a: 1 }
          const loading = client.getOrSet('item:1', async () => value, { ttl: 60, tags: ['tag'] })
          t.equal(await stateOf(loading), 'resolved', 'the caller waits for no call of the implementation')
          t.equal(await loading, value)
          await pass(4)
        }
        await pass(DECIDED)
        t.match(outcomes(), member === 'getEntry' ? { failed: 3 } : { absent: 3 })
        t.ok(Object.keys(errorsOf(registry, registry.active.stats.label)).length > 0, 'and the failure is counted')
        t.same(unhandled, [])
      })
    }
  }
})

t.test('shadow: a caller that changes its value at once changes neither the comparison nor the entry', async (t) => {
  const { client, outcomes, impl, pass, source } = shadowed(t)
  source.set('item:1', 1)
  for (let turn = 0; turn < 2; turn++) {
    const value = await client.getOrSet('item:1', async () => ({ list: [1] }), 60)
    value.list.push(2)
    await settled()
    await pass(1)
  }
  t.same(outcomes(), { absent: 1, match: 1 })
  t.match(await impl.get('item:1'), { value: { list: [1] } })
})

t.test('shadow: values without a stored form and values above the limit are counted, not compared', async (t) => {
  const { client, outcomes, pass } = shadowed(t)
  const circle: Record<string, unknown> = {}
  circle.own = circle
  const throwing = { toJSON () { throw new Error('no') } }
  const trap = new Proxy({}, { ownKeys () { throw new Error('no') } })
  for (const value of [circle, throwing, trap, 1n, NaN, () => {}, Symbol('s')]) {
    t.ok(Object.is(await client.getOrSet('item:1', async () => value as unknown), value))
    await settled()
  }
  const failed = 6
  t.match(outcomes(), { failed, dropped: 1 }, 'a circle is endless')
  for (const value of ['x'.repeat(300_000), Buffer.alloc(300_000), new Array(300_000).fill(0), { deep: 'x'.repeat(300_000) }, { toJSON: () => 'x'.repeat(300_000) }, new Map()]) {
    await client.getOrSet('item:1', async () => value as unknown)
    await settled()
  }
  await pass(DECIDED)
  t.match(outcomes(), { failed, dropped: 7 })
})

t.test('shadow: a cache of three methods, which knows no age, is compared once an entry was seen', async (t) => {
  const { load, source, outcomes, pass, impl } = shadowed(t, () => new ThreeMethodCache())
  source.set('item:1', null)
  await load('item:1')
  await load('item:1')
  t.same(outcomes(), { absent: 1, match: 1 })
  await pass(2)
  source.set('item:1', 'new')
  await load('item:1')
  await pass(DECIDED)
  t.match(outcomes(), { absent: 1, match: 1, mismatch: 1 })
  await impl.del('item:1')
  await impl.set('item:1', 'newer')
  await load('item:1')
  t.match(outcomes(), { undecided: 1 }, 'an entry that was never seen may be newer than the load')
})

t.test('shadow: tags that an implementation cannot have, or that are invalid, are counted as in the cached arm', async (t) => {
  const { load, source, outcomes, registry, impl } = shadowed(t, () => new ThreeMethodCache())
  source.set('item:1', 1)
  await load('item:1', { ttl: 60, tags: ['tag'] })
  t.same(outcomes(), { absent: 1 })
  t.match(errorsOf(registry, registry.active.stats.label), { unsupported: 1 })
  for (const options of [{ tags: [7] }, { tags: () => ['a'] }, { tags: [':reserved'] }]) await load('item:1', options as never)
  t.match(errorsOf(registry, registry.active.stats.label), { tag_invalid: 3 })
  t.match(await impl.get('item:1'), { value: null })
})

t.test('shadow: ttl and tags that depend on the value get the value as it was loaded', async (t) => {
  const { client, impl, registry } = shadowed(t)
  const at = new Date(5000)
  const options = { ttl: (value: { at: Date }) => value.at.getTime() / 1000, tags: (value: { at: Date }) => [`day-${value.at.getUTCDay()}`], coveringTags: ['days'] }
  await client.getOrSet('item:1', async () => ({ at }), options)
  await settled()
  t.match(await impl.getEntry!('item:1'), { value: { ttlLeft: 5, tags: ['days', 'day-4'] } })
  await client.getOrSet('item:2', async () => ({ at }), { ttl: () => { throw new Error('no') } })
  await settled()
  t.match(await impl.get('item:2'), { value: null })
  t.match(errorsOf(registry, 'memory'), { ttl_invalid: 1 })
})

t.test('shadow: a tag that only the value names, and that was invalidated during the load, keeps the value from being stored', async (t) => {
  const { client, impl } = shadowed(t)
  await client.getOrSet('item:1', async () => {
    await client.tags.invalidate('late')
    return 1
  }, { tags: () => ['late'], coveringTags: ['cover'] })
  await settled()
  t.match(await impl.get('item:1'), { value: null })
})

t.test('shadow: a removal in this process during the load keeps the value from being stored', async (t) => {
  for (const make of [undefined, (clock: Clock): Cache => new ForeignCache({ clock }), () => new ThreeMethodCache()]) {
    const { client, impl, load, source } = shadowed(t, make)
    source.set('item:1', 1)
    for (const change of [() => client.del('item:1'), () => client.clear(), () => client.set('item:1', 2)]) {
      if (impl.clear === undefined && change.toString().includes('clear')) continue
      await client.getOrSet('item:1', async () => {
        await change()
        return 1
      })
      await settled()
      t.match(await impl.get('item:1'), { value: null })
    }
    client.stop()
    t.ok(load)
  }
})

t.test('shadow: a flood of loads is bounded, and what is dropped is counted', async (t) => {
  let cache!: ForeignCache
  const { client, outcomes, pass } = shadowed(t, (clock) => (cache = new ForeignCache({ clock })))
  cache.held.add('getEntry')
  const loads = Array.from({ length: 1000 }, (_, at) => client.getOrSet(`item:${at}`, async () => at))
  t.same(await Promise.all(loads), Array.from({ length: 1000 }, (_, at) => at))
  await settled()
  t.equal(cache.waiting.length, 256)
  t.same(outcomes(), { dropped: 744 })
  await pass(EXPLAINED)
  t.match(outcomes(), { dropped: 744, failed: 256 }, 'a read that hangs ends with its time limit')
})

t.test('shadow: a hot key with a stale entry is checked together, and each of its loads counts', async (t) => {
  const { client, source, outcomes, pass, load, impl } = shadowed(t)
  source.set('item:1', 'old')
  await load('item:1')
  await pass(2)
  source.set('item:1', 'new')
  for (let turn = 0; turn < 20; turn++) {
    await Promise.all(Array.from({ length: 200 }, () => client.getOrSet('item:1', async () => source.get('item:1'))))
    await settled()
  }
  await pass(DECIDED)
  t.same(outcomes(), { absent: 1, mismatch: 4000 })
  t.ok(impl instanceof MemoryCache)
})

t.test('shadow: neither the paths nor the events hold a value, a key or a name that may be data', async (t) => {
  const { load, source, pass, counts, registry } = shadowed(t)
  const said: unknown[] = []
  registry.events.on('shadowed', (...event) => said.push(event))
  registry.events.on('failed', (_impl, operation, error) => said.push([operation, error.message]))
  const users = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`secretname${String.fromCharCode(97 + at % 26)}${at}`, at]))
  const before = { 'secret@mail': 1, u4711471: 1, users, list: [{ secretless: 1 }] }
  const changes = [{ 'secret@mail': 2 }, { u4711471: 2 }, { users: { ...users, secretname: 1 } }, { list: [{ secretless: 2 }] }]
  for (const [at, change] of changes.entries()) {
    source.set(`item:secret${at}`, before)
    await load(`item:secret${at}`)
    source.set(`item:secret${at}`, { ...before, ...change })
    await pass(1)
    await load(`item:secret${at}`)
  }
  await pass(DECIDED)
  t.same([...counts().mismatchPaths.keys()].sort(), ['.list[].secretless', '.users[…]', '[…]'])
  t.notMatch(JSON.stringify(said) + [...registry.shadow.stats.patterns.keys()].join(), /secretname|secret@|4711|item:secret/)
})

t.test('shadow: an entry that cannot be read as JSON has failed', async (t) => {
  const value = new Proxy({}, { ownKeys () { throw new Error('no') } })
  const { load, source, outcomes } = shadowed(t, (clock) => Object.assign(new ForeignCache({ clock }), {
    getEntry: async () => ok({ value, fresh: true, age: 9, ttlLeft: 50, staleLeft: 50, tags: [] })
  }) as never)
  source.set('item:1', 1)
  await load('item:1')
  t.same(outcomes(), { failed: 1 })
})

t.test('shadow: ok() of an implementation without a value is a miss', async (t) => {
  const make = (clock: Clock) => Object.assign(new ForeignCache({ clock }), { getEntry: async () => ok() }) as never
  const { load, source, outcomes } = shadowed(t, make)
  source.set('item:1', 1)
  await load('item:1')
  t.same(outcomes(), { absent: 1 })
})
