import fc from 'fast-check'
import t from 'tap'
import type { TagSnapshot } from '../src/contract/cache.js'
import { MemoryTags, type EntryTags } from '../src/caches/memory/memory-tags.js'

function make (maxIdle: number, maxIdleBytes = Infinity): MemoryTags {
  return new MemoryTags({ maxIdle, maxIdleBytes })
}

function entry (tags: MemoryTags, ...names: string[]): EntryTags {
  return tags.capture(names)
}

function isFresh (tags: MemoryTags, { states, version }: EntryTags): boolean {
  return tags.isFresh(states, version)
}

t.test('isValid: until one of its tags is invalidated', async (t) => {
  const tags = make(10)
  const one = entry(tags, 'a', 'b')
  const other = entry(tags, 'c')
  t.same([tags.isValid(one.states), tags.isValid(other.states), tags.isValid([])], [true, true, true])
  tags.invalidate(['b'], false)
  t.same([tags.isValid(one.states), tags.isValid(other.states)], [false, true])
})

t.test('isValid: an entry without tags is always so', async (t) => {
  const tags = make(1)
  tags.invalidate(['a'], false)
  t.equal(tags.isValid(entry(tags).states), true)
  t.equal(isFresh(tags, entry(tags)), true)
})

t.test('isValid: a tag that was forgotten makes a miss, also once it is known again', async (t) => {
  const tags = make(2)
  const first = entry(tags, 'a')
  const second = entry(tags, 'b')
  entry(tags, 'c')
  t.same([tags.isValid(first.states), tags.isValid(second.states)], [false, true])
  const again = entry(tags, 'a')
  t.same([tags.isValid(first.states), tags.isValid(again.states)], [false, true])
})

t.test('capture: the tag that was captured longest ago is forgotten', async (t) => {
  const tags = make(2)
  const a = entry(tags, 'a')
  const b = entry(tags, 'b')
  entry(tags, 'a')
  entry(tags, 'c')
  t.same([tags.isValid(a.states), tags.isValid(b.states)], [true, false])
})

t.test('capture: takes no more room than maxTags, whatever is captured', async (t) => {
  const tags = make(1000)
  for (let id = 0; id < 100_000; id++) tags.capture([`tag:${id}`])
  t.equal(tags.size, 1000)
  for (let id = 0; id < 100_000; id++) tags.invalidate([`tag:${id}`], id % 2 === 0)
  t.ok(tags.size <= 1000)
})

t.test('hold: a tag that an entry has is known, whatever is captured besides, until the last such entry is no more', async (t) => {
  const tags = make(2)
  const one = entry(tags, 'a')
  const two = entry(tags, 'a')
  tags.hold(one.states)
  tags.hold(two.states)
  const crowd = (): void => { for (let id = 0; id < 10; id++) tags.capture([`other ${id}`]) }
  crowd()
  tags.release(one.states)
  crowd()
  t.equal(tags.isValid(two.states), true)
  t.equal(tags.size, 3)
  tags.release(two.states)
  crowd()
  t.equal(tags.isValid(two.states), false)
  t.equal(tags.size, 2)
})

t.test('release: of an entry that was invalidated leaves the new life of its tag alone', async (t) => {
  const tags = make(2)
  const before = entry(tags, 'a')
  tags.hold(before.states)
  tags.invalidate(['a'], false)
  const after = entry(tags, 'a')
  tags.hold(after.states)
  tags.release(before.states)
  t.equal(tags.isValid(after.states), true)
  tags.invalidate(['a'], false)
  t.equal(tags.isValid(after.states), false)
})

t.test('capture: takes no room beforehand', async (t) => {
  const before = process.memoryUsage().heapUsed
  const tags = Array.from({ length: 100 }, () => make(2 ** 24))
  t.equal(tags.length, 100)
  t.ok(process.memoryUsage().heapUsed - before < 50e6)
})

t.test('capture: more tags than are remembered make a miss, never a stale value', async (t) => {
  const tags = make(2)
  t.equal(tags.isValid(entry(tags, 'a', 'b', 'c').states), false)
})

t.test('invalidate: an unknown tag takes no room', async (t) => {
  const tags = make(2)
  tags.invalidate(['a', 'b', 'c'], false)
  tags.invalidate(['a', 'b', 'c'], true)
  t.equal(tags.size, 0)
})

t.test('invalidate: soft leaves it valid, and no longer fresh', async (t) => {
  const tags = make(10)
  const before = entry(tags, 'a')
  tags.invalidate(['a'], true)
  const after = entry(tags, 'a')
  t.same([tags.isValid(before.states), isFresh(tags, before)], [true, false])
  t.same([tags.isValid(after.states), isFresh(tags, after)], [true, true])
  tags.invalidate(['a'], false)
  t.same([tags.isValid(before.states), tags.isValid(after.states)], [false, false])
})

t.test('resolve: a snapshot is outdated by invalidation, by clear, and by the tag being forgotten', async (t) => {
  for (const outdate of [
    (tags: MemoryTags) => tags.invalidate(['a'], false),
    (tags: MemoryTags) => tags.clear(),
    (tags: MemoryTags) => { for (let id = 0; id < 10; id++) tags.capture([`other ${id}`]) }
  ]) {
    const tags = make(10)
    const snapshot = tags.capture(['a'])
    t.ok(tags.resolve(['a'], snapshot))
    outdate(tags)
    t.equal(tags.resolve(['a'], snapshot), undefined)
    tags.capture(['a'])
    t.equal(tags.resolve(['a'], snapshot), undefined, 'also once the tag is known again')
  }
})

