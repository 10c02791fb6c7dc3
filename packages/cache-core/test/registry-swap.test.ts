import { CacheRegistry, MemoryCache, NullCache, type Cache } from '@x/cache-core'
import { CacheClient } from '@x/cache-core/suite'
import t from 'tap'
import { settle } from '@x/test-kit/deferred'
import { ForeignCache } from '@x/test-kit/foreign-caches'

/** A foreign cache whose every call takes some turns of the event loop. */
class UnevenCache extends ForeignCache {
  #at = 0
  override readonly memory = new MemoryCache()

  constructor () {
    super()
    for (const member of ['get', 'getEntry', 'set', 'del', 'getMany', 'clear'] as const) {
      const call = (this[member] as (...args: unknown[]) => Promise<any>).bind(this)
      Object.assign(this, {
        [member]: async (...args: unknown[]) => {
          for (let turns = this.#at++ % 4; turns > 0; turns--) await settle()
          return call(...args)
        }
      })
    }
  }
}

t.test('register: under load no call fails and no count is lost', async (t) => {
  const registry = new CacheRegistry()
  const cache = new CacheClient(registry)
  const failed: unknown[] = []
  registry.events.on('failed', (...failure) => failed.push(failure))
  const memory = new MemoryCache()
  const foreign = new UnevenCache()
  let isOver = false
  let reads = 0
  let sets = 0
  let dels = 0
  let loads = 0

  async function work (worker: number): Promise<void> {
    for (let round = 0; !isOver; round++) {
      const key = `user:${(worker * 7 + round) % 20}`
      switch ((worker + round) % 5) {
        case 0: {
          reads++
          const result = await cache.get(key)
          if (!result.ok) failed.push(result.error)
          break
        }
        case 1: {
          sets++
          const result = await cache.set(key, { round })
          if (!result.ok) failed.push(result.error)
          break
        }
        case 2: {
          dels++
          const result = await cache.del(key)
          if (!result.ok) failed.push(result.error)
          break
        }
        case 3: {
          reads += 2
          const result = await cache.getMany([key, 'order:1'])
          if (!result.ok) failed.push(result.error)
          break
        }
        default:
          reads++
          await cache.getOrSet(key, async () => { loads++; await settle(); return { round } }, { staleWhileRevalidate: 1 })
      }
      if (round % 3 === 0) await settle()
    }
  }

  const workers = Array.from({ length: 50 }, (_, worker) => work(worker))
  const drains: Promise<void>[] = []
  const swaps: Cache[] = [memory, foreign, memory, new NullCache(), foreign, new NullCache()]
  for (let round = 0; round < 60; round++) {
    drains.push(registry.register(swaps[round % swaps.length]!).drained)
    for (let turn = 0; turn < 5; turn++) await settle()
  }
  isOver = true
  await Promise.all(workers)
  await Promise.all(drains)
  await settle()
  t.same(failed, [])
  t.ok(reads > 3000 && loads > 100, `${reads} reads, ${sets} sets, ${dels} dels, ${loads} loads`)
  const counted = { reads: 0, dels: 0, sets: 0 }
  for (const { counters } of registry.stats.impls.values()) {
    for (const { hits, misses, sets, dels } of counters.values()) {
      counted.reads += hits + misses
      counted.dels += dels
      counted.sets += sets
    }
  }
  t.equal(counted.reads, reads, 'hits and misses are all the reads')
  t.equal(counted.dels, dels)
  t.ok(counted.sets >= sets && counted.sets <= sets + loads, 'sets, and loads that were stored')
  for (const label of ['null', 'memory', 'UnevenCache']) {
    const { hits, misses } = registry.stats.for(label).totals()
    t.ok(hits + misses > 0, `${label} served`)
  }
})
