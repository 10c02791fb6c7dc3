import { Stats } from '@x/cache-core/suite'
import t from 'tap'
import { RecentStats } from '../src/telemetry/recent-stats.js'
import { FakeTime } from '@x/test-kit/fake-time'

const MINUTE = RecentStats.STEP_MS

t.test('totals: everything, while it is younger than five minutes', async (t) => {
  const time = new FakeTime(t)
  const { stats, recent } = make()
  hit(stats, 1)
  recent.start()
  for (let minute = 0; minute < 4; minute++) {
    hit(stats, 1)
    time.advance(MINUTE)
  }
  t.equal(recent.totals('memory').hits, 5)
})

t.test('totals: only the last five minutes, in steps of a minute', async (t) => {
  const time = new FakeTime(t)
  const { stats, recent } = make()
  recent.start()
  hit(stats, 100)
  for (let minute = 1; minute <= 4; minute++) {
    time.advance(MINUTE)
    t.equal(recent.totals('memory').hits, 100, `after ${minute} min`)
  }
  stats.for('memory').of('user:1').misses += 50
  time.advance(MINUTE)
  t.match(recent.totals('memory'), { hits: 0, misses: 50, hitRate: 0 })
  for (let minute = 0; minute < 5; minute++) time.advance(MINUTE)
  t.match(recent.totals('memory'), { hits: 0, misses: 0, errors: 0, hitRate: 0 })
})

t.test('totals: a label that came later counts from its beginning', async (t) => {
  const time = new FakeTime(t)
  const { stats, recent } = make()
  recent.start()
  for (let minute = 0; minute < 9; minute++) time.advance(MINUTE)
  stats.for('redis').of('user:1').hits += 7
  t.equal(recent.totals('redis').hits, 7)
  for (let minute = 0; minute < 6; minute++) time.advance(MINUTE)
  t.equal(recent.totals('redis').hits, 0)
})

t.test('totals: the hit rate is that of the last minutes, not that since the start', async (t) => {
  const time = new FakeTime(t)
  const { stats, recent } = make()
  recent.start()
  stats.for('memory').of('user:1').misses += 1000
  for (let minute = 0; minute < 6; minute++) time.advance(MINUTE)
  hit(stats, 3)
  stats.for('memory').of('user:1').misses += 1
  t.match(recent.totals('memory'), { hits: 3, misses: 1, hitRate: 0.75 })
})

t.test('start: twice is once; stop: leaves no timer', async (t) => {
  const time = new FakeTime(t)
  const { stats, recent } = make()
  recent.start()
  recent.start()
  t.equal(time.pending, 1)
  recent.stop()
  recent.stop()
  t.equal(time.pending, 0)
  hit(stats, 2)
  t.equal(recent.totals('memory').hits, 2)
})

t.test('start: does not hold the process', async (t) => {
  const { recent } = make()
  const before = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
  recent.start()
  t.teardown(() => recent.stop())
  t.equal(process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length, before)
})

function make (): { stats: Stats; recent: RecentStats } {
  const stats = new Stats()
  return { stats, recent: new RecentStats(stats) }
}

function hit (stats: Stats, times: number): void {
  stats.for('memory').of('user:1').hits += times
}
