import t from 'tap'
import { advise, DEFAULT_WISHES } from '../../src/advisor/report/advice.js'
import { per10000, percent } from '../../src/advisor/report/figures.js'
import { seenOf } from '../fixtures/observation.js'

t.test('advise: the smallest cache with the shortest ttl that is nearly as good as the best', async (t) => {
  const points = [
    { ttl: 10, entries: 100, hitRate: 0.3, margin: 0.01 },
    { ttl: 10, entries: 1000, hitRate: 0.4, margin: 0.01 },
    { ttl: 60, entries: 100, hitRate: 0.5, margin: 0.01 },
    { ttl: 60, entries: 1000, hitRate: 0.69, margin: 0.02 },
    { ttl: 3600, entries: 1000, hitRate: 0.71, margin: 0.02 },
    { ttl: 3600, entries: 20_000, hitRate: 0.72, margin: 0.02 }
  ]
  const [advice] = advise([seenOf({ points })])
  t.match(advice, { ttl: 60, entries: 1000, hitRate: 0.69, margin: 0.02, verdict: 'good' })
})

t.test('advise: a ttl under which more is stale than may be is not advised, however many hits it has', async (t) => {
  const points = [1, 60, 3600].map((ttl, at) => ({ ttl, entries: 100, hitRate: 0.3 * (at + 1), margin: 0 }))
  const staleness = [0, 0.0005, 0.02].map((rate, at) => ({ ttl: [1, 60, 3600][at]!, hits: 1000, rate, low: 0, high: 1 }))
  t.match(advise([seenOf({ points, staleness })])[0], { ttl: 60, verdict: 'good', staleness: { rate: 0.0005 } })
  t.match(advise([seenOf({ points, staleness })], { ...DEFAULT_WISHES, staleTolerance: 0.1 })[0], { ttl: 3600 })
  t.match(advise([seenOf({ points, staleness: staleness.map((one) => ({ ...one, rate: 0.5 })) })])[0], { ttl: 1, verdict: /^poor: at 1 s, 5000 per 10 000 hits would be stale/ })
})

for (const [what, seen, verdict] of [
  ['a leak', { leak: { dimension: 'user', pairs: 10, differing: 10 } }, 'unsafe: differs by user'],
  ['a leak in few requests', { requests: 50, leak: { dimension: 'query sort', pairs: 10, differing: 10 } }, 'unsafe: differs by query sort'],
  ['cookies', { cookieShare: 0.25 }, 'unsafe: Set-Cookie on 25 % of the responses'],
  ['a value that JSON changes', { change: 'Date at .createdAt' }, 'changes when stored: Date at .createdAt'],
  ['such a value in few requests', { requests: 10, change: 'Map' }, 'changes when stored: Map'],
  ['few requests', { requests: 10 }, 'not enough data: 10 requests of 200'],
  ['noise', { isNoise: true }, 'poor: the value is another one on every load'],
  ['one-hit keys', { oneHitShare: 0.98, points: [{ ttl: 60, entries: 100, hitRate: 0.01, margin: 0 }] }, 'poor: 98 % one-hit keys'],
  ['few hits', { points: [{ ttl: 60, entries: 100, hitRate: 0.1, margin: 0 }] }, 'poor: 10 % hits'],
  ['nothing to say against it', {}, 'good']
] as const) {
  t.test(`advise: ${what}: ${verdict}`, async (t) => t.equal(advise([seenOf(seen)])[0]!.verdict, verdict))
  t.test(`advise: ${what}: the kind and the reason stand apart, too`, async (t) => {
    const { judgement: { kind, reason } } = advise([seenOf(seen)])[0]!
    t.same([kind, reason], verdict.includes(': ') ? verdict.split(': ') : [verdict, undefined])
  })
}

