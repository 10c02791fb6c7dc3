import { MemoryCache, type MemoryCacheOptions, type SetOptions, type TagSnapshot } from '@x/cache-core'
import fc from 'fast-check'
import t from 'tap'
import { FakeClock } from '@x/test-kit/fake-clock'

const TAGS = ['a', 'b', 'c', 'd']
const key = fc.constantFrom('k1', 'k2', 'k3', 'k4', 'k5', 'k6')
const tags = fc.array(fc.constantFrom(...TAGS), { maxLength: 3 })
const steps = fc.array(fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('capture' as const), tags }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('set' as const), key, tags, capture: fc.option(fc.nat()), ttl: fc.constantFrom(0, 2, 50) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('hard' as const, 'soft' as const), tags }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('del' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pass' as const) }) }
), { maxLength: 80 })

/** A stored value of the model, with the times at which the value and each of its tags were captured. */
interface ModelEntry { value: number; began: number; tags: Map<string, number>; freshUntil: number; goneAt: number }

/** Compares every key after every step with a model that forgets nothing and has no bounds. */
async function run (options: MemoryCacheOptions, isExact: boolean): Promise<void> {
  await fc.assert(fc.asyncProperty(steps, async (steps) => {
    const clock = new FakeClock()
    const cache = new MemoryCache({ ...options, clock })
    const model = new Map<string, ModelEntry>()
    const hard = new Map<string, number>()
    const soft = new Map<string, number>()
    const captures: { snapshot: TagSnapshot; tags: string[]; began: number }[] = []
    let cleared = -1

    for (const [now, step] of steps.entries()) {
      const seconds = clock.now() / 1000
      switch (step.do) {
        case 'capture': {
          const result = await cache.tags.capture(step.tags)
          if (!result.ok) return false
          captures.push({ snapshot: result.value, tags: step.tags, began: now })
          break
        }
        case 'set': {
          const capture = step.capture === null ? undefined : captures[step.capture % Math.max(1, captures.length)]
          const stored: SetOptions = { ttl: step.ttl, staleIfError: 3, tags: step.tags }
          if (capture !== undefined) stored.snapshot = capture.snapshot
          if (!(await cache.set(step.key, now, stored)).ok) return false
          if (step.ttl === 0) model.delete(step.key)
          else {
            model.set(step.key, {
              value: now,
              began: capture?.began ?? now,
              tags: new Map(step.tags.map((tag) => [tag, capture?.tags.includes(tag) === true ? capture.began : now])),
              freshUntil: seconds + step.ttl,
              goneAt: seconds + step.ttl + 3
            })
          }
          break
        }
        case 'hard': case 'soft':
          if (!(await cache.tags.invalidate(step.tags, { soft: step.do === 'soft' })).ok) return false
          for (const tag of step.tags) (step.do === 'soft' ? soft : hard).set(tag, now)
          break
        case 'del':
          await cache.del(step.key)
          model.delete(step.key)
          break
        case 'clear':
          await cache.clear()
          cleared = now
          break
        case 'pass':
          clock.advance(1)
      }
      for (const key of ['k1', 'k2', 'k3', 'k4', 'k5', 'k6']) {
        const expected = model.get(key)
        const at = clock.now() / 1000
        const isAfter = (moments: Map<string, number>): boolean =>
          [...expected!.tags].every(([tag, began]) => began > (moments.get(tag) ?? -1))
        const isThere = expected !== undefined && expected.began > cleared && expected.goneAt > at && isAfter(hard)
        const isFresh = isThere && expected.freshUntil > at && isAfter(soft)
        const result = await cache.getEntry<number>(key)
        if (!result.ok) return false
        const entry = result.value
        if (entry === null ? isExact && isThere : !isThere || entry.value !== expected.value || entry.fresh !== isFresh) return false
        const read = await cache.get(key)
        if (!read.ok || (read.value !== null) !== (entry?.fresh === true)) return false
      }
    }
    return true
  }), { numRuns: 200 })
}

t.test('any order of calls: with room enough every key is what a model without bounds says', async () => {
  await run({}, true)
})

t.test('any order of calls: with little room a value may be lost, but no stale one is ever served', async () => {
  await run({ maxEntries: 2 }, false)
  await run({ maxTags: 1 }, false)
  await run({ maxEntries: 3, maxTags: 2, isolation: 'freeze' }, false)
})
