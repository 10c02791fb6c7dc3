import { CacheRegistry, MemoryCache } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import t, { type Test } from 'tap'
import { deferred, settle, stateOf } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import { ForeignCache } from '@x/test-kit/foreign-caches'

const KEY = 'user:1'
const OPTIONS = { ttl: 10, staleIfError: 600, softTimeoutMs: 100, retryAfterMs: 0 }
const down = new Error('the source is down')

/** Makes a client with fake timers whose key was loaded with `OPTIONS`, and whose ttl has passed. */
async function stale (t: Test, isForeign: boolean, options: object = OPTIONS) {
  const time = new FakeTime(t)
  const registry = new CacheRegistry({ clock: time.clock })
  registry.register(isForeign ? new ForeignCache({ clock: time.clock }) : new MemoryCache({ clock: time.clock }))
  const client = new CacheClient(registry)
  await client.getOrSet(KEY, () => 'old', { ...options, tags: ['users'] })
  await settle()
  time.advance(11_000)
  const tick = async (ms: number): Promise<void> => {
    await settle()
    time.advance(ms)
    await settle()
  }
  return { client, tick, time }
}

for (const isForeign of [false, true]) {
  const kind = isForeign ? 'foreign' : 'memory'

  t.test(`getOrSet: after softTimeoutMs the stale value is served, and the load goes on and is stored (${kind})`, async (t) => {
    const { client, tick } = await stale(t, isForeign)
    const source = deferred<string>()
    const calls = [1, 2].map(() => client.getOrSet(KEY, () => source.promise, OPTIONS))
    await tick(99)
    for (const call of calls) t.equal(await stateOf(call), 'pending')
    await tick(1)
    t.same(await Promise.all(calls), ['old', 'old'], 'to those who joined, too')
    source.resolve('new')
    await settle()
    t.equal(await client.getOrSet(KEY, () => t.fail('loaded again') as never, OPTIONS), 'new')
  })

  t.test(`getOrSet: a load that is faster than softTimeoutMs answers its caller, and no timer is left (${kind})`, async (t) => {
    const { client, time } = await stale(t, isForeign)
    // The timers of time limits that several calls share are still set.
    await client.getOrSet('user:2', () => 'new', { ...OPTIONS, softTimeoutMs: undefined })
    await settle()
    const before = time.pending
    t.equal(await client.getOrSet(KEY, () => 'new', OPTIONS), 'new')
    await settle()
    t.equal(time.pending, before)
  })

  t.test(`getOrSet: without a stale value the caller waits, whatever softTimeoutMs is (${kind})`, async (t) => {
    const { client, tick } = await stale(t, isForeign)
    for (const [name, remove] of Object.entries({
      'another key': async () => {},
      invalidated: () => client.tags.invalidate('users'),
      removed: () => client.del(KEY)
    })) {
      await remove()
      const source = deferred<string>()
      const call = client.getOrSet(name === 'another key' ? 'user:2' : KEY, () => source.promise, { ...OPTIONS, ttl: 0 })
      await tick(500)
      t.equal(await stateOf(call), 'pending', name)
      source.resolve('new')
      t.equal(await call, 'new')
    }
  })

  t.test(`getOrSet: a value that is invalidated during the load is not served after softTimeoutMs (${kind})`, async (t) => {
    const { client, tick } = await stale(t, isForeign)
    const source = deferred<string>()
    const call = client.getOrSet(KEY, () => source.promise, OPTIONS)
    await tick(50)
    await client.tags.invalidate('users')
    await tick(100)
    t.equal(await stateOf(call), 'pending')
    source.resolve('new')
    t.equal(await call, 'new')
  })

  t.test(`getOrSet: softTimeoutMs serves within the caller's own staleIfError alone (${kind})`, async (t) => {
    const { client, tick } = await stale(t, isForeign)
    const source = deferred<string>()
    const other = { ttl: 10, softTimeoutMs: 100 }
    const options = [{ ...OPTIONS, staleIfError: 0.5 }, { ...other, staleWhileRevalidate: 0.5 }, other]
    const calls = options.map((each) => client.getOrSet(KEY, () => source.promise, each))
    await tick(200)
    for (const call of calls) t.equal(await stateOf(call), 'pending')
    source.resolve('new')
    t.same(await Promise.all(calls), ['new', 'new', 'new'])
  })

  t.test(`getOrSet: a load that fails after its caller had the stale value rejects nobody, and the next call loads (${kind})`, async (t) => {
    const { client, tick } = await stale(t, isForeign)
    const source = deferred<string>()
    const call = client.getOrSet(KEY, () => source.promise, OPTIONS)
    await tick(100)
    t.equal(await call, 'old')
    source.reject(down)
    await settle()
    t.equal(await client.getOrSet(KEY, () => 'new', OPTIONS), 'new')
  })

  t.test(`getOrSet: timeoutMs ends the load that softTimeoutMs left behind (${kind})`, async (t) => {
    const { client, tick } = await stale(t, isForeign)
    let signal!: AbortSignal
    const call = client.getOrSet<string>(KEY, (load) => {
      signal = load.signal
      return new Promise(() => {})
    }, { ...OPTIONS, timeoutMs: 300 })
    await tick(100)
    t.equal(await call, 'old')
    t.notOk(signal.aborted)
    await tick(200)
    t.ok(signal.aborted)
  })
}

t.test('getOrSetMany: softTimeoutMs serves each stale value while the batch goes on', async (t) => {
  const { client, tick } = await stale(t, false)
  const source = deferred<string[]>()
  const call = client.getOrSetMany<string>([KEY], () => source.promise, OPTIONS)
  await tick(100)
  t.same(await call, ['old'])
  source.resolve(['new'])
  await settle()
  t.same(await client.getOrSetMany<string>([KEY], () => t.fail('loaded again') as never, OPTIONS), ['new'])
})
