import { CacheRegistry, MemoryCache, type Cache, type LockOptions } from '@x/cache-core'
import { ok } from '@x/cache-core/implementing'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { deferred, settle, stateOf } from '@x/test-kit/deferred'
import { FakeClock } from '@x/test-kit/fake-clock'
import { fakeTimers } from '@x/test-kit/fake-timers'
import { ForeignCache } from '@x/test-kit/foreign-caches'
import { errorsOf, makeClient } from '@x/test-kit/make-client'

const KEY = 'user:1'
const LOCK = { lock: true }

/** Makes the clients of several processes that share one cache. */
function processes (impl: Cache = new MemoryCache()): CacheClient[] {
  return [1, 2, 3].map(() => {
    const registry = new CacheRegistry()
    registry.register(impl)
    return new CacheClient(registry)
  })
}

for (const [kind, implementation] of Object.entries({ memory: () => new MemoryCache(), foreign: () => new ForeignCache() })) {
  t.test(`getOrSet: lock lets one process load for all (${kind})`, async (t) => {
    const { tick } = fakeTimers(t)
    const value = deferred<string>()
    let loads = 0
    const load = () => { loads++; return value.promise }
    const calls = processes(implementation()).flatMap((client) => [1, 2].map(() => client.getOrSet(KEY, load, LOCK)))
    await tick(0)
    value.resolve('value')
    t.same(await Promise.all(calls), calls.map(() => 'value'))
    t.equal(loads, 1)
  })

  t.test(`getOrSet: when the holder of the lock stored nothing, those who waited load without queueing (${kind})`, async (t) => {
    const { tick } = fakeTimers(t)
    const [one, two, three] = processes(implementation()) as [CacheClient, CacheClient, CacheClient]
    const first = deferred<string>()
    const failing = one.getOrSet(KEY, () => first.promise, LOCK)
    await tick(0)
    const others = [deferred<string>(), deferred<string>()]
    let loads = 0
    const calls = [two, three].map((client, at) => client.getOrSet(KEY, () => { loads++; return others[at]!.promise }, LOCK))
    await tick(0)
    t.equal(loads, 0)
    first.reject(new Error('down'))
    await t.rejects(failing, { message: 'down' })
    await settle()
    t.equal(loads, 2, 'both at once')
    others[1]!.resolve('three')
    t.equal(await calls[1], 'three')
    others[0]!.resolve('two')
    t.equal(await calls[0], 'two')
  })
}

const notStored: Record<string, (holder: CacheClient) => { options?: object; value?: unknown; during?: () => Promise<unknown> }> = {
  'skip()': () => ({ value: 'skip' }),
  'ttl 0': () => ({ options: { ttl: 0 } }),
  'a value that cannot be stored': () => ({ value: undefined }),
  'a load that was overtaken': (holder) => ({ during: () => holder.del(KEY) }),
  'a swap': (holder) => ({ during: async () => holder.registry.register(new MemoryCache(), 'Next') })
}
for (const [name, make] of Object.entries(notStored)) {
  t.test(`getOrSet: ${name} is told to those who wait for the lock`, async (t) => {
    const { tick } = fakeTimers(t)
    const [one, two] = processes() as [CacheClient, CacheClient]
    const { options, value = 'value', during } = make(one)
    const isUndefined = name.startsWith('a value')
    const first = deferred<unknown>()
    const holding = one.getOrSet(KEY, (load) => { if (value === 'skip') load.skip(); return first.promise }, { ...LOCK, ...options })
    await tick(0)
    const waiting = two.getOrSet(KEY, () => 'own', LOCK)
    t.equal(await stateOf(waiting), 'pending')
    await during?.()
    first.resolve(isUndefined ? undefined : value)
    await holding
    t.equal(await waiting, 'own')
  })
}

t.test('getOrSet: a store that failed is told to those who wait for the lock', async (t) => {
  const { tick } = fakeTimers(t)
  const impl = new ForeignCache()
  const [one, two] = processes(impl) as [CacheClient, CacheClient]
  impl.faults.set('set', 'rejects')
  const first = deferred<string>()
  const holding = one.getOrSet(KEY, () => first.promise, LOCK)
  await tick(0)
  const waiting = two.getOrSet(KEY, () => 'own', LOCK)
  await tick(0)
  first.resolve('value')
  t.equal(await holding, 'value')
  t.equal(await waiting, 'own')
})

t.test('getOrSet: who waits for the lock gets nothing that was invalidated meanwhile', async (t) => {
  const { tick } = fakeTimers(t)
  const [one, two, three] = processes() as [CacheClient, CacheClient, CacheClient]
  const options = { ...LOCK, tags: ['users'] }
  const first = deferred<string>()
  const holding = one.getOrSet(KEY, () => first.promise, options)
  await tick(0)
  await three.tags.invalidate('users')
  const waiting = two.getOrSet(KEY, () => 'new', options)
  await tick(0)
  first.resolve('old')
  t.equal(await holding, 'old')
  t.equal(await waiting, 'new')
})

t.test('getOrSet: a holder that never releases delays others by no more than the ttl of the lock', async (t) => {
  const { tick } = fakeTimers(t)
  const impl = new MemoryCache()
  const [one] = processes(impl) as [CacheClient]
  t.ok((await impl.lock(KEY, { ttl: 10 })).ok, 'by a process that died')
  const call = one.getOrSet(KEY, () => 'value', LOCK)
  await tick(9999)
  t.equal(await stateOf(call), 'pending')
  await tick(1)
  t.equal(await call, 'value')
})