for (const [what, seen, remedy] of [
  ['a leak of a pattern', { leak: { dimension: 'user', pairs: 10, differing: 10 } }, /^A key that includes user$/],
  ['a leak of a route', { kind: 'route', leak: { dimension: 'header x', pairs: 10, differing: 10 } }, /^A Vary or a URL that includes header x/],
  ['cookies', { cookieShare: 0.25 }, /^Responses without Set-Cookie/],
  ['a value that JSON changes', { change: 'Map' }, /^Loaded values of plain objects/],
  ['few requests', { requests: 50, seconds: 3600 }, /^150 more requests, at the present rate in 3 h$/],
  ['no requests', { requests: 0 }, /^200 more requests$/],
  ['loads that may not be stored', { storableShare: 0.1 }, /^Loads that call no skip\(\)/],
  ['responses that may not be stored', { kind: 'route', storableShare: 0.1 }, /^Responses that a shared cache may store/],
  ['noise', { isNoise: true }, /^Values without the parts/],
  ['stale hits', { staleness: [{ ttl: 60, hits: 1000, rate: 0.02, low: 0.01, high: 0.03 }] }, /a tolerance of 200 per 10 000$/],
  ['few hits', { points: [{ ttl: 60, entries: 100, hitRate: 0.1, margin: 0 }] }, /^More requests per key, until 20 % hit/],
  ['few compared values', { compared: 5 }, /^15 more compared values/],
  ['nothing against it', {}, /^Fewer than 20 % hits, more than 10 per 10 000 stale hits/]
] as const) {
  t.test(`advise: ${what}: the verdict names what would change it`, async (t) => t.match(advise([seenOf(seen)])[0]!.judgement.remedy, remedy))
}

t.test('advise: priority by the loader seconds that an hour of hits would save', async (t) => {
  // The observation has 3600 requests an hour, half of which are hits.
  for (const [meanSeconds, priority, saved] of [[0.2, 'CRITICAL', 360], [0.199, 'HIGH', 358.2], [0.02, 'HIGH', 36], [0.002, 'MEDIUM', 3.6], [0.001, 'LOW', 1.8], [undefined, undefined, undefined]] as const) {
    const [advice] = advise(
      [seenOf({ seconds: 100, requests: 100, meanSeconds, points: [{ ttl: 1, entries: 1, hitRate: 0.5, margin: 0 }] })]
    )
    t.equal(advice!.priority, priority)
    if (saved === undefined) t.equal(advice!.savedSecondsPerHour, undefined)
    else t.ok(Math.abs(advice!.savedSecondsPerHour! - saved) < 1e-6)
  }
})

t.test('advise: memory of the entries that there would be, with key and table; unknown without a value', async (t) => {
  const points = [{ ttl: 60, entries: 1000, hitRate: 0.9, margin: 0 }]
  t.equal(advise([seenOf({ points, meanBytes: 100, meanKeyLength: 10, distinct: 5000 })])[0]!.memoryBytes, 1000 * 248)
  t.equal(advise([seenOf({ points, meanBytes: 100, meanKeyLength: 10, distinct: 20 })])[0]!.memoryBytes, 20 * 248)
  t.equal(advise([seenOf({ points, meanBytes: undefined })])[0]!.memoryBytes, undefined)
})

t.test('advise: good first, by what it saves; then poor, unsafe, and what is not known', async (t) => {
  const names = advise([
    seenOf({ name: 'unsafe', cookieShare: 1 }), seenOf({ name: 'new', requests: 1 }), seenOf({ name: 'poor', isNoise: true }),
    seenOf({ name: 'good', meanSeconds: 0.01 }), seenOf({ name: 'better', meanSeconds: 0.02 })
  ]).map(({ name }) => name)
  t.same(names, ['better', 'good', 'poor', 'unsafe', 'new'])
})

t.test('advise: nothing seen is no advice', async (t) => t.same(advise([]), []))

t.test('percent, per10000: for people', async (t) => {
  t.same([percent(0.713), percent(0), percent(1)], ['71 %', '0 %', '100 %'])
  t.same([per10000(0.0003), per10000(0), per10000(0.02)], ['3 per 10 000', '0 per 10 000', '200 per 10 000'])
})
