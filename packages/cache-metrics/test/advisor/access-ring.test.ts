import fc from 'fast-check'
import t from 'tap'
import { AccessRing } from '../../src/advisor/accesses/access-ring.js'
import { SampledAccesses } from '../../src/advisor/accesses/sampled-accesses.js'
import { CLEAR, INVALIDATION, READ, TAG } from '../../src/advisor/curve/access-kinds.js'
import { HASHES } from '../../src/advisor/hash.js'

function hashesOf (ring: AccessRing): number[] {
  return [...ring.accesses().hashes]
}

t.test('add: the ring has the last accesses, at most its maximum, in their order', async () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 64, max: 300 }), (count, max) => {
    const ring = new AccessRing(max)
    for (let at = 0; at < count; at++) ring.add(READ, at, at * 2)
    const { hashes, words, kinds } = ring.accesses()
    const inOrder = hashes.every((hash, at) => hash === count - hashes.length + at && words[at] === hash * 2)
    const hasLast = hashes.length === Math.min(count, max) && kinds.length === hashes.length
    return inOrder && hasLast && ring.hasDropped === (count > max) && ring.bytes <= 9 * max
  }))
})

t.test('limitTo: the newest accesses stay, and later ones are added', async (t) => {
  const ring = new AccessRing(1000)
  for (let at = 0; at < 900; at++) ring.add(READ, at, 0)
  t.notOk(ring.hasDropped)
  ring.limitTo(100)
  t.ok(ring.hasDropped)
  t.equal(ring.bytes, 900)
  ring.add(READ, 900, 0)
  t.same(hashesOf(ring), Array.from({ length: 100 }, (_, at) => 801 + at))
})

t.test('accesses: a tag whose access was dropped has no time, and is left out', async (t) => {
  const ring = new AccessRing(64)
  for (let at = 0; at < 64; at++) ring.add(at % 2 === 0 ? READ : TAG, at, at)
  t.equal(hashesOf(ring)[0], 0)
  ring.add(READ, 64, 64)
  t.same(hashesOf(ring).slice(0, 2), [2, 3])
})

t.test('SampledAccesses: each access is in the ring of its stratum, and restored accesses are the same', async (t) => {
  const limits = [HASHES, HASHES / 2, HASHES / 8]
  const accesses = new SampledAccesses(limits, 64)
  for (const [at, hash] of [HASHES - 1, HASHES / 2, HASHES / 2 - 1, HASHES / 8, HASHES / 8 - 1, 0].entries()) accesses.add(READ, hash, at)
  accesses.add(INVALIDATION, 5, 6)
  accesses.add(CLEAR, 0, 7)
  const saved = accesses.save()
  t.same(saved.strata.map(({ words }) => [...words]), [[0, 1], [2, 3], [4, 5]])
  t.same([...saved.invalidations.words], [6, 7])
  const restored = new SampledAccesses(limits, 64)
  restored.restore(saved)
  t.same(restored.save(), saved)
  for (let at = 0; at < 100; at++) accesses.add(READ, 1, at)
  const later = new SampledAccesses(limits, 64)
  later.restore(accesses.save())
  t.same(later.save().strata.map(({ isWhole }) => isWhole), [true, true, false])
})
