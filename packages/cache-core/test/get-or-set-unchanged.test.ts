import { CacheRegistry, type Cache, type LoadContext, type StaleValue } from '@x/cache-core'
import { ok } from '@x/cache-core/implementing'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { deferred, settle } from '@x/test-kit/deferred'
import type { FakeClock } from '@x/test-kit/fake-clock'
import { ForeignCache } from '@x/test-kit/foreign-caches'
import { countsOf, makeClient } from '@x/test-kit/make-client'
import { SharedCache, SharedStore, type Carry } from '@x/test-kit/shared-store'

const KEY = 'user:1'

interface User { name: string; etag: string }
const ADA: User = { name: 'Ada', etag: 'a1' }

const implementations: Record<string, ((clock: FakeClock) => Cache) | undefined> = {
  memory: undefined,
  foreign: (clock) => new ForeignCache({ clock }),
  local: (clock) => Object.assign(new ForeignCache({ clock }), { isLocal: true }),
  shared: (clock) => new SharedCache(new SharedStore(clock))
}

/** Makes a client whose key has the value `ADA`, stored with these options. */
async function stored (kind: string, options: object) {
  const made = makeClient<any>(implementations[kind])
  await made.client.getOrSet(KEY, () => ADA, options)
  await settle()
  return made
}

for (const kind of Object.keys(implementations)) {
  t.test(`getOrSet: a loader gets the stale value, and unchanged() renews its lifetime with the same value and tags (${kind})`, async (t) => {
    const options = { ttl: 10, staleIfError: 60, tags: ['users'] }
    const { client, clock, registry } = await stored(kind, options)
    clock.advance(12)
    const seen: (StaleValue | undefined)[] = []
    const value = await client.getOrSet(KEY, ({ stale, unchanged }: LoadContext) => {
      seen.push(stale)
      return unchanged()
    }, options)
    t.same(value, ADA)
    t.match(seen, [{ value: ADA, age: 12 }])
    await settle()
    clock.advance(9)
    t.same(await client.getOrSet(KEY, () => t.fail('loaded again') as never, options), ADA)
    t.match(await client.getEntry(KEY), { value: { value: ADA, ttlLeft: 1, tags: ['users'] } })
    t.match(countsOf(registry, registry.active.stats.label), { sets: 2 })
    await client.tags.invalidate('users')
    t.same(await client.get(KEY), ok(null))
  })

  t.test(`getOrSet: a refresh in the background may answer unchanged(), and its value is not that of the caller (${kind})`, async (t) => {
    const options = { ttl: 10, staleWhileRevalidate: 60 }
    const { client, clock } = await stored(kind, options)
    clock.advance(12)
    const source = deferred()
    const value = await client.getOrSet(KEY, async ({ unchanged }) => {
      await source.promise
      return unchanged()
    }, options) as User
    value.name = 'changed by its owner'
    source.resolve()
    await settle()
    await settle()
    t.match(await client.getEntry(KEY), { value: { value: ADA, ttlLeft: 10 } })
  })

  t.test(`getOrSet: an early refresh gets the fresh value (${kind})`, async (t) => {
    const options = { ttl: 10, earlyRefresh: 1e9 }
    const { client, clock } = await stored(kind, { ...options, earlyRefresh: undefined })
    clock.advance(9)
    // A recorded load of one second makes the early refresh certain.
    client.registry.active.stats.of(KEY).loads.record(1, false)
    await client.getOrSet(KEY, ({ stale, unchanged }) => {
      t.match(stale, { value: ADA, age: 9 })
      return unchanged()
    }, options)
    await settle()
    t.match(await client.getEntry(KEY), { value: { value: ADA, ttlLeft: 10 } })
  })

  t.test(`getOrSet: a value that was invalidated while its loader asked the source is not renewed (${kind})`, async (t) => {
    const options = { ttl: 10, staleIfError: 60, tags: ['users'] }
    for (const change of ['invalidate', 'del', 'clear'] as const) {
      const { client, clock } = await stored(kind, options)
      clock.advance(12)
      const source = deferred()
      const call = client.getOrSet(KEY, async ({ unchanged }) => {
        await source.promise
        return unchanged()
      }, options)
      await settle()
      await (change === 'invalidate' ? client.tags.invalidate('users') : change === 'del' ? client.del(KEY) : client.clear())
      source.resolve()
      t.same(await call, ADA)
      await settle()
      t.same(await client.getEntry(KEY), ok(null), change)
    }
  })
}

