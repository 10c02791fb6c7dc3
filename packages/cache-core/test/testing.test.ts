import { testCache, type CacheTestOptions } from '@x/cache-core/testing'
import { CacheRegistry, MemoryCache, NullCache, type Cache, type Result, type SetOptions } from '@x/cache-core'
import { ok } from '@x/cache-core/implementing'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { settle } from '@x/test-kit/deferred'
import { FakeTime } from '@x/test-kit/fake-time'
import { SharedCache, SharedStore } from '@x/test-kit/shared-store'

// One test contains all others, since it replaces the timers of the process while it lasts.
t.test('testCache', async (t) => {
  const time = new FakeTime(t)
  const advance = (ms: number): void => time.advance(ms)
  const test = (name: string, run: () => Promise<void>): Promise<unknown> => t.test(name, run)

  function memory (isolation?: 'clone' | 'freeze'): MemoryCache {
    return new MemoryCache({ clock: time.clock, ...isolation === undefined ? {} : { isolation } })
  }

  function client (cache: Cache): CacheClient {
    const registry = new CacheRegistry({ clock: time.clock })
    registry.register(cache)
    return new CacheClient(registry)
  }

  await testCache({ test, make: () => new NullCache() })
  await testCache({ test, name: 'memory, clone', make: () => memory('clone'), advance, checksInput: true })
  await testCache({ test, name: 'memory, freeze', make: () => memory('freeze'), advance, checksInput: true })
  await testCache({ test, name: 'client', make: () => client(memory()), advance, checksInput: true })
  await testCache({
    // The claims about the longest keys and tags are left out, since the prefix uses a part of the maximum length.
    test: (name, run) => / takes any (key|tag) of /.test(name) ? undefined : test(name, run),
    name: 'namespace',
    make: () => client(memory()).namespace('space'),
    advance,
    checksInput: true
  })

  const shared = new WeakMap<Cache, SharedStore>()
  const ofStore = (store: SharedStore): SharedCache => {
    const cache = new SharedCache(store)
    shared.set(cache, store)
    return cache
  }
  await testCache({
    // The claim about invalid arguments is left out, since this cache checks no arguments, as a cache behind `fastify.cache` need not.
    test: (name, run) => / answers a Result, whatever /.test(name) ? undefined : test(name, run),
    name: 'two processes',
    make: () => ofStore(new SharedStore(time.clock)),
    peerOf: (cache) => ofStore(shared.get(cache)!),
    advance
  })

  /** Returns the claims that fail for a cache, and the names of all claims. */
  async function judge (options: Omit<CacheTestOptions, 'test'>): Promise<{ failed: string[]; names: string[] }> {
    const failed: string[] = []
    const names: string[] = []
    const test = async (name: string, run: () => Promise<void>): Promise<void> => {
      names.push(name)
      await run().catch(() => failed.push(name))
    }
    await testCache({ test, ...options })
    return { failed, names }
  }

  /** A MemoryCache with one fault. */
  class Faulty extends MemoryCache {
    constructor () {
      super({ clock: time.clock })
    }
  }

  const faults: Record<string, { cache: () => Cache; claim: RegExp }> = {
    'takes falsy values for misses': {
      cache: () => new class extends Faulty {
        override async get<T> (key: string): Promise<Result<T | null>> {
          const result = await super.get<T>(key)
          return result.ok ? ok(result.value || null) : result
        }
      }(),
      claim: /get: 0, '' and false are values$/
    },
    'takes a stored null for a miss': {
      cache: () => new class extends Faulty {
        override async getEntry<T> (key: string) {
          const result = await super.getEntry<T>(key)
          return result.ok && result.value?.value === null ? ok(null) : result
        }
      }(),
      claim: /getEntry: tells a stored null from a miss$/
    },
    'gives all readers one object': {
      cache: () => {
        const values = new Map<string, unknown>()
        return {
          get: async <T>(key: string) => ok((values.get(key) ?? null) as T | null),
          set: async (key: string, value: unknown) => { values.set(key, value); return ok() },
          del: async (key: string) => { values.delete(key); return ok() }
        }
      },
      claim: /set: stores the value as it is when the call is made$/
    },
    'rounds its ttl to whole seconds': {
      cache: () => new class extends Faulty {
        override set (key: string, value: unknown, ttl?: number | SetOptions) {
          return super.set(key, value, typeof ttl === 'number' ? Math.ceil(ttl) : ttl)
        }
      }(),
      claim: /set: fractions of the ttl count$/
    },
    'adds its stale windows up': {
      cache: () => new class extends Faulty {
        override set (key: string, value: unknown, ttl?: number | SetOptions) {
          if (typeof ttl !== 'object' || ttl === null) return super.set(key, value, ttl)
          return super.set(key, value, { ...ttl, staleIfError: (ttl.staleIfError ?? 0) + (ttl.staleWhileRevalidate ?? 0) })
        }
      }(),
      claim: /getEntry: both windows count from the same instant/
    },
    'captures tags as it stores': {
      cache: () => new class extends Faulty {
        override set (key: string, value: unknown, ttl?: number | SetOptions) {
          if (typeof ttl !== 'object' || ttl === null) return super.set(key, value, ttl)
          const { snapshot, ...rest } = ttl
          return super.set(key, value, rest)
        }
      }(),
      claim: /set: a value that was loaded before its tag was invalidated is not served$/
    },
    'has a clear that forgets to outdate loads': {
      cache: () => new class extends Faulty {
        readonly keys = new Set<string>()
        override set (key: string, value: unknown, ttl?: number | SetOptions) {
          this.keys.add(key)
          return super.set(key, value, ttl)
        }

        override async clear () { return await this.delMany([...this.keys]) }
      }(),
      claim: /clear: what was loaded before is not served/
    },
    'gives a lock to everybody': {
      cache: () => new class extends Faulty {
        #locks = 0
        override lock (key: string, options: { ttl: number }) { return super.lock(`${key} ${++this.#locks}`, options) }
      }(),
      claim: /lock: one holder of a key at a time/
    },
    'rejects what it cannot serialise': {
      cache: () => new class extends Faulty {
        override async set (key: string, value: unknown, ttl?: number | SetOptions) {
          JSON.stringify(value)
          return await super.set(key, value, ttl)
        }
      }(),
      claim: /set: answers a Result, whatever the value$/
    },
    'answers with no Result': {
      cache: () => Object.assign(new Faulty(), { del: async () => true as never }),
      claim: /del: removes the value/
    }
  }

  for (const [fault, { cache, claim }] of Object.entries(faults)) {
    t.test(`testCache: finds a cache out that ${fault}`, async (t) => {
      const { failed } = await judge({ make: cache, advance })
      t.ok(failed.some((name) => claim.test(name)), failed.join('\n'))
    })
  }

  t.test('testCache: finds a cache out whose processes lose a removal on a load', async (t) => {
    class Careless extends SharedCache {
      override set (key: string, value: unknown, ttl?: number | SetOptions) {
        if (typeof ttl !== 'object') return super.set(key, value, ttl)
        const { snapshot, ...rest } = ttl
        return super.set(key, value, rest)
      }
    }
    const stores = new WeakMap<Cache, SharedStore>()
    const make = (store = new SharedStore(time.clock)): Cache => {
      const cache = new Careless(store)
      stores.set(cache, store)
      return cache
    }
    const { failed } = await judge({ make: () => make(), peerOf: (cache) => make(stores.get(cache)), advance })
    t.ok(failed.some((name) => /leases: a value that was loaded before its key was removed is not stored$/.test(name)), failed.join('\n'))
  })

  t.test('testCache: claims nothing about members that are not there', async (t) => {
    const { get, set, del } = bind(memory())
    const { names, failed } = await judge({ name: 'three', make: () => ({ get, set, del }), advance })
    t.same(names.filter((name) => /: (getEntry|getMany|setMany|delMany|tags|leases|lock|clear|health)/.test(name)), [])
    t.ok(names.every((name) => name.startsWith('three: ')))
    t.ok(names.length > 20)
    t.same(failed.filter((name) => !/bad|answers a Result/.test(name)), [])
  })

  t.test('testCache: claims of a pass-through cache that it stores nothing', async (t) => {
    const make = (): Cache => Object.assign(new NullCache(), { get: async () => ok('stored' as never) })
    const { failed } = await judge({ make, advance })
    t.ok(failed.includes('null: get: is a miss, whatever was set'))
  })

  t.test('testCache: really waits where it is not told how to advance, for multiples of the unit', async (t) => {
    const judged = judge({ make: () => memory(), unit: 0.05 })
    const state = { isOver: false }
    void judged.finally(() => { state.isOver = true })
    while (!state.isOver) {
      await settle()
      time.advance(5)
    }
    t.same((await judged).failed, [])
  })

  t.test('testCache: closes each cache that it made', async (t) => {
    const open = new Set<Cache>()
    const make = (): Cache => {
      const cache = Object.assign(new NullCache(), { close: async () => { open.delete(cache) } })
      open.add(cache)
      return cache
    }
    const { failed } = await judge({ make })
    t.same(failed, [])
    t.equal(open.size, 0)
  })

  function bind (cache: MemoryCache): Cache {
    return { get: (key) => cache.get(key), set: (key, value, ttl) => cache.set(key, value, ttl), del: (key) => cache.del(key) }
  }
})
