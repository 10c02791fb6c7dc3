import { CacheRegistry, MemoryCache, type Cache, type Result } from '@x/cache-core'
import { DONE, MISS, ok } from '@x/cache-core/implementing'
import { CacheClient, CONTROL_LABEL } from '@x/cache-core/suite'
import t from 'tap'
import { settle } from '@x/test-kit/deferred'
import { FakeClock } from '@x/test-kit/fake-clock'

/** A cache whose reads take 3 s, whose stores take 2 s to serialise and 4 s to send, and whose removals take 1 s. */
class TimedCache implements Cache {
  readonly name = 'timed'
  readonly #values = new Map<string, unknown>()
  readonly #clock: FakeClock

  constructor (clock: FakeClock) {
    this.#clock = clock
  }

  get<T> (key: string): Promise<Result<T | null>> {
    return this.#after(3, () => this.#values.has(key) ? ok(this.#values.get(key) as T) : MISS)
  }

  async getMany<T> (keys: string[]): Promise<Result<(T | null)[]>> {
    return this.#after(3, () => ok(keys.map((key) => (this.#values.get(key) ?? null) as T | null)))
  }

  set (key: string, value: unknown): Promise<Result<void>> {
    this.#clock.advance(2)
    return this.#after(4, () => {
      this.#values.set(key, value)
      return DONE
    })
  }

  async setMany (items: { key: string; value: unknown }[]): Promise<Result<void>> {
    this.#clock.advance(2)
    return this.#after(4, () => {
      for (const { key, value } of items) this.#values.set(key, value)
      return DONE
    })
  }

  del (key: string): Promise<Result<void>> {
    return this.#after(1, () => {
      this.#values.delete(key)
      return DONE
    })
  }

  touch (): Promise<Result<boolean>> {
    return this.#after(5, () => ok(true))
  }

  async #after<T> (seconds: number, act: () => T): Promise<T> {
    await settle()
    this.#clock.advance(seconds)
    return act()
  }
}

function build (measuresDurations = true) {
  const clock = new FakeClock()
  const registry = new CacheRegistry({ clock })
  registry.stats.measuresDurations = measuresDurations
  registry.register(new TimedCache(clock), 'TimedCache')
  return { clock, registry, client: new CacheClient(registry), countersOf: (key: string) => registry.active.stats.of(key) }
}

t.test('costs: reads, stores and removals cost the seconds that they took, by the pattern of their key', async (t) => {
  const { client, countersOf } = build()
  await client.set('user:1', 'a')
  await client.get('user:1')
  await client.get('user:2')
  await client.del('user:1')
  t.match(countersOf('user:1').costs, { read: 6, store: 6, remove: 1, refresh: 0, serialize: 2, total: 13 })
  t.match(countersOf('other:1').costs, { read: 0, store: 0, remove: 0, total: 0 })
})

t.test('costs: an operation on several keys costs each of their patterns its part', async (t) => {
  const { client, countersOf } = build()
  await client.setMany([{ key: 'user:1', value: 1 }, { key: 'user:2', value: 1 }, { key: 'post:1', value: 1 }])
  await client.getMany(['user:1', 'user:2', 'post:1'])
  t.match(countersOf('user:1').costs, { read: 2, store: 4 })
  t.match(countersOf('post:1').costs, { read: 1, store: 2 })
  t.equal(countersOf('user:1').costs.serialize.toFixed(6), (4 / 3).toFixed(6))
})

t.test('costs: are those of getOrSet, too, and not of the control arm', async (t) => {
  const { client, countersOf, registry } = build()
  await client.getOrSet('user:1', () => 1)
  await settle()
  await settle()
  t.match(countersOf('user:1').costs, { read: 3, store: 6, serialize: 2 })
  await client.withArm('control').getOrSet('user:1', () => 1)
  t.match(registry.stats.for(CONTROL_LABEL).of('user:1').costs, { total: 0 })
})

t.test('costs: a touch costs its seconds as a store, of which it is a part', async (t) => {
  const { client, countersOf } = build()
  await client.touch('user:1', 9)
  t.match(countersOf('user:1').costs, { read: 0, store: 5, serialize: 0, total: 5 })
})

