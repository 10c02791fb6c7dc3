import { CacheRegistry, MemoryCache, type Cache, type FastifyCache, type GetOrSetOptions, type Result } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { SharedCache, SharedStore } from '@x/test-kit/shared-store'
import { SlowCache } from '@x/test-kit/slow-cache'
import { Random, VirtualTime } from '@x/test-kit/virtual-time'

// SEED=n repeats one round of a failed test, FOR_SECONDS=n makes the test run longer.
const SECONDS = Number(process.env.FOR_SECONDS ?? 0.6)
const ACTORS = 6
const STEPS = 60
const KEYS = ['a:0', 'a:1', 'a:2', 'b:0', 'b:1', 'b:2']

interface Versioned { key: string; version: number }
interface Caches { make: (time: VirtualTime, random: Random, store: SharedStore) => Cache; processes?: number }
const down = new Error('the source is down')

/**
 * A source of data whose every change is followed by a removal from the cache, with readers. After a removal has resolved, a call that
 * starts must not get a value that was outdated when the removal was called.
 */
class World {
  readonly failures: string[] = []
  readonly time = new VirtualTime()
  readonly #random: Random
  /** The cache clients, one for each process. */
  readonly #clients: CacheClient[]
  /** The implementations that a single process swaps; empty if several processes share a store. */
  readonly #implementations: Cache[] = []
  readonly #versions = new Map(KEYS.map((key) => [key, 1]))
  /** The oldest version of each key that a call may get from now on. `#hardFloor` is for any value, `#softFloor` for a fresh value. */
  readonly #hardFloor = new Map<string, number>()
  readonly #softFloor = new Map<string, number>()
  readonly #log: string[] = []
  /** Keys for which a `set` is pending. */
  readonly #beingSet = new Set<string>()