t.test('getOrSet: unchanged() after a soft invalidation makes the value fresh', async (t) => {
  const options = { ttl: 10, staleIfError: 60, tags: ['users'] }
  const { client } = await stored('memory', options)
  await client.tags.invalidate('users', { soft: true })
  t.same(await client.getOrSet(KEY, ({ unchanged }) => unchanged(), options), ADA)
  t.match(await client.getEntry(KEY), { value: { fresh: true } })
})

t.test('getOrSet: a stored null is a stale value', async (t) => {
  const { client, clock } = makeClient()
  const options = { ttl: 10, staleIfError: 60 }
  await client.getOrSet<unknown>(KEY, () => null, options)
  clock.advance(11)
  t.equal(await client.getOrSet<unknown>(KEY, ({ stale, unchanged }) => stale === undefined ? 'none' : unchanged(), options), null)
})

t.test('getOrSet: unchanged() without a stale value is a coded error, in every arm', async (t) => {
  const { client, clock } = makeClient()
  const options = { ttl: 10, staleIfError: 60 }
  const load = ({ stale, unchanged }: LoadContext): User => {
    t.equal(stale, undefined)
    return unchanged()
  }
  const observing = new CacheClient(new CacheRegistry())
  for (const cache of [client, client.withArm('control'), observing]) {
    await t.rejects(cache.getOrSet(KEY, load, options), { code: 'CACHE_ERR_NOTHING_STALE' })
  }
  await client.getOrSet(KEY, () => ADA, { ttl: 10 })
  clock.advance(11)
  await t.rejects(client.getOrSet(KEY, load, options), { code: 'CACHE_ERR_NOTHING_STALE' }, 'past its end')
})

t.test('getOrSet: unchanged() with staleIfError: a loader that throws it for want of a value fails as any other', async (t) => {
  const { client } = makeClient()
  await t.rejects(client.getOrSet(KEY, async ({ unchanged }) => unchanged(), { staleIfError: 60 }), { code: 'CACHE_ERR_NOTHING_STALE' })
  t.equal(await client.getOrSet(KEY, () => 1, { staleIfError: 60 }), 1)
})

t.test('getOrSet: types: unchanged() leaves the type of the loader as it is', async (t) => {
  const { client, clock } = makeClient()
  const options = { ttl: 10, staleIfError: 60 }
  await client.getOrSet(KEY, () => ADA, options)
  clock.advance(11)
  const fetchUser = async (): Promise<User | undefined> => undefined
  const user: User = await client.getOrSet(KEY, async ({ unchanged }) => await fetchUser() ?? unchanged(), options)
  // @ts-expect-error -- the loader returns a user
  const wrong: string = await client.getOrSet(KEY, async ({ unchanged }) => await fetchUser() ?? unchanged(), options)
  t.same([user, wrong], [ADA, ADA])
})

for (const kind of Object.keys(implementations)) {
  for (const options of [{ ttl: 10, staleIfError: 60, tags: ['users'] }, { ttl: 10, staleWhileRevalidate: 60, tags: ['users'] }]) {
    t.test(`getOrSet: a value that is removed while it is read is no stale value of the load (${kind}, ${Object.keys(options)[1]})`, async (t) => {
      for (const remove of [(cache: CacheClient) => cache.del(KEY), (cache: CacheClient) => cache.tags.invalidate('users'), (cache: CacheClient) => cache.clear()]) {
        const { client, clock } = await stored(kind, options)
        clock.advance(12)
        const loading = client.getOrSet(KEY, ({ stale, unchanged }) => stale === undefined ? 'loaded' : unchanged(), options)
        t.match(await remove(client), { ok: true })
        await loading
        await settle()
        t.not((await client.getEntry<User>(KEY) as { value: { value: User } | null }).value?.value.name, 'Ada')
      }
    })
  }
}

