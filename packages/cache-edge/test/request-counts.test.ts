import fc from 'fast-check'
import { createHash } from 'node:crypto'
import t from 'tap'
import { RequestCounts } from '../src/store/request-counts.js'

const key = (id: number): string => `edge:x:${createHash('sha256').update(String(id)).digest('base64url')}`

t.test('of: is never less than the requests for a key, up to 255, until counts are halved', async () => {
  fc.assert(fc.property(fc.array(fc.nat(40), { maxLength: 3000 }), (ids) => {
    const counts = new RequestCounts()
    const exact = new Map<number, number>()
    for (const id of ids) {
      counts.add(key(id))
      exact.set(id, (exact.get(id) ?? 0) + 1)
    }
    return [...exact].every(([id, count]) => counts.of(key(id)) >= Math.min(count, 255))
  }), { numRuns: 50 })
})

t.test('of: a key that was requested once stays apart from one that is requested again and again, whatever else is', async (t) => {
  const counts = new RequestCounts()
  for (let id = 0; id < 100_000; id++) {
    counts.add(key(id))
    if (id % 500 === 0) counts.add(key(-1))
  }
  const once = Array.from({ length: 1000 }, (_, at) => counts.of(key(99_999 - at)))
  t.ok(once.filter((count) => count >= counts.of(key(-1))).length < 10)
  t.ok(counts.of(key(-1)) > 8)
})

t.test('of: what is requested no more is forgotten, however often it was', async (t) => {
  const counts = new RequestCounts()
  for (let times = 0; times < 5000; times++) counts.add(key(1))
  t.equal(counts.of(key(1)), 255)
  for (let times = 0; times < 100_000; times++) counts.add(key(2))
  t.equal(counts.of(key(1)), 0)
})

t.test('of: a key that ends with no hash has a count all the same', async (t) => {
  const counts = new RequestCounts()
  for (const odd of ['', 'a', '😀', 'edge:1']) {
    counts.add(odd)
    t.ok(counts.of(odd) > 0, odd)
  }
})