  constructor (seed: number, { make, processes = 1 }: Caches) {
    this.#random = new Random(seed)
    const store = new SharedStore(this.time)
    this.#clients = Array.from({ length: processes }, () => {
      const registry = new CacheRegistry({ clock: this.time, readTimeoutMs: 60_000, writeTimeoutMs: 60_000 })
      const implementation = make(this.time, this.#random, store)
      registry.register(implementation)
      if (processes === 1) this.#implementations.push(implementation, make(this.time, this.#random, store))
      return new CacheClient(registry)
    })
  }

  /** The client of a randomly chosen process. */
  get #cache (): CacheClient { return this.#random.pick(this.#clients) }

  async run (): Promise<string[]> {
    // Early refreshes use the random numbers of the seed, too, so that a round can be repeated.
    Math.random = () => this.#random.next()
    await this.time.run(Array.from({ length: ACTORS }, (_, actor) => this.#act(actor)))
    return this.failures.length === 0 ? [] : [...this.failures, ...this.#log]
  }

  async #act (actor: number): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      const id = `${actor}.${step}`
      try {
        const draw = this.#random.next()
        if (draw < 0.45) await this.#load(id)
        else if (draw < 0.55) await this.#loadMany(id)
        else if (draw < 0.6) await this.#touch(id)
        else if (draw < 0.7) await this.#read(id)
        else await this.#change(id)
      } catch (error) {
        this.failures.push(`${id} threw ${error}`)
      }
      await this.time.sleep(this.#random.below(40))
    }
  }

  async #load (id: string): Promise<void> {
    const random = this.#random
    const key = random.pick(KEYS)
    const isStaleAllowed = random.chance(0.3)
    const floor = (isStaleAllowed ? this.#hardFloor : this.#softFloor).get(key) ?? 0
    const fails = random.chance(0.1)
    const options = { ...this.#optionsOf(key), ...isStaleAllowed ? { staleWhileRevalidate: 1, staleIfError: 2, retryAfterMs: 30 } : {} }
    this.#note(id, `load ${key} from ${floor}`)
    try {
      const value = await this.#cache.getOrSet<Versioned>(key, async (load) => {
        const version = this.#versions.get(key)!
        this.#note(id, `source of ${key}: ${version}`)
        await this.time.sleep(random.below(80))
        if (random.chance(0.05)) load.skip()
        if (fails) throw down
        return (load.stale?.value as Versioned | undefined)?.version === version ? load.unchanged() : { key, version }
      }, options)
      this.#check(id, key, floor, value)
    } catch (error) {
      if (error !== down) throw error
    }
  }

  async #loadMany (id: string): Promise<void> {
    const random = this.#random
    const group = random.pick(['a', 'b'])
    const keys = KEYS.filter((key) => key.startsWith(group) && random.chance(0.8))
    const isStaleAllowed = random.chance(0.3)
    const floors = keys.map((key) => (isStaleAllowed ? this.#hardFloor : this.#softFloor).get(key) ?? 0)
    const fails = random.chance(0.1)
    const options = {
      ttl: random.pick([0.05, 0.5, 5]),
      lock: random.chance(0.15),
      tags: [group, ...keys.map((key) => `one:${key}`)],
      ...isStaleAllowed ? { staleWhileRevalidate: 1, staleIfError: 2, retryAfterMs: 30 } : {}
    }
    this.#note(id, `load ${keys.join()} from ${floors.join()}`)
    try {
      const values = await this.#cache.getOrSetMany<Versioned>(keys, async (missing, { skip }) => {
        const loaded = new Map(missing.map((key) => [key, { key, version: this.#versions.get(key)! }]))
        this.#note(id, `source of ${missing.join()}: ${[...loaded.values()].map(({ version }) => version).join()}`)
        await this.time.sleep(random.below(80))
        if (random.chance(0.05)) skip(random.pick(missing))
        if (fails) throw down
        return loaded
      }, options)
      values.forEach((value, at) => this.#check(id, keys[at]!, floors[at]!, value!))
    } catch (error) {
      if (error !== down) throw error
    }
  }

  async #touch (id: string): Promise<void> {
    const key = this.#random.pick(KEYS)
    const result = await this.#cache.touch(key, this.#random.pick([0, 0.05, 5]))
    this.#note(id, `touch ${key}: ${result.ok && result.value}`)
  }

  /** Returns the options for a key. Half of the keys have a tag that depends on the value; the tag of the group covers it. */
  #optionsOf (key: string): GetOrSetOptions<Versioned> {
    const random = this.#random
    const [group] = key.split(':') as [string]
    const tags = key.endsWith('0')
      ? { tags: (value: Versioned) => [`late:${value.key}`], coveringTags: [group] }
      : { tags: [group, `one:${key}`] }
    return { ttl: random.pick([0.05, 0.5, 5]), lock: random.chance(0.15), ...random.chance(0.1) ? { earlyRefresh: 1 } : {}, ...tags }
  }

  async #read (id: string): Promise<void> {
    const random = this.#random
    const keys = random.chance(0.5) ? [random.pick(KEYS)] : KEYS
    const floors = keys.map((key) => this.#softFloor.get(key) ?? 0)
    const result: Result<(Versioned | null)[]> = keys.length > 1
      ? await this.#cache.getMany<Versioned>(keys)
      : await this.#cache.get<Versioned>(keys[0]!).then((read) => read.ok ? { ok: true, value: [read.value] } : read)
    if (!result.ok) return
    result.value.forEach((value, at) => { if (value !== null) this.#check(id, keys[at]!, floors[at]!, value) })
  }

  /** Changes the source, then removes or invalidates the entry in a randomly chosen way. */
  async #change (id: string): Promise<void> {
    const random = this.#random
    const cache: FastifyCache = random.chance(0.3) ? this.#cache.withArm('control') : this.#cache
    const key = random.pick(KEYS)
    const [group] = key.split(':') as [string]
    const ofGroup = KEYS.filter((each) => each.startsWith(group))
    switch (random.below(10)) {
      case 0: case 1:
        if (this.#overtakes([key])) return
        return this.#remove(id, `del ${key}`, [key], () => cache.del(key))
      case 2:
        if (this.#overtakes(ofGroup)) return
        return this.#remove(id, 'delMany', ofGroup, () => cache.delMany(ofGroup))
      case 3: case 4: return this.#remove(id, `invalidate ${group}`, ofGroup, () => cache.tags.invalidate(group))
      case 5: return this.#remove(id, `soft ${group}`, ofGroup, () => cache.tags.invalidate(group, { soft: true }), true)
      case 6:
        if (key.endsWith('0')) return
        return this.#remove(id, `invalidate one:${key}`, [key], () => cache.tags.invalidate([`one:${key}`]))
      case 7: return random.chance(0.3) ? this.#remove(id, 'clear', KEYS, () => cache.clear()) : this.#swap(id)
      default: return this.#store(id, random.chance(0.5) ? [key] : ofGroup, group)
    }
  }

  async #remove (id: string, name: string, keys: string[], remove: () => Promise<Result<void>>, isSoft = false): Promise<void> {
    for (const key of keys) this.#versions.set(key, this.#versions.get(key)! + 1)
    const then = new Map(this.#versions)
    this.#note(id, name)
    const result = await remove()
    this.#note(id, `${name}: ${result.ok}`)
    if (result.ok) for (const key of keys) this.#raise(key, then.get(key)!, isSoft)
  }

  /**
   * Whether a write of the keys could be overtaken by a pending `set` of another process. Such a race is not about loads, and the app must
   * order these writes itself.
   */
  #overtakes (keys: string[]): boolean {
    return this.#clients.length > 1 && keys.some((key) => this.#beingSet.has(key))
  }

  async #store (id: string, keys: string[], group: string): Promise<void> {
    if (this.#overtakes(keys)) return
    for (const key of keys) this.#beingSet.add(key)
    try {
      await this.#set(id, keys, group)
    } finally {
      for (const key of keys) this.#beingSet.delete(key)
    }
  }

  async #set (id: string, keys: string[], group: string): Promise<void> {
    for (const key of keys) this.#versions.set(key, this.#versions.get(key)! + 1)
    const cache = this.#cache
    const snapshot = await cache.tags.capture([group, ...keys.map((key) => `one:${key}`)])
    if (!snapshot.ok) return
    const items = keys.map((key) => {
      const options = { ttl: 5, tags: [group, `one:${key}`], snapshot: snapshot.value }
      return { key, value: { key, version: this.#versions.get(key)! }, options }
    })
    this.#note(id, `set ${keys.join()}: ${items.map(({ value }) => value.version).join()}`)
    const [{ key, value, options }] = items as [typeof items[0]]
    const result = items.length > 1 ? await cache.setMany(items) : await cache.set(key, value, options)
    this.#note(id, `set ${keys.join()}: ${result.ok}`)
    if (result.ok) for (const { key, value } of items) this.#raise(key, value.version, false)
  }

  async #swap (id: string): Promise<void> {
    if (this.#implementations.length === 0) return
    const { registry } = this.#cache
    // A swap may go to another implementation and back while calls are pending.
    for (let times = this.#random.pick([1, 1, 2]); times > 0; times--) {
      this.#note(id, 'swap')
      registry.register(this.#implementations.find((each) => each !== registry.current)!)
      await this.time.sleep(this.#random.below(40))
    }
  }

  #raise (key: string, version: number, isSoft: boolean): void {
    this.#softFloor.set(key, Math.max(this.#softFloor.get(key) ?? 0, version))
    if (!isSoft) this.#hardFloor.set(key, Math.max(this.#hardFloor.get(key) ?? 0, version))
  }

  #check (id: string, key: string, floor: number, { key: of, version }: Versioned): void {
    this.#note(id, `got ${of} ${version}`)
    if (of !== key || version < floor) this.failures.push(`${id} was given ${of} ${version} for ${key}, at least ${floor}`)
  }

  #note (id: string, what: string): void {
    this.#log.push(`${this.time.now()} ${id} ${what}`)
  }
}

const caches: Record<string, Caches> = {
  'a cache in this process': { make: (time) => new MemoryCache({ clock: time }) },
  'a slow foreign cache': { make: (time, random) => new SlowCache(time, random, 0) },
  'a slow foreign cache that fails at times': { make: (time, random) => new SlowCache(time, random, 0.05) },
  'three processes on one store': {
    processes: 3,
    make: (time, random, store) => new SharedCache(store, async (_operation, carryOut) => {
      await time.sleep(random.below(20))
      const answer = carryOut()
      await time.sleep(random.below(20))
      return answer
    })
  }
}

const { random } = Math
for (const [name, each] of Object.entries(caches)) {
  t.test(`no call is given what a removal that resolved before it had removed (${name})`, async (t) => {
    t.teardown(() => { Math.random = random })
    const { SEED } = process.env
    const end = Date.now() + SECONDS * 1000
    let rounds = 0
    const first = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED)
    for (let seed = first; rounds === 0 || (SEED === undefined && Date.now() < end); seed++) {
      rounds++
      const failures = await new World(seed, each).run()
      if (failures.length === 0) continue
      t.fail(`SEED=${seed}`, { failures: failures.join('\n') })
      return
    }
    t.pass(`${rounds} rounds from SEED=${first} on`)
  })
}
