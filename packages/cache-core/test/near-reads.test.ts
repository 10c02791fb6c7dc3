import { CacheRegistry, MemoryCache, NullCache, type Entry, type ReadHint, type Result } from '@x/cache-core'
import { declineNear, ok, readNear, shareNear, shareNow, STORED_NULL, useNow, type NearReads, type SharedEntry } from '@x/cache-core/implementing'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { deferred, settle, stateOf } from '@x/test-kit/deferred'
import { FakeClock } from '@x/test-kit/fake-clock'
import { countsOf } from '@x/test-kit/make-client'
import { SharedCache, SharedStore } from '@x/test-kit/shared-store'

/** The cache of one process with copies that a test writes, so that they may differ from the shared store. */
class NearCache extends SharedCache implements NearReads {
  readonly copies = new Map<string, unknown>()
  /** The hints of the reads that reached the store. */
  readonly hints: (ReadHint | undefined)[] = []
  /** The number of reads by `shareNear` whose entry was used. */
  shared = 0

  override getEntry<T> (key: string, hint?: ReadHint): Promise<Result<Entry<T> | null>> {
    if (hint?.near !== false && this.copies.has(key)) {
      return Promise.resolve(ok({ value: this.copies.get(key) as T, fresh: true, age: 1, ttlLeft: 9, staleLeft: 9, tags: [] }))
    }
    this.hints.push(hint)
    return super.getEntry<T>(key)
  }

  [readNear]<T> (key: string): Result<T | null> | undefined {
    if (!this.copies.has(key)) return undefined
    const value = this.copies.get(key)
    return value === null ? STORED_NULL : ok(value as T)
  }

  [shareNear] (key: string): Result<SharedEntry | null> | undefined {
    if (this.copies.has(key)) this.shared++
    return this.copies.has(key) ? ok({ value: this.copies.get(key), fresh: true, age: 1 }) : undefined
  }

  [declineNear] (): void {
    this.shared--
  }
}

function setUp (options: ConstructorParameters<typeof CacheRegistry>[0] = {}) {
  const clock = new FakeClock()
  const store = new SharedStore(clock)
  const cache = new NearCache(store)
  const registry = new CacheRegistry({ clock, ...options })
  registry.register(cache)
  return { store, cache, registry, client: new CacheClient(registry), other: new SharedCache(store) }
}

const fails = (): never => { throw new Error('the loader must not run') }

t.test('get, getOrSet: a copy in this process is returned without a call of the store, and counted as a hit', async (t) => {
  const { cache, client, registry } = setUp()
  for (const value of ['text', 0, '', false, { a: 1 }, null]) {
    cache.copies.set('key', value)
    t.same(await client.get('key'), { ok: true, value })
    t.same(await client.getOrSet('key', fails), value)
  }
  t.same(cache.calls, [])
  t.match(countsOf(registry, 'shared'), { hits: 12, misses: 0 })
})

t.test('get, getOrSet: without a copy the store is asked, and counted once', async (t) => {
  const { client, registry, cache } = setUp()
  t.match(await client.get('key'), { ok: true, value: null })
  t.equal(await client.getOrSet('key', () => 'loaded'), 'loaded')
  await settle()
  t.match(await client.get('key'), { ok: true, value: 'loaded' })
  t.match(countsOf(registry, 'shared'), { hits: 1, misses: 2, sets: 1 })
  t.equal(cache.calls.filter((call) => call.startsWith('get')).length, 3)
})

t.test('shareNow: gives the copy, and is undefined without one', async (t) => {
  const { cache, client } = setUp()
  t.equal(client[shareNow]('key'), undefined)
  cache.copies.set('key', 'text')
  t.match(client[shareNow]('key'), { ok: true, value: { value: 'text', fresh: true } })
})

t.test('useNow: a read is counted and measured once if its entry is used, and not at all otherwise', async (t) => {
  const { cache, client, registry } = setUp()
  registry.stats.measuresDurations = true
  const operated: string[] = []
  registry.events.on('operated', (_impl, operation) => operated.push(operation))
  const seen: unknown[] = []
  const using = (isUsed: boolean): { use: (entry: SharedEntry) => boolean } => ({ use: ({ value }) => { seen.push(value); return isUsed } })
  t.equal(client[useNow]('key', using(true)), false, 'no copy')
  cache.copies.set('key', 'text')
  t.equal(client[useNow]('key', using(false)), false)
  t.match(countsOf(registry, 'shared'), { hits: 0, misses: 0 })
  t.same(operated, [])
  t.equal(client[useNow]('key', using(true)), true)
  t.match(countsOf(registry, 'shared'), { hits: 1, misses: 0 })
  t.same(operated, ['getEntry'])
  t.same(seen, ['text', 'text'])
  t.equal(cache.shared, 1, 'the cache itself counts the entry that was used')
  registry.register(new MemoryCache())
  await registry.active.set('key', Buffer.from('bytes'), {})
  t.equal(client[useNow]('key', using(true)), true, 'an implementation in this process')
  registry.rollout.percent = 0
  t.equal(client.withArm('control')[useNow]('key', using(true)), false, 'the control arm')
})