t.test('resolve: an empty snapshot is outdated by clear, too', async (t) => {
  const tags = make(10)
  const snapshot = tags.capture([])
  t.match(tags.resolve([], snapshot), { states: [] })
  tags.clear()
  t.equal(tags.resolve([], snapshot), undefined)
})

t.test('resolve: a snapshot of other tags, or of no tags at all, proves nothing', async (t) => {
  const tags = make(10)
  t.equal(tags.resolve(['a'], make(10).capture(['a'])), undefined)
  t.equal(tags.resolve(['a'], {}), undefined)
})

t.test('resolve: the tags of the entry, in their order, those that the snapshot lacks captured now', async (t) => {
  const tags = make(10)
  const names = (resolved: EntryTags | undefined): string[] | undefined => resolved?.states.map(({ tag }) => tag)
  const snapshot = tags.capture(['a', 'b'])
  t.same(names(tags.resolve(['a', 'b'], snapshot)), ['a', 'b'])
  t.same(names(tags.resolve(undefined, snapshot)), ['a', 'b'])
  t.same(names(tags.resolve(['b'], snapshot)), ['b'])
  t.same(names(tags.resolve(['c', 'a'], snapshot)), ['c', 'a'])
  t.same(names(tags.resolve(undefined, undefined)), [])
  tags.invalidate(['b'], false)
  t.same(names(tags.resolve(['a'], snapshot)), ['a'], 'a tag that is not one of the entry\'s says nothing about it')
  t.equal(tags.resolve(['a', 'b'], snapshot), undefined)
})

t.test('clear: every entry is invalid, and those stored later are not', async (t) => {
  const tags = make(10)
  const before = entry(tags, 'a')
  tags.clear()
  t.equal(tags.size, 0)
  t.same([tags.isValid(before.states), tags.isValid(entry(tags, 'a').states)], [false, true])
})

/** A stored value of the model, with the times at which the value and each of its tags were captured. */
interface ModelEntry { resolved: EntryTags | undefined; began: number; tags: Map<string, number> }

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f']
const someTags = fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 4 })
const steps = fc.array(fc.oneof(
  fc.record({ do: fc.constant('capture' as const), tags: someTags }),
  fc.record({ do: fc.constant('store' as const), tags: someTags, snapshot: fc.option(fc.nat()) }),
  fc.record({ do: fc.constantFrom('hard' as const, 'soft' as const), tags: someTags }),
  fc.record({ do: fc.constant('clear' as const), tags: fc.constant([]) })
), { maxLength: 60 })

// The model remembers the time of every invalidation, which a cache with bounded memory cannot do.
function run (maxTags: number, isExact: boolean): void {
  fc.assert(fc.property(steps, (steps) => {
    const tags = make(maxTags)
    const hard = new Map<string, number>()
    const soft = new Map<string, number>()
    let cleared = -1
    const captures: { snapshot: TagSnapshot; names: string[]; began: number }[] = []
    const entries: ModelEntry[] = []
    for (const [now, step] of steps.entries()) {
      switch (step.do) {
        case 'capture':
          captures.push({ snapshot: tags.capture(step.tags), names: step.tags, began: now })
          break
        case 'store': {
          const capture = step.snapshot === null ? undefined : captures[step.snapshot % Math.max(1, captures.length)]
          const beganOf = (tag: string): number => capture?.names.includes(tag) === true ? capture.began : now
          entries.push({
            resolved: tags.resolve(step.tags, capture?.snapshot),
            began: capture?.began ?? now,
            tags: new Map(step.tags.map((tag) => [tag, beganOf(tag)]))
          })
          break
        }
        case 'clear':
          tags.clear()
          cleared = now
          break
        default:
          tags.invalidate(step.tags, step.do === 'soft')
          for (const tag of step.tags) (step.do === 'soft' ? soft : hard).set(tag, now)
      }
    }
    return entries.every(({ resolved, began, tags: captured }) => {
      const isAfter = (moments: Map<string, number>): boolean => {
        return began > cleared && [...captured].every(([tag, began]) => began > (moments.get(tag) ?? -1))
      }
      // An entry without tags is removed by clearing the entries, which are not part of this test.
      if (resolved?.states.length === 0) return true
      const isValid = resolved !== undefined && tags.isValid(resolved.states)
      if (!isValid) return !isExact || !isAfter(hard)
      if (!isAfter(hard)) return false
      return isExact ? isFresh(tags, resolved) === isAfter(soft) : !isFresh(tags, resolved) || isAfter(soft)
    })
  }), { numRuns: 500 })
}

t.test('any order of calls: with room enough an entry is valid, and fresh, exactly if a model without bounds says so', async () => {
  run(NAMES.length, true)
})

t.test('any order of calls: with too little room an entry may be lost, but a stale one is never valid', async () => {
  for (const maxTags of [1, 2, 4]) run(maxTags, false)
})