for (const kind of Object.keys(implementations)) {
  for (const options of [{ ttl: 10, staleIfError: 60, tags: ['users'] }, { ttl: 10, staleWhileRevalidate: 60, tags: ['users'] }]) {
    t.test(`getOrSet: changes of other keys and tags during the read leave the load its stale value (${kind}, ${Object.keys(options)[1]})`, async (t) => {
      const changes: ((cache: CacheClient) => Promise<unknown>)[] = [
        (cache) => cache.set('order:1', 1), (cache) => cache.del('order:1'), (cache) => cache.tags.invalidate('orders'), (cache) => cache.namespace('app').clear()
      ]
      for (const change of changes) {
        const { client, clock } = await stored(kind, options)
        clock.advance(12)
        const seen: unknown[] = []
        const loading = client.getOrSet(KEY, ({ stale, unchanged }) => {
          seen.push(stale)
          return unchanged()
        }, options)
        t.match(await change(client), { ok: true })
        t.same(await loading, ADA)
        await settle()
        t.match(seen, [{ value: ADA, age: 12 }])
        t.match(await client.getEntry(KEY), { value: { value: ADA, fresh: true } })
      }
    })
  }
}

t.test('getOrSet: a waiter that begins a load in place of an aborted one has no stale value from before it waited', async (t) => {
  const options = { ttl: 10, staleIfError: 60 }
  const { client, clock } = await stored('memory', options)
  clock.advance(12)
  const source = deferred<never>()
  const first = client.getOrSet(KEY, () => source.promise, options)
  const waiter = client.getOrSet(KEY, ({ stale, unchanged }) => stale === undefined ? 'loaded' : unchanged(), options)
  await settle()
  t.match(await client.del(KEY), { ok: true })
  source.reject(new DOMException('the request has ended', 'AbortError'))
  await t.rejects(first, { name: 'AbortError' })
  t.equal(await waiter, 'loaded')
})

const removals: Record<string, (cache: Cache) => Promise<unknown>> = {
  del: (cache) => cache.del(KEY),
  'tags.invalidate': (cache) => cache.tags!.invalidate('users'),
  clear: (cache) => cache.clear!()
}

for (const [name, remove] of Object.entries(removals)) {
  for (const options of [{ ttl: 10, staleIfError: 60 }, { ttl: 10, staleWhileRevalidate: 60 }, { ttl: 10, staleIfError: 60, lock: true }]) {
    t.test(`getOrSet: ${name} in another process before the lease of a load leaves it no stale value (${Object.keys(options).join(', ')})`, async (t) => {
      const { client, clock, far, before } = twoProcesses()
      await client.getOrSet(KEY, () => ADA, { ...options, tags: ['users'] })
      await settle()
      clock.advance(12)
      before('take', () => remove(far))
      const seen: unknown[] = []
      await client.getOrSet(KEY, ({ stale }) => {
        seen.push(stale)
        return { name: 'Grace', etag: 'g1' }
      }, { ...options, tags: ['users'] })
      await settle()
      t.same(seen, [undefined])
      t.match(await far.get(KEY), { value: { name: 'Grace' } })
    })
  }
}

t.test('getOrSet: a value that another process stores before the lease of a load is its stale value', async (t) => {
  const { client, clock, far, before } = twoProcesses()
  const options = { ttl: 10, staleIfError: 60 }
  await client.getOrSet(KEY, () => ADA, options)
  await settle()
  clock.advance(12)
  before('take', () => far.set(KEY, { name: 'Grace', etag: 'g1' }, { ttl: 10 }))
  t.match(await client.getOrSet(KEY, ({ unchanged }) => unchanged(), options), { name: 'Grace' })
})

t.test('getOrSet: a load whose store is away after the read of a stale value has no stale value, and does not ask again', async (t) => {
  const { client, clock, cache, before } = twoProcesses()
  const options = { ttl: 10, staleIfError: 60 }
  await client.getOrSet(KEY, () => ADA, options)
  await settle()
  clock.advance(12)
  before('getEntry', () => { cache.isAway = true })
  cache.calls.length = 0
  t.equal(await client.getOrSet<unknown>(KEY, ({ stale }) => stale === undefined ? 'loaded' : 'stale', options), 'loaded')
  t.same(cache.calls.map((call) => call.split(' ')[0]), ['getEntry', 'take'])
})

/** A client, and the cache of another process on the same store; `before` runs a function once, in front of an operation of the client's cache. */
function twoProcesses () {
  let next: { operation: string; run: () => unknown } | undefined
  const carry: Carry = async (operation, carryOut) => {
    const due = next?.operation === operation ? next : undefined
    if (due !== undefined) {
      next = undefined
      await due.run()
    }
    return carryOut()
  }
  const { client, clock, impl: cache } = makeClient((clock) => new SharedCache(new SharedStore(clock), carry))
  const before = (operation: string, run: () => unknown): void => { next = { operation, run } }
  return { client, clock, cache, far: new SharedCache(cache.store), before }
}
