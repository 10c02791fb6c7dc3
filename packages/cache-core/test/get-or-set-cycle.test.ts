import { cacheCore } from '@x/cache-core'
import t from 'tap'
import { LoadScopes } from '../src/loading/load-scope.js'
import { bareApp } from '@x/test-kit/build-app'
import { deferred, settle } from '@x/test-kit/deferred'
import { fakeTimers } from '@x/test-kit/fake-timers'
import { ForeignCache } from '@x/test-kit/foreign-caches'
import { makeClient } from '@x/test-kit/make-client'

const implementations = { memory: undefined, foreign: () => new ForeignCache() }
const OVERDUE_MS = 34_000

/** Makes a client that finds the loader of a call also after an `await`, or only in the loader's synchronous part. */
function made (isAlwaysTracked: boolean, implementation?: () => any): ReturnType<typeof makeClient<any>> {
  const all = makeClient<any>(implementation)
  Object.assign(all.registry.flights, { scopes: new LoadScopes(isAlwaysTracked) })
  return all
}

for (const [kind, implementation] of Object.entries(implementations)) {
  for (const isAlwaysTracked of [true, false]) {
    const name = `${kind}, ${isAlwaysTracked ? 'with' : 'without'} cheap async context`

    t.test(`getOrSet: a loader that asks for its own key gets the value of the inner loader (${name})`, async (t) => {
      const { client, impl } = made(isAlwaysTracked, implementation)
      const value = await client.getOrSet('a', async () => `outer of ${await client.getOrSet('a', () => 'inner')}`)
      t.equal(value, 'outer of inner')
      await settle()
      t.match(await impl.get('a'), { value: 'outer of inner' }, 'the outer value is stored')
    })

    t.test(`getOrSet: two keys whose loaders wait for one another crosswise both end (${name})`, async (t) => {
      const { client } = made(isAlwaysTracked, implementation)
      const ask = (key: string, other: string) => client.getOrSet(key, async () => `${key}(${await client.getOrSet(other, () => `plain ${other}`)})`)
      const [a, b] = await Promise.all([ask('a', 'b'), ask('b', 'a')])
      t.match(a, /^a\(/)
      t.match(b, /^b\(/)
    })

    t.test(`getOrSet: three keys in a circle end, too (${name})`, async (t) => {
      const { client } = made(isAlwaysTracked, implementation)
      const ask = (key: string, other: string) => client.getOrSet(key, async () => `${key}(${await client.getOrSet(other, () => `plain ${other}`)})`)
      for (const value of await Promise.all([ask('a', 'b'), ask('b', 'c'), ask('c', 'a')])) t.match(value, /^[abc]\(/)
    })

    t.test(`getOrSet: loaders that call themselves without end are a coded error (${name})`, async (t) => {
      const { client } = made(isAlwaysTracked, implementation)
      const endless = (): Promise<string> => client.getOrSet('a', endless)
      await t.rejects(endless(), { code: 'CACHE_ERR_LOAD_CYCLE' })
      const loadA = (): Promise<string> => client.getOrSet('b', loadB)
      const loadB = (): Promise<string> => client.getOrSet('c', loadA)
      await t.rejects(loadA(), { code: 'CACHE_ERR_LOAD_CYCLE' })
      t.equal(await client.getOrSet('a', () => 'value'), 'value', 'the next call loads')
    })

    t.test(`getOrSet: loaders that share what they need still load it once (${name})`, async (t) => {
      const { client } = made(isAlwaysTracked, implementation)
      const value = deferred<string>()
      let loads = 0
      const shared = () => client.getOrSet('shared', () => { loads++; return value.promise })
      const calls = ['a', 'b'].map((key) => client.getOrSet(key, shared))
      await settle()
      value.resolve('value')
      t.same(await Promise.all(calls), ['value', 'value'])
      t.equal(loads, 1)
    })
  }

  t.test(`getOrSet: where async context is cheap, a loader may ask for its own key behind an await (${kind})`, async (t) => {
    const { client } = made(true, implementation)
    const value = await client.getOrSet('a', async () => {
      await settle()
      return `outer of ${await client.getOrSet('a', async () => { await settle(); return 'inner' })}`
    })
    t.equal(value, 'outer of inner')
    const endless = async (): Promise<string> => { await settle(); return client.getOrSet('b', endless) }
    await t.rejects(endless(), { code: 'CACHE_ERR_LOAD_CYCLE' })
  })

  t.test(`getOrSet: elsewhere such a loader ends with the limit of a load (${kind})`, async (t) => {
    const { tick } = fakeTimers(t)
    const { client } = made(false, implementation)
    const call = client.getOrSet('a', async () => {
      await settle()
      return `outer of ${await client.getOrSet('a', async () => { await settle(); return 'inner' })}`
    })
    await settle()
    await tick(OVERDUE_MS)
    t.equal(await call, 'outer of inner')
    const endless = async (): Promise<string> => { await settle(); return client.getOrSet('b', endless) }
    const recursion = t.rejects(endless(), { code: 'CACHE_ERR_LOAD_CYCLE' })
    await settle()
    await tick(OVERDUE_MS)
    await recursion
  })
}

t.test('getOrSet: what a loader left running after it ended does not count as inside it', async (t) => {
  const { client } = made(true)
  const gate = deferred()
  let late!: Promise<unknown>
  await client.getOrSet('a', () => { late = gate.promise.then(() => client.getOrSet<unknown>('a', () => t.fail('loaded unshared'))); return 'first' })
  await client.del('a')
  const value = deferred<string>()
  const next = client.getOrSet('a', () => value.promise)
  gate.resolve()
  await settle()
  value.resolve('second')
  t.same(await Promise.all([next, late]), ['second', 'second'])
})

t.test('getOrSet: a load inside a load that holds a lock does not wait for its own lock', async (t) => {
  const { tick } = fakeTimers(t)
  const { client, impl } = made(false)
  t.ok((await impl.lock('b', { ttl: 3600 })).ok, 'by another process, which waits for the lock of a')
  const call = client.getOrSet('a', () => client.getOrSet('b', () => 'value', { lock: true }), { lock: true })
  await tick(0)
  await tick(0)
  t.equal(await call, 'value')
})

t.test('warm: an item whose loader asks for its own key is warmed, and the app becomes ready', async (t) => {
  const app = bareApp(t)
  const loader = async (): Promise<string> => `outer of ${await app.cache.getOrSet('a', () => 'inner')}`
  await app.register(cacheCore, { implementation: 'memory', warm: { items: [{ key: 'a', loader }] } })
  await app.ready()
  t.match(await app.cache.get('a'), { value: 'outer of inner' })
})