t.test('costs: nothing is measured unless durations are', async (t) => {
  const { client, countersOf } = build(false)
  await client.set('user:1', 'a')
  await client.get('user:1')
  t.equal(countersOf('user:1').costs.total, 0)
})

for (const key of ['', undefined, 1, ['user:1'], {}]) {
  t.test(`costs: a read of the key ${JSON.stringify(key)} costs no pattern anything, and answers its error`, async (t) => {
    const registry = new CacheRegistry()
    registry.stats.measuresDurations = true
    registry.register(new MemoryCache())
    t.match(await new CacheClient(registry).get(key as string), { ok: false, error: { code: 'CACHE_ERR_KEY_INVALID' } })
    for (let turn = 0; turn < 100; turn++) await new CacheClient(registry).get(key as string)
    t.equal(registry.active.stats.counters.size, 0)
  })
}

t.test('costs: reads in this process cost their seconds by a sample, whose gaps no periodic traffic can follow', async (t) => {
  let readings = 0
  const registry = new CacheRegistry({ clock: { now: () => 0, stopwatch: () => 1000 * readings++ } })
  registry.stats.measuresDurations = true
  registry.register(new MemoryCache())
  const client = new CacheClient(registry)
  for (let at = 0; at < 80_000; at++) await client.get(at % 8 === 0 ? 'rare:1' : 'user:1')
  const { rare, user } = { rare: registry.active.stats.of('rare:1').costs.read, user: registry.active.stats.of('user:1').costs.read }
  t.ok(Math.abs(rare - 10_000) < 1500, `${rare} of 10 000 reads of a second`)
  t.ok(Math.abs(user - 70_000) < 5000, `${user} of 70 000 reads of a second`)
})

t.test('savedSeconds: each hit saves the recent duration of a load', async (t) => {
  const { registry } = build()
  const counters = registry.active.stats.of('user:1')
  counters.hits = 4
  t.equal(counters.savedSeconds, 0, 'no load is known')
  counters.loads.record(10, false)
  t.equal(counters.savedSeconds, 40, 'hits before the first load are valued by it')
  counters.hits += 2
  counters.valueHits()
  counters.loads.record(26, false)
  t.equal(counters.savedSeconds, 60, 'hits before a load are not valued by it')
  counters.hits++
  t.equal(counters.savedSeconds, 78, 'the first loads have equal weights')
})

t.test('savedSeconds: never falls', async (t) => {
  const { registry } = build()
  const counters = registry.active.stats.of('user:1')
  let before = 0
  for (let turn = 0; turn < 100; turn++) {
    counters.valueHits()
    counters.loads.record(turn % 7, false)
    counters.hits += turn % 3
    t.ok(counters.savedSeconds >= before)
    before = counters.savedSeconds
  }
})

t.test('refresh: a load in the background is a cost, a load that a caller waits for is none', async (t) => {
  const { registry, client, clock, countersOf } = build()
  registry.register(new MemoryCache({ clock }))
  const load = async (seconds: number): Promise<void> => {
    await client.getOrSet('user:1', async () => {
      clock.advance(seconds)
      return 1
    }, { ttl: 60, staleWhileRevalidate: 60 })
    await settle()
  }
  await load(5)
  t.equal(countersOf('user:1').costs.refresh, 0)
  clock.advance(70)
  await load(7)
  t.match(countersOf('user:1'), { hits: 1, costs: { refresh: 7 } })
})

t.test('stored: has the seconds until the entry ends, 0 where nothing was stored', async (t) => {
  const { registry, client } = build()
  const lifetimes: [string, number][] = []
  registry.events.on('stored', (key, _pattern, _value, _tags, lifetime) => lifetimes.push([key, lifetime]))
  await client.set('user:1', 1, { ttl: 10, staleIfError: 20 })
  await client.getOrSet('user:2', () => 1, { ttl: 10, staleWhileRevalidate: 5 })
  await settle()
  await settle()
  await client.setMany([{ key: 'user:3', value: 1, options: { ttl: 7 } }])
  await client.withArm('control').set('user:4', 1, 10)
  await client.withArm('control').getOrSet('user:5', () => 1, { ttl: 10 })
  t.same(lifetimes, [['user:1', 30], ['user:2', 15], ['user:3', 7], ['user:4', 0], ['user:5', 0]])
})
