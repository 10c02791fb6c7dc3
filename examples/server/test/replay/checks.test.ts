import t from 'tap'
import { checkCounts } from '../../src/replay/checks.js'
import { LruSimulation } from '../../src/replay/lru.js'

const load = (sent: number, statuses: Record<string, number> = { 200: sent }) =>
  ({ sent, statuses, seconds: 1, groups: {}, latencyMs: { p50: 1, p90: 1, p99: 1, max: 1 } })
const counted = (hits: number, misses: number, candidatesTotal: number) =>
  ({ patterns: {}, candidates: {}, arms: { cached: { hits, misses, sets: misses }, control: { hits: 0, misses: 0, sets: 0 } }, percent: 100, total: { hits, misses, sets: misses }, candidatesTotal })
const verdicts = (...args: Parameters<typeof checkCounts>) => checkCounts(...args).map(({ ok }) => ok)

t.test('checkCounts: holds if all that was sent was counted once', async (t) => {
  t.same(verdicts(load(10), counted(4, 6, 10), undefined), [true, true, true])
})

t.test('checkCounts: says which number differs, and by how much', async (t) => {
  t.same(verdicts(load(10), counted(4, 5, 10), undefined), [true, false, true])
  t.same(verdicts(load(10), counted(4, 6, 12), undefined), [true, true, false])
  t.match(checkCounts(load(10), counted(4, 5, 10), undefined)[1]!.claim, /10 ≠ .*9, they differ by 1/)
})

t.test('checkCounts: requests that failed are no success, 404 is an answer', async (t) => {
  t.equal(verdicts(load(10, { 200: 9, failed: 1 }), counted(4, 6, 10), undefined)[0], false)
  t.equal(verdicts(load(10, { 200: 9, 503: 1 }), counted(4, 6, 10), undefined)[0], false)
  t.equal(verdicts(load(10, { 200: 9, 404: 1 }), counted(4, 6, 10), undefined)[0], true)
})

t.test('checkCounts: the hits of the server must be those of the LRU', async (t) => {
  const lru = new LruSimulation(5)
  for (const id of ['a', 'a', 'b', 'a']) lru.request(id)
  t.same(verdicts(load(4), counted(2, 2, 4), lru), [true, true, true, true])
  t.same(verdicts(load(4), counted(1, 3, 4), lru), [true, true, true, false])
})
