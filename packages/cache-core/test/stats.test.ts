import { err } from '@x/cache-core/implementing'
import { ImplStats, Stats } from '@x/cache-core/suite'
import { tooLarge, unavailable } from '@x/cache-core/implementing'
import t from 'tap'
import { CONTROL_LABEL, withRate } from '../src/telemetry/counters.js'

t.test('of: one set of counters per key pattern', async (t) => {
  const stats = new ImplStats('memory', new Stats())
  stats.of('user:1').hits++
  stats.of('user:2').hits++
  stats.of('table:1').misses++
  stats.of('no colon').sets++
  t.same([...stats.counters.values()].map(({ keyPattern, hits, misses, sets, dels }) => [keyPattern, hits, misses, sets, dels]), [
    ['user', 2, 0, 0, 0], ['table', 0, 1, 0, 0], ['other', 0, 0, 1, 0]
  ])
})

t.test('of: a million keys do not grow it beyond its labels', async (t) => {
  const stats = new ImplStats('memory', new Stats())
  for (let id = 0; id < 1_000_000; id++) stats.of(`k${id % 3000}:${id}`).hits++
  t.equal(stats.counters.size, 101)
  t.equal(stats.totals().hits, 1_000_000)
})

t.test('countError: by type, without a name or a key', async (t) => {
  const stats = new ImplStats('redis', new Stats())
  stats.countError(unavailable('get'))
  stats.countError(unavailable('set'))
  stats.countError(tooLarge(2, 1))
  t.same(Object.fromEntries(stats.errors), { unavailable: 2, too_large: 1 })
  t.equal(stats.totals().errors, 3)
  t.equal(err(unavailable('get')).error.code, 'CACHE_ERR_UNAVAILABLE')
})

t.test('countInvalidation: by the pattern of the tag', async (t) => {
  const stats = new ImplStats('memory', new Stats())
  for (const tag of ['user:1', 'user:2', 'all']) stats.countInvalidation(tag)
  t.same(Object.fromEntries(stats.invalidations), { user: 2, other: 1 })
})

t.test('observe: durations by operation', async (t) => {
  const stats = new ImplStats('memory', new Stats())
  stats.observe('get', 0.1)
  stats.observe('get', 0.2)
  stats.observe('set', 1)
  t.same([...stats.durations].map(([operation, { count }]) => [operation, count]), [['get', 2], ['set', 1]])
})

t.test('totals: the sum over all patterns, with its rate', async (t) => {
  const stats = new ImplStats('memory', new Stats())
  t.same(stats.totals(), { hits: 0, misses: 0, errors: 0, hitRate: 0 })
  stats.of('a:1').hits = 3
  stats.of('b:1').misses = 1
  t.same(stats.totals(), { hits: 3, misses: 1, errors: 0, hitRate: 0.75 })
})

t.test('withRate: is 0 without reads, never NaN', async (t) => {
  t.equal(withRate(0, 0, 7).hitRate, 0)
  t.equal(withRate(1, 0, 0).hitRate, 1)
})

t.test('for: the same object for the same label', async (t) => {
  const stats = new Stats()
  t.equal(stats.for('memory'), stats.for('memory'))
  t.not(stats.for('memory'), stats.for(CONTROL_LABEL))
  t.equal(stats.for('memory').label, 'memory')
})

t.test('for: labels are bounded; further implementations share other', async (t) => {
  const stats = new Stats()
  for (let swap = 0; swap < 1000; swap++) stats.for(`impl${swap}`).of('a:1').hits++
  t.equal(stats.impls.size, Stats.MAX_LABELS + 1)
  t.equal(stats.for('other').totals().hits, 1000 - Stats.MAX_LABELS)
  t.equal(stats.for('impl0').totals().hits, 1)
})

t.test('loadsOf: durations, failures, and a moving average that follows', async (t) => {
  const loads = new Stats().loadsOf('user')
  t.equal(loads.recent, 0)
  loads.record(1, false)
  t.equal(loads.recent, 1, 'the first load is the average')
  loads.record(3, false)
  t.ok(loads.recent > 1 && loads.recent < 3)
  for (let load = 0; load < 200; load++) loads.record(0.1, false)
  t.ok(Math.abs(loads.recent - 0.1) < 0.01, 'old loads are forgotten')
  t.same([loads.durations.count, loads.failures, loads.keyPattern], [202, 0, 'user'])
})

t.test('loadsOf: a load that failed is in the histogram, and not in the duration that a hit saves', async (t) => {
  const loads = new Stats().loadsOf('user')
  loads.record(30, true)
  t.match(loads, { recent: 0, failures: 1, succeeded: { count: 0, sum: 0 }, durations: { count: 1 } })
  loads.record(2, false)
  loads.record(0, true)
  t.match(loads, { recent: 2, failures: 2, succeeded: { count: 1, sum: 2 }, durations: { count: 3, sum: 32 } })
})

t.test('loadsOf: shares its patterns with the counters of all implementations', async (t) => {
  const stats = new Stats()
  stats.patterns.max = 1
  t.equal(stats.for('a').of('user:1').keyPattern, 'user')
  t.equal(stats.for('b').of('table:1').keyPattern, 'other')
  t.equal(stats.loadsOf('user'), stats.loadsOf('user'))
})
