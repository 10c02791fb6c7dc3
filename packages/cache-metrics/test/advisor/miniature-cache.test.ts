import { MemoryCache } from '@x/cache-core'
import fc from 'fast-check'
import t from 'tap'
import { ALL_MISSED, MiniatureCache } from '../../src/advisor/curve/miniature-cache.js'

const TTLS = [1, 2.5, 10]
const requests = fc.array(fc.record({ key: fc.nat(12), wait: fc.constantFrom(0, 1, 400, 999, 1000, 3000, 12_000) }), { maxLength: 150 })
const miniature = (capacity: number, ttls = TTLS): MiniatureCache => new MiniatureCache(capacity, ttls.map((ttl) => ttl * 1000))
const isMiss = (misses: number, ttl: number): boolean => (misses >>> ttl & 1) === 1

t.test('touch: misses where MemoryCache misses, under each ttl', async () => {
  await fc.assert(fc.asyncProperty(requests, fc.integer({ min: 1, max: 14 }), async (requests, maxEntries) => {
    let now = 0
    const mini = miniature(maxEntries)
    const real = TTLS.map(() => new MemoryCache({ maxEntries, clock: { now: () => now } }))
    for (const { key, wait } of requests) {
      now += wait
      const misses = mini.touch(key, now)
      for (const [at, cache] of real.entries()) {
        const result = await cache.get(`${key}`)
        if (!result.ok || isMiss(misses, at) !== (result.value === null)) return false
        if (result.value === null) await cache.set(`${key}`, 1, TTLS[at])
      }
    }
    return true
  }), { numRuns: 100 })
})

const steps = fc.array(fc.record({
  key: fc.nat(12),
  wait: fc.constantFrom(0, 1, 400, 999, 1000, 3000, 12_000),
  write: fc.constantFrom(undefined, undefined, undefined, 'del', 'tag', 'group', 'clear')
}), { maxLength: 200 })

t.test('remove, invalidate, clear: the misses that follow are those of MemoryCache, also once freed places are in use again', async () => {
  await fc.assert(fc.asyncProperty(steps, fc.integer({ min: 1, max: 14 }), async (steps, maxEntries) => {
    let now = 0
    const mini = miniature(maxEntries)
    const real = TTLS.map(() => new MemoryCache({ maxEntries, clock: { now: () => now } }))
    for (const { key, wait, write } of steps) {
      now += wait
      const [tag, group] = [100 + key, 200 + key % 3]
      if (write === 'del') mini.remove(key)
      else if (write === 'clear') mini.clear()
      else if (write !== undefined) mini.invalidate(write === 'tag' ? tag : group)
      const misses = write === undefined ? mini.touch(key, now) : 0
      if (write === undefined) for (const [at, each] of [tag, group].entries()) mini.tag(key, at, each)
      for (const [at, cache] of real.entries()) {
        if (write === 'del') await cache.del(`${key}`)
        else if (write === 'clear') await cache.clear()
        else if (write !== undefined) await cache.tags.invalidate(`${write === 'tag' ? tag : group}`)
        if (write !== undefined) continue
        const result = await cache.get(`${key}`)
        if (!result.ok || isMiss(misses, at) !== (result.value === null)) return false
        if (result.value === null) await cache.set(`${key}`, 1, { ttl: TTLS[at]!, tags: [`${tag}`, `${group}`] })
      }
    }
    return true
  }), { numRuns: 100 })
})

t.test('touch: a compact table expires a load at most 0.42 % of its ttl early and never late, after any pause', async () => {
  const waits = fc.array(fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 30_000 })), { maxLength: 200 })
  fc.assert(fc.property(waits, (waits) => {
    const ttls = [1, 2.5, 10]
    const mini = new MiniatureCache(4, ttls.map((ttl) => ttl * 1000), true)
    const loaded = ttls.map(() => -Infinity)
    let now = 0
    for (const wait of waits) {
      now += wait
      const misses = mini.touch(1, now)
      for (const [at, ttl] of ttls.entries()) {
        const age = (now - loaded[at]!) / 1000
        if (age >= ttl ? !isMiss(misses, at) : isMiss(misses, at) && age < ttl * (1 - 1 / 240)) return false
        if (isMiss(misses, at)) loaded[at] = now
      }
    }
    return true
  }), { numRuns: 300 })
})

t.test('touch: a load ends with its ttl, to the millisecond, and hits do not prolong it', async (t) => {
  const mini = miniature(10, [1, 2])
  t.equal(mini.touch(7, 5000), ALL_MISSED)
  t.equal(mini.touch(7, 5999), 0)
  t.equal(mini.touch(7, 6000), 0b01)
  t.equal(mini.touch(7, 6999), 0)
  t.equal(mini.touch(7, 7000), 0b11)
})

t.test('touch: the least recently used makes room, expired or not', async (t) => {
  const mini = miniature(2, [1, 1000])
  mini.touch(1, 0)
  mini.touch(2, 0)
  t.notOk(mini.touch(1, 5000) & 0b10, 'still there, though expired under the first ttl')
  t.notOk(mini.hasEvicted)
  mini.touch(3, 5000)
  t.equal(mini.touch(2, 5000), ALL_MISSED)
  t.equal(mini.touch(3, 5000), 0)
  t.equal(mini.touch(1, 5000), ALL_MISSED)
})

t.test('touch: a clock whose 32 bits wrap keeps ages', async (t) => {
  const mini = miniature(2, [1])
  mini.touch(1, 2 ** 32 - 500)
  t.equal(mini.touch(1, 499), 0)
  t.equal(mini.touch(1, 500), 1)
})

t.test('touch: 32 ttls have a bit each', async (t) => {
  const ttls = Array.from({ length: 32 }, (_, at) => at + 1)
  const mini = miniature(2, ttls)
  mini.touch(1, 0)
  t.equal(mini.touch(1, 31_999) >>> 0, 2 ** 31 - 1)
  t.equal(mini.touch(1, 100_000), ALL_MISSED)
})

t.test('bytes: nothing until the first key, then with the keys, then no more', async (t) => {
  const mini = miniature(1000, [1, 2, 3])
  t.ok(mini.bytes < 10)
  t.notOk(mini.hasEvicted)
  mini.touch(1, 0)
  t.ok(mini.bytes < 1000)
  for (let key = 0; key < 1000; key++) mini.touch(key, 0)
  const { bytes } = mini
  t.ok(bytes <= 4 * (1001 * 7 + 1024))
  for (let key = 0; key < 100_000; key++) mini.touch(key, 0)
  t.equal(mini.bytes, bytes)
  t.ok(mini.hasEvicted)
})
