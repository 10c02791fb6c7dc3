import t from 'tap'
import { deferred, settle } from '@x/test-kit/deferred'
import { ForeignCache, ThreeMethodCache } from '@x/test-kit/foreign-caches'
import { countsOf, makeClient } from '@x/test-kit/make-client'

const implementations = {
  'a cache in this process': undefined,
  'a foreign cache': () => new ForeignCache(),
  'a foreign cache of three methods': () => new ThreeMethodCache()
}

for (const [name, implementation] of Object.entries(implementations)) {
  t.test(`getOrSet: runs one load for all who ask meanwhile (${name})`, async (t) => {
    const { client, registry } = makeClient<any>(implementation)
    const value = deferred<{ n: number }>()
    let loads = 0
    const load = () => { loads++; return value.promise }
    const calls = Array.from({ length: 100 }, () => client.getOrSet('user:1', load))
    await settle()
    calls.push(client.getOrSet('user:1', load))
    value.resolve({ n: 1 })
    t.same(await Promise.all(calls), calls.map(() => ({ n: 1 })))
    t.equal(loads, 1)
    await settle()
    t.same(await client.getOrSet('user:1', load), { n: 1 })
    t.equal(loads, 1, 'and finds it afterwards')
    const { hits, misses, sets } = countsOf(registry, registry.active.stats.label)
    t.same({ hits, misses, sets }, { hits: 1, misses: 101, sets: 1 }, 'each call is counted once')
  })

  t.test(`getOrSet: a failed loader runs once, not once per waiter: each gets the same error, and no failure is cached (${name})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const value = deferred<number>()
    let loads = 0
    const load = () => { loads++; return value.promise }
    const calls = [1, 2, 3].map(() => client.getOrSet('user:1', load))
    await settle()
    const failure = new Error('the source is down')
    value.reject(failure)
    const outcomes = await Promise.allSettled(calls)
    for (const outcome of outcomes) t.equal((outcome as PromiseRejectedResult).reason, failure)
    t.equal(loads, 1, 'a failed loader is not run once per waiter')
    t.equal(await client.getOrSet('user:1', () => 7), 7, 'the next call loads at once')
  })

  t.test(`getOrSet: null, 0, '' and false are hits (${name})`, async (t) => {
    const { client, registry } = makeClient<any>(implementation)
    for (const value of [null, 0, '', false]) {
      const key = `value:${value}`
      t.equal(await client.getOrSet<unknown>(key, () => value), value)
      await settle()
      t.equal(await client.getOrSet<unknown>(key, () => t.fail('loaded again')), value, JSON.stringify(value))
    }
    t.match(countsOf(registry, registry.active.stats.label), { hits: 4, misses: 4 })
  })

  t.test(`getOrSet: hands each waiter a value of its own (${name})`, async (t) => {
    const { client } = makeClient<any>(implementation)
    const value = deferred<{ list: number[] }>()
    const load = () => value.promise
    const first = client.getOrSet('user:1', load).then((mine) => { mine.list.push(666); return mine })
    const others = [1, 2].map(() => client.getOrSet('user:1', load))
    value.resolve({ list: [1] })
    const [a, b] = await Promise.all(others)
    await first
    t.same(a, { list: [1] }, 'the first caller may change what it was given')
    t.same(b, { list: [1] })
    t.not(a, b)
    await settle()
    t.same(await client.getOrSet('user:1', load), { list: [1] }, 'and so is the stored one')
  })
}

t.test('getOrSet: a call between the end of the load and that of the store gets the loaded value', async (t) => {
  const { client, impl } = makeClient(() => new ForeignCache())
  impl.held.add('set')
  const first = await client.getOrSet('user:1', () => ({ name: 'Ada' }))
  t.same(impl.waiting.map(({ key }) => key), ['user:1'], 'the answer did not wait for the store')
  first.name = 'changed by its owner'
  const second = await client.getOrSet('user:1', () => t.fail('loaded again'))
  t.same(second, { name: 'Ada' }, 'as it was loaded')
  await impl.release('set')
  t.same(await client.getOrSet('user:1', () => t.fail('loaded again')), { name: 'Ada' })
})

t.test('getOrSet: a value that was refreshed in the background is there before its store has ended', async (t) => {
  const { client, impl, clock } = makeClient((clock) => new ForeignCache({ clock }))
  const options = { ttl: 10, staleWhileRevalidate: 60 }
  await client.getOrSet('user:1', () => 'old', options)
  clock.advance(11)
  impl.held.add('set')
  t.equal(await client.getOrSet('user:1', () => 'new', options), 'old')
  await settle()
  t.equal(impl.waiting.length, 1)
  t.equal(await client.getOrSet('user:1', () => t.fail('loaded again'), options), 'new')
})

t.test('getOrSet: a caller that wants nothing stale joins the refresh that others started', async (t) => {
  const { client, clock } = makeClient()
  await client.getOrSet('user:1', () => 'old', { ttl: 10, staleWhileRevalidate: 60 })
  clock.advance(11)
  const value = deferred<string>()
  t.equal(await client.getOrSet('user:1', () => value.promise, { ttl: 10, staleWhileRevalidate: 60 }), 'old')
  const strict = client.getOrSet('user:1', () => t.fail('a second load of the key'), { ttl: 10 })
  await settle()
  value.resolve('new')
  t.equal(await strict, 'new')
})

t.test('getOrSet: waiters get copies of a stale value that a failed load falls back to', async (t) => {
  const { client, clock } = makeClient()
  const options = { ttl: 10, staleIfError: 60 }
  await client.getOrSet('user:1', () => ({ list: [1] }), options)
  clock.advance(11)
  const value = deferred<{ list: number[] }>()
  const calls = [1, 2].map(() => client.getOrSet('user:1', () => value.promise, options))
  await settle()
  value.reject(new Error('the source is down'))
  const [a, b] = await Promise.all(calls)
  t.same(a, { list: [1] })
  t.same(b, { list: [1] })
  t.not(a, b)
})

t.test('getOrSet: what JSON cannot keep is shared by the waiters and not stored', async (t) => {
  const { client, registry } = makeClient()
  const circular: { self?: object } = {}
  circular.self = circular
  const value = deferred<object>()
  const calls = [1, 2].map(() => client.getOrSet('user:1', () => value.promise))
  value.resolve(circular)
  const [a, b] = await Promise.all(calls)
  t.equal(a, circular)
  t.equal(b, circular)
  t.equal(registry.active.stats.errors.get('value_invalid'), 1)
  t.equal(await client.getOrSet('user:1', () => 2), 2, 'loaded again')
})

t.test('getOrSet: different keys load side by side', async (t) => {
  const { client } = makeClient()
  const values = [deferred<number>(), deferred<number>()]
  const calls = values.map(({ promise }, at) => client.getOrSet(`user:${at}`, () => promise))
  values[1]!.resolve(1)
  t.equal(await calls[1], 1)
  values[0]!.resolve(0)
  t.equal(await calls[0], 0)
})

t.test('getOrSet: clients of other arms and of the same registry share one load', async (t) => {
  const { client } = makeClient()
  const value = deferred<number>()
  let loads = 0
  const load = () => { loads++; return value.promise }
  const calls = [client.getOrSet('user:1', load), client.withArm('cached').getOrSet('user:1', load)]
  value.resolve(1)
  t.same(await Promise.all(calls), [1, 1])
  t.equal(loads, 1)
})

t.test('getOrSet: a loader that throws at once rejects, it does not throw', async (t) => {
  const { client } = makeClient()
  const failure = new Error('bug')
  let call!: Promise<unknown>
  t.doesNotThrow(() => { call = client.getOrSet('user:1', () => { throw failure }) })
  await t.rejects(call, failure)
})