t.test('useNow: an entry whose user throws is not counted by the near cache', (t) => {
  const { cache, client } = setUp()
  cache.copies.set('key', 'text')
  t.throws(() => client[useNow]('key', { use: () => { throw new Error('of the user') } }), { message: 'of the user' })
  t.equal(cache.shared, 0)
  t.end()
})

t.test('useNow: an entry that is not used, or does not pass the schema of its key pattern, is not counted by the near cache', (t) => {
  const { cache, client } = setUp({ patterns: { user: { schema: (value: unknown) => value === 'right' } } } as object)
  const use = { use: () => false }
  for (const value of ['right', 'wrong']) {
    cache.copies.set('user:1', value)
    t.equal(client[useNow]('user:1', use), false)
  }
  t.equal(cache.shared, 0)
  t.end()
})

t.test('get: the duration of a read from a copy is recorded once, and that of a look for a missing copy is not', async (t) => {
  const { cache, client, registry } = setUp()
  registry.stats.measuresDurations = true
  const operated: string[] = []
  registry.events.on('operated', (_impl, operation) => operated.push(operation))
  await client.get('key')
  t.same(operated, ['get'])
  cache.copies.set('key', 1)
  await client.get('key')
  client[shareNow]('key')
  await client.getOrSet('key', fails)
  t.same(operated, ['get', 'get', 'getEntry', 'get'])
})

t.test('get: a cache that came back into service serves no copy before it was cleared', async (t) => {
  const { cache, client, registry } = setUp()
  cache.copies.set('key', 'old')
  registry.register(new NullCache())
  const gate = deferred()
  cache.clear = async () => { await gate.promise; cache.copies.clear(); return ok() }
  registry.register(cache)
  const isWithheld = registry.active.near === undefined
  t.ok(isWithheld, 'copies are withheld')
  t.match(await client.get('key'), { value: null })
  t.equal(client[shareNow]('key'), undefined)
  gate.resolve()
  await settle()
  t.ok(registry.active.near)
  t.match(await client.get('key'), { value: null })
})

t.test('getOrSet: after the wait for a lock the entry is read from the store: a copy may be older than the lock', async (t) => {
  const { cache, client } = setUp()
  Object.assign(cache, { lock: async () => ok({ token: 1, release: async () => ok(), extend: async () => ok() }) })
  // The copy appears after the first look-up, as if the message that removes it were still on its way.
  cache[readNear] = () => undefined
  const getEntry = cache.getEntry.bind(cache)
  cache.getEntry = async (key, hint) => {
    const found = await getEntry<never>(key, hint)
    cache.copies.set('key', 'old copy')
    return found
  }
  t.equal(await client.getOrSet('key', () => 'loaded', { lock: true }), 'loaded')
  t.same(cache.hints.map((hint) => hint?.near), [true, false])
})

t.test('getOrSet: a call that the store refuses to let join a load is not answered with a copy', async (t) => {
  const { cache, client, other } = setUp()
  const source = deferred<string>()
  const running = deferred()
  const early = client.getOrSet('key', () => { running.resolve(); return source.promise })
  await running.promise
  await other.del('key')
  cache.copies.set('key', 'old copy')
  const late = client.getOrSet('key', () => 'new')
  t.equal(await late, 'new')
  source.resolve('old')
  t.equal(await early, 'old')
})

t.test('getOrSet: a load that failed is answered with a stale entry of the store, not with a copy', async (t) => {
  const { cache, client } = setUp()
  const source = deferred<string>()
  const pending = client.getOrSet('key', () => source.promise, { staleIfError: 60 })
  await settle()
  cache.copies.set('key', 'old copy')
  source.reject(new Error('away'))
  t.equal(await stateOf(pending), 'rejected')
  t.equal(cache.hints.at(-1)?.near, false)
})
