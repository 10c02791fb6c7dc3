import { CacheRegistry, MemoryCache, type Cache } from '@x/cache-core'
import { CacheClient, type ShadowOutcome } from '@x/cache-core/suite'
import t, { type Test } from 'tap'
import { settle } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import { SharedCache, SharedStore } from '@x/test-kit/shared-store'
import { Random } from '@x/test-kit/virtual-time'

/** The number of loads; SHADOW_READS=1000000 runs the long form of the test. */
const READS = Number(process.env.SHADOW_READS ?? 20_000)
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))
const KEYS = Array.from({ length: 24 }, (_, at) => `${at % 2 === 0 ? 'item' : 'user'}:${at}`)
/** The maximum milliseconds between a change of the source and its invalidation; less than the five seconds that explain a mismatch. */
const MAX_DELAY_MS = 4000
const STEP_MS = 25

/** A correct app in several processes: any process changes the source, and an invalidation follows each change. */
class CorrectApp {
  readonly registries: CacheRegistry[]
  loads = 0
  changes = 0
  readonly #clients: CacheClient[]
  readonly #source = new Map<string, number>()
  readonly #changing = new Set<string>()
  readonly #random: Random
  readonly #ttl: number

  constructor (time: FakeTime, caches: Cache[], random: Random, ttl: number) {
    this.registries = caches.map((cache) => {
      const registry = new CacheRegistry({ clock: time.clock, rollout: { percent: 0, shadow: { percent: 100 } } })
      registry.register(cache)
      return registry
    })
    this.#clients = this.registries.map((registry) => new CacheClient(registry))
    this.#random = random
    this.#ttl = ttl
  }

  act (): void {
    const random = this.#random
    const client = random.pick(this.#clients)
    const key = random.pick(KEYS)
    if (!random.chance(0.008)) {
      this.loads++
      void client.getOrSet(key, async () => {
        await sleep(random.chance(0.5) ? 0 : random.below(350))
        const value = { version: this.#source.get(key) ?? 0, at: new Date(0) }
        await sleep(random.chance(0.5) ? 0 : random.below(350))
        return value
      }, { ttl: this.#ttl, tags: [tagOf(key)] })
    } else if (!this.#changing.has(key)) {
      this.changes++
      void this.#change(client, key)
    }
  }

  outcomes (): Partial<Record<ShadowOutcome, number>> {
    const sums: Partial<Record<ShadowOutcome, number>> = {}
    for (const { shadow } of this.registries) {
      for (const { outcomes } of shadow.stats.patterns.values()) {
        for (const [outcome, count] of Object.entries(outcomes) as [ShadowOutcome, number][]) sums[outcome] = (sums[outcome] ?? 0) + count
      }
    }
    return sums
  }

  stop (): void {
    for (const client of this.#clients) client.stop()
  }

  /** Changes a row, and invalidates it within the delay. Only one process at a time changes a row. */
  async #change (client: CacheClient, key: string): Promise<void> {
    const random = this.#random
    this.#changing.add(key)
    this.#source.set(key, (this.#source.get(key) ?? 0) + 1)
    // Half of the invalidations follow at once, so that many fall between the begin of a load and the store of its value.
    await sleep(random.below(random.chance(0.5) ? 20 : MAX_DELAY_MS))
    const draw = random.next()
    if (draw < 0.4) await client.tags.invalidate(tagOf(key))
    else if (draw < 0.7) await client.del(key)
    else if (draw < 0.98) await client.set(key, { version: this.#source.get(key), at: new Date(0) }, this.#ttl)
    else await client.clear()
    this.#changing.delete(key)
  }
}

function tagOf (key: string): string {
  return `row-${key}`
}

function sleep (ms: number): Promise<void> {
  return new Promise((resolve) => { setTimeout(resolve, ms) })
}

async function run (t: Test, time: FakeTime, app: CorrectApp): Promise<void> {
  t.teardown(() => app.stop())
  while (app.loads < READS) {
    for (let call = 0; call < 4; call++) app.act()
    time.advance(STEP_MS)
    await settle()
    await settle()
  }
  for (let step = 0; step < 1600; step++) {
    time.advance(50)
    await settle()
    await settle()
  }
  const { mismatch, match = 0, explained = 0, ...others } = app.outcomes()
  t.comment(`${app.loads} loads, ${app.changes} changes: ${JSON.stringify({ mismatch, match, explained, ...others })}`)
  t.equal(mismatch, 0)
  t.equal(others.differs, 0)
  t.equal(others.failed, 0)
  t.ok(match > READS / 10, 'there was something to compare')
  t.ok(explained > 0, 'and the invalidations came late enough to matter')
}

for (const ttl of [10, 300]) {
  t.test(`shadow: a correct cache that processes share has no mismatch, with a ttl of ${ttl} s`, async (t) => {
    t.comment(`SEED=${SEED} SHADOW_READS=${READS}`)
    const time = new FakeTime(t)
    const random = new Random(SEED)
    const store = new SharedStore(time.clock)
    const carry = async <T>(_operation: string, carryOut: () => T): Promise<T> => {
      if (random.chance(0.5)) await sleep(random.below(150))
      const result = carryOut()
      if (random.chance(0.5)) await sleep(random.below(150))
      return result
    }
    const caches = Array.from({ length: 3 }, () => new SharedCache(store, carry))
    await run(t, time, new CorrectApp(time, caches, random, ttl))
  })

  t.test(`shadow: a correct MemoryCache has no mismatch, with a ttl of ${ttl} s`, async (t) => {
    t.comment(`SEED=${SEED} SHADOW_READS=${READS}`)
    const time = new FakeTime(t)
    await run(t, time, new CorrectApp(time, [new MemoryCache({ clock: time.clock })], new Random(SEED), ttl))
  })
}