t.test('getOrSet: waits for the lock no longer than timeoutMs, and without one 30 s', async (t) => {
  for (const [options, ms] of [[{ timeoutMs: 200 }, 200], [{}, 30_000], [{ timeoutMs: Infinity }, 30_000]] as const) {
    await t.test(String(ms), async (t) => {
      const { tick } = fakeTimers(t)
      const impl = new MemoryCache()
      const [one] = processes(impl) as [CacheClient]
      await impl.lock(KEY, { ttl: 3600 })
      const call = one.getOrSet(KEY, () => 'value', { ...LOCK, ...options })
      await tick(ms - 1)
      t.equal(await stateOf(call), 'pending')
      await tick(1)
      t.equal(await call, 'value')
    })
  }
})

t.test('getOrSet: extends the lock while the load lasts, and not after it', async (t) => {
  const { tick } = fakeTimers(t)
  const impl = new MemoryCache()
  const [one, two] = processes(impl) as [CacheClient, CacheClient]
  const value = deferred<string>()
  const holding = one.getOrSet(KEY, () => value.promise, LOCK)
  await tick(0)
  const waiting = two.getOrSet(KEY, () => t.fail('loaded twice'), LOCK)
  await tick(25_000)
  t.equal(await stateOf(waiting), 'pending')
  value.resolve('value')
  t.same(await Promise.all([holding, waiting]), ['value', 'value'])
})

const faultyLocks: Record<string, object> = {
  'whose release rejects': { token: 1, release: () => Promise.reject(new Error('gone')), extend: async () => ok() },
  'whose release throws': { token: 1, release: () => { throw new Error('gone') }, extend: async () => ok() },
  'whose extend rejects': { token: 1, release: async () => ok(), extend: () => Promise.reject(new Error('gone')) },
  'whose extend throws': { token: 1, release: async () => ok(), extend: () => { throw new Error('gone') } },
  'that is none': {}
}
for (const [name, lock] of Object.entries(faultyLocks)) {
  t.test(`getOrSet: a lock ${name} harms nobody, and is counted`, async (t) => {
    const { tick } = fakeTimers(t)
    const { client, registry } = makeClient<any>(() => Object.assign(new ForeignCache(), { lock: async () => ok(lock) }))
    const failed: string[] = []
    registry.events.on('failed', (_impl, operation) => failed.push(operation))
    t.equal(await client.getOrSet(KEY, async () => { await tick(4000); return 'value' }, LOCK), 'value')
    await settle()
    t.ok(errorsOf(registry, 'ForeignCache').implementation! >= 1)
    t.match(failed[0], /^lock\./)
  })
}

t.test('getOrSet: an implementation without locks loads without one', async (t) => {
  const { client } = makeClient<any>(() => Object.assign(new ForeignCache(), { lock: undefined }))
  t.equal(await client.getOrSet(KEY, () => 'value', LOCK), 'value')
})

t.test('getOrSet: a lock that hangs holds up a call no longer than any read', async (t) => {
  const { tick } = fakeTimers(t)
  const { client, impl } = makeClient(() => new ForeignCache(), { readTimeoutMs: 80 })
  impl.faults.set('lock', 'hangs')
  const call = client.getOrSet(KEY, () => 'value', LOCK)
  await tick(90)
  t.equal(await call, 'value')
})

t.test('getOrSet: earlyRefresh with lock: one process refreshes, the others keep what it stored', async (t) => {
  fakeTimers(t)
  const { random } = Math
  t.teardown(() => { Math.random = random })
  Math.random = () => 1 - Math.exp(-1)
  const clock = new FakeClock()
  const impl = new MemoryCache({ clock })
  const clients = processes(impl)
  const options = { ...LOCK, ttl: 10, earlyRefresh: 1 }
  await clients[0]!.getOrSet(KEY, () => 'old', options)
  for (const { registry } of clients) registry.stats.loadsOf('user').recent = 5
  clock.advance(6)
  const value = deferred<string>()
  let loads = 0
  const load = () => { loads++; return value.promise }
  t.same(await Promise.all(clients.map((client) => client.getOrSet(KEY, load, options))), ['old', 'old', 'old'])
  await settle()
  value.resolve('new')
  await settle()
  t.equal(loads, 1)
  for (const client of clients) t.equal(await client.getOrSet(KEY, load, options), 'new')
})

t.test('getOrSet: asks for the lock at once, and only then waits', async (t) => {
  fakeTimers(t)
  const impl = new MemoryCache()
  const asked: (number | undefined)[] = []
  const { lock } = impl
  impl.lock = (key: string, options: LockOptions) => { asked.push(options.waitMs); return lock.call(impl, key, options) }
  const [one, two] = processes(impl) as [CacheClient, CacheClient]
  const value = deferred<string>()
  const calls = [one.getOrSet(KEY, () => value.promise, LOCK), two.getOrSet(KEY, () => 'own', LOCK)]
  await settle()
  value.resolve('value')
  await Promise.all(calls)
  t.same(asked, [undefined, undefined, 30_000])
})
