import { Stats } from '@x/cache-core/suite'
import t from 'tap'
import { PatternSizes } from '../../src/ledger/pattern-sizes.js'

t.test('isSampled: the first eight stores, then one of sixteen', async (t) => {
  const sizes = new PatternSizes()
  const sampled = Array.from({ length: 40 }, () => sizes.isSampled()).flatMap((isSampled, at) => isSampled ? [at] : [])
  t.same(sampled, [0, 1, 2, 3, 4, 5, 6, 7, 16, 32])
})

for (const [what, value, bytes] of [
  ['a text in UTF-8', 'aé', 3],
  ['bytes', Buffer.alloc(10), 10],
  ['an object as JSON', { a: 'é' }, 10],
  ['null', null, 4],
  ['a value above 1 MiB, which counts as that', ['x'.repeat(2 ** 21)], 2 ** 20],
  ['a text above 1 MiB, which counts as that', 'x'.repeat(2 ** 21), 2 ** 20],
  ['a value without JSON text, which is not measured', undefined, undefined]
] as const) {
  t.test(`measure: the bytes of ${what}`, async (t) => {
    const sizes = new PatternSizes()
    sizes.measure('user:1', value)
    t.equal(sizes.meanBytes, bytes)
  })
}

t.test('measure: a mean that moves over sixteen values, of keys as of values', async (t) => {
  const sizes = new PatternSizes()
  for (let turn = 0; turn < 15; turn++) sizes.measure('k', 'aa')
  sizes.measure('k'.repeat(17), 'a'.repeat(18))
  t.match(sizes, { meanBytes: 3, meanKeyLength: 2 })
})

t.test('sumsOf: hits and stores count with the mean size at their time, by implementation', async (t) => {
  const sizes = new PatternSizes()
  const stats = new Stats()
  const counters = stats.for('redis').of('user:1')
  const others = stats.for('memory').of('user:1')
  Object.assign(counters, { hits: 5, sets: 2 })
  t.match(sizes.sumsOf('redis', counters), { saved: 0, stored: 0 })
  sizes.measure('user:1', 'x'.repeat(100))
  t.match(sizes.sumsOf('redis', counters), { saved: 500, stored: 200 })
  sizes.measure('user:1', 'x'.repeat(300))
  Object.assign(counters, { hits: 6, sets: 3 })
  t.match(sizes.sumsOf('redis', counters), { saved: 700, stored: 400 })
  others.hits = 1
  t.match(sizes.sumsOf('memory', others), { saved: 200, stored: 0 })
})
