import { CacheRegistry } from '@x/cache-core'
import { SHADOW_AGES } from '@x/cache-core/suite'
import t from 'tap'
import { advise } from '../../src/advisor/report/advice.js'
import { toMarkdown, verdictOfReport } from '../../src/advisor/report/report.js'
import { shadowFindings, type ShadowFinding } from '../../src/advisor/report/shadow.js'
import { buildApp } from '../fixtures/build-app.js'
import { seenOf } from '../fixtures/observation.js'
import { scrape } from '../fixtures/parse-text.js'

/** Makes a table of shadow reads, filled as by the core. */
function makeStats () {
  const { stats } = new CacheRegistry().shadow
  const counts = stats.of('item')
  /** Adds comparisons of a group of keys; the first `stale` of them are mismatches. */
  const note = (group: number, compared: number, stale: number, age = 30): void => {
    for (let at = 0; at < compared; at++) {
      counts.note(at < stale ? { outcome: 'mismatch', age, group, path: '.price' } : { outcome: 'match', age, group, path: undefined })
    }
  }
  const finding = (tolerance = 0.001): ShadowFinding => shadowFindings(stats.patterns.values(), tolerance)[0]!
  return { stats, counts, note, finding }
}

t.test('shadowFindings: the rate has an interval, ages and a verdict against the tolerance', async (t) => {
  const { counts, note, finding } = makeStats()
  for (let group = 0; group < 64; group++) {
    note(group, 1000, group % 2 === 0 ? 4 : 6)
    note(group, 200, 0, 0.5)
  }
  counts.note({ outcome: 'differs', age: 1, group: 0, path: '.generatedAt' })
  counts.note({ outcome: 'explained', age: 1, group: 0, path: undefined })
  const seen = finding()
  t.match(seen, { keyPattern: 'item', compared: 76_801, stale: 320, verdict: 'no-go', stalePaths: ['.price'], volatilePaths: ['.generatedAt'] })
  t.ok(seen.low < 320 / 76_801 && seen.high > 320 / 76_801 && seen.high - seen.low < 0.002, `${seen.low} to ${seen.high}`)
  t.same(seen.byAge, [{ upTo: 1, compared: 12_801, stale: 0 }, { upTo: 60, compared: 64_000, stale: 320 }])
  t.match(seen.text, /^item: stale rate 0\.42 % \(0\.3\d–0\.4\d %\) of 76,801 comparisons, no-go; by age: up to 1 s 0 %, up to 60 s 0\.5 %; stale: at \.price; differs on every load: at \.generatedAt \(1 comparisons\); not counted: 1 explained$/)
  t.equal(finding(0.01).verdict, 'go')
  t.equal(finding(seen.rate).verdict, 'inconclusive')
})

t.test('shadowFindings: a few keys with all of the mismatches widen the interval', async (t) => {
  const even = makeStats()
  const lumpy = makeStats()
  for (let group = 0; group < 64; group++) {
    even.note(group, 1000, 5)
    lumpy.note(group, 1000, group < 4 ? 80 : 0)
  }
  const [a, b] = [even.finding(), lumpy.finding()]
  t.equal(a.rate, b.rate)
  t.ok(b.high - b.low > 2 * (a.high - a.low), `${b.low} to ${b.high}`)
})

t.test('shadowFindings: without a mismatch the bound is 3 / n, with n the number of stored entries', async (t) => {
  const { counts, note, finding } = makeStats()
  t.match(finding(), { compared: 0, low: 0, high: 1, verdict: 'not enough data' })
  for (let group = 0; group < 64; group++) note(group, 1000, 0)
  counts.stored = 1000
  t.match(finding(), { rate: 0, low: 0, high: 0.003, verdict: 'not enough data' })
  counts.stored = 3000
  t.match(finding(), { high: 0.001, verdict: 'go' })
  counts.stored = 1_000_000
  t.match(finding(), { high: 3 / 64_000 }, 'but there are no more than comparisons')
})

t.test('shadowFindings: one group of keys has no interval', async (t) => {
  const { note, finding } = makeStats()
  note(7, 1000, 5)
  t.match(finding(), { low: 0, high: 1, verdict: 'inconclusive' })
})

t.test('shadowFindings: a value that is stale as a whole, every one stale, and an age above a day', async (t) => {
  const { counts, note, finding } = makeStats()
  for (let group = 0; group < 64; group++) note(group, 10, 10, 100_000)
  counts.mismatchPaths.clear()
  counts.note({ outcome: 'mismatch', age: NaN, group: 0, path: '' })
  const seen = finding()
  t.match(seen, { rate: 1, high: 1, verdict: 'no-go', byAge: [{ upTo: undefined, compared: 640, stale: 640 }] })
  t.match(seen.text, 'by age: above 86400 s 100 %; stale: the value itself')
  t.equal(SHADOW_AGES.at(-1), 86_400)
})

t.test('shadowFindings: paths are bounded, and so are key patterns', async (t) => {
  const { counts, finding } = makeStats()
  for (let at = 0; at < 1000; at++) counts.note({ outcome: 'mismatch', age: 1, group: 0, path: `.member${at}` })
  t.equal(finding().stalePaths.length, 8)
  t.equal(finding().stale, 1000)
})

t.test('verdictOfReport: too many stale entries are no-go, whatever the advice and the gates say', async (t) => {
  const good = advise([seenOf()])
  const of = (verdict: ShadowFinding['verdict']) => verdictOfReport(good, [], [{ verdict } as ShadowFinding])
  t.same([of('no-go'), of('go'), of('inconclusive')], ['no-go', verdictOfReport(good, []), verdictOfReport(good, [])])
})

t.test('report: has a section on shadow reads, and the metrics count them by outcome and age', async (t) => {
  const app = await buildApp(t, {}, { implementation: 'memory', rollout: { percent: 0, shadow: { percent: 100 } } })
  await app.ready()
  for (let turn = 0; turn < 3; turn++) {
    for (let id = 0; id < 100; id++) await app.cache.getOrSet(`item:${id}`, async () => ({ id, name: 'secret-4711' }), 60)
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
  const { samples } = await scrape(app)
  t.match(samples, {
    'cache_shadow_reads_total{key_pattern="item",outcome="absent"}': 100,
    'cache_shadow_reads_total{key_pattern="item",outcome="match"}': 200,
    'cache_shadow_reads_total{key_pattern="item",outcome="mismatch"}': 0,
    'cache_shadow_age_seconds_count{key_pattern="item",outcome="match"}': 200
  })
  const { body } = await app.inject({ url: '/internal/cache/advice', headers: { accept: 'text/markdown' } })
  t.match(body, /## Shadow reads\n\n- item: stale rate 0 % \(0–\d(?:\.\d)? %\) of 200 comparisons, not enough data; by age: up to 1 s 0 %/)
  t.match((await app.inject('/internal/cache/advice')).json(), { shadow: [{ keyPattern: 'item', compared: 200, stale: 0 }] })
  t.notMatch(body, /4711/)
})

t.test('report: has no section without shadow reads', async (t) => {
  const app = await buildApp(t)
  t.notOk('shadow' in (await app.inject('/internal/cache/advice')).json())
  t.notMatch(toMarkdown({ version: 1, generatedAt: '', source: '', observedSeconds: 1, requests: 0, verdict: 'go', advice: [], gates: [], plan: undefined, notes: [] }), /Shadow/)
})
