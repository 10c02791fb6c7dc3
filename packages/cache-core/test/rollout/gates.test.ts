import t from 'tap'
import { defaultCriteria, baselineCriteria, type Criteria } from '../../src/rollout/criteria.js'
import type { Difference, Evidence, HitRates } from '../../src/rollout/evidence.js'
import { judge, type GateName, type StageVerdict } from '../../src/rollout/gates.js'
import { armTotals, evidenceOf, LESS, MAYBE_MORE, MORE, NO_DIFFERENCE, recentCounts, recentOf, windowOf } from './fixtures/evidence.js'

interface Case {
  readonly claim: string
  readonly evidence: Partial<Evidence>
  readonly kind: StageVerdict
  /** The criterion that decides on the verdict. */
  readonly gate?: GateName
  readonly reason?: RegExp
  readonly percent?: number
  readonly criteria?: Criteria
}

function ratesOf (reads: number, hits: number, firstDayHits: number, fall: Difference): HitRates {
  return { reads, hits, firstDayReads: reads, firstDayHits, fall }
}

function wide (radius: number): Difference {
  return { estimate: 0, low: -2 * radius, high: 2 * radius, z: 0, detectable: radius }
}

const latency = { p50: NO_DIFFERENCE, p95: NO_DIFFERENCE, p99: NO_DIFFERENCE }
const bothFail = recentOf(10, recentCounts(1000, 900), recentCounts(1000, 900))

const CASES: readonly Case[] = [
  { claim: 'a healthy stage goes on after its hold time', evidence: {}, kind: 'go' },
  { claim: 'a healthy stage waits for its hold time', evidence: { observedMinutes: 47 * 60 }, kind: 'wait', gate: 'time', reason: /47 of 48 hours/ },
  {
    claim: 'too few requests of the cached arm never go on',
    evidence: { cached: armTotals({ requests: 9_999 }), observedMinutes: 1e6 },
    kind: 'wait',
    gate: 'sample',
    reason: /not enough data: 9999 of 10000/
  },
  {
    claim: 'too few requests never step back by a comparison',
    evidence: { cached: armTotals({ requests: 9_999 }), latency: { ...latency, p50: MORE } },
    kind: 'wait',
    gate: 'sample'
  },
  {
    claim: 'an error burst steps back at once, below the sample and the hold time',
    kind: 'back',
    gate: 'error burst',
    reason: /30 % of 100 requests/,
    evidence: {
      observedMinutes: 1,
      cached: armTotals({ requests: 100, failures: 30 }),
      control: armTotals({ requests: 900 }),
      recent: recentOf(1, recentCounts(100, 30), recentCounts(900, 1))
    }
  },
  { claim: 'a failing source, in both arms, is no error burst', evidence: { recent: bothFail }, kind: 'go' },
  {
    claim: 'a failing source, in both arms, is no error rate to step back for',
    kind: 'wait',
    gate: 'error rate',
    evidence: { cached: armTotals({ failures: 5000 }), control: armTotals({ failures: 5000 }), recent: bothFail }
  },
  {
    claim: 'failures of one group of subjects are no error burst',
    kind: 'go',
    evidence: { recent: recentOf(10, recentCounts(1000, 100, 98), recentCounts(1000, 0)) }
  },
  {
    claim: 'two failures of three requests are no error burst',
    kind: 'go',
    evidence: { recent: recentOf(1, recentCounts(3, 2), recentCounts(100, 0)) }
  },
  {
    claim: 'an error rate certainly above 1 % and above the control arm steps back',
    kind: 'back',
    gate: 'error rate',
    reason: /error rate 2 %, of the control arm 0.02 %/,
    evidence: { cached: armTotals({ failures: 1000 }), ownFailures: MORE }
  },
  {
    claim: 'an error rate above 1 % that may be chance waits',
    kind: 'wait',
    gate: 'error rate',
    evidence: { cached: armTotals({ requests: 10_000, failures: 105 }), ownFailures: MORE }
  },
  { claim: 'an error rate between 0.1 and 1 % waits', evidence: { cached: armTotals({ failures: 100 }) }, kind: 'wait', gate: 'error rate', reason: /0.2 %/ },
  { claim: 'cache errors below 1 % go on', evidence: { cached: armTotals({ cacheErrors: 400 }) }, kind: 'go' },
  { claim: 'cache errors above 1 % wait', evidence: { cached: armTotals({ cacheErrors: 1000 }) }, kind: 'wait', gate: 'cache errors' },
  { claim: 'cache errors certainly above 5 % step back', evidence: { cached: armTotals({ cacheErrors: 4000 }) }, kind: 'back', gate: 'cache errors', reason: /8 %/ },
  {
    claim: 'a hit rate below 40 % waits', evidence: { cached: armTotals({ hits: 19_000 }) }, kind: 'wait', gate: 'hit rate', reason: /38 %, above 40 % is needed/
  },
  { claim: 'a hit rate is not asked for at 10 %', percent: 10, evidence: { cached: armTotals({ hits: 0 }) }, kind: 'go' },
  {
    claim: 'a hit rate that fell by more than 10 points since that hour of the first day steps back',
    kind: 'back',
    gate: 'hit rate fall',
    reason: /40 % this hour, 60 %/,
    evidence: { hitRates: ratesOf(3000, 1200, 1800, { estimate: 0.2, low: 0.15, high: 0.25, z: 15, detectable: 0.1 }) }
  },
  {
    claim: 'a fall by more than 10 points that may be chance waits',
    kind: 'wait',
    gate: 'hit rate fall',
    evidence: { hitRates: ratesOf(300, 120, 180, { estimate: 0.2, low: 0.08, high: 0.32, z: 6, detectable: 0.1 }) }
  },
  {
    claim: 'a certain fall by less than 10 points goes on',
    kind: 'go',
    evidence: { hitRates: ratesOf(3000, 1600, 1800, { estimate: 0.07, low: 0.05, high: 0.09, z: 9, detectable: 0.1 }) }
  },
  { claim: 'the first day has no hit rate to fall from', evidence: { hitRates: undefined }, kind: 'go' },
  { claim: 'a p99 of 50 ms waits', evidence: { cached: armTotals({ p99: 50 }) }, kind: 'wait', gate: 'p99', reason: /p99 50 ms, below 50 ms is needed/ },
  ...(['p50', 'p95', 'p99'] as const).flatMap((name): Case[] => [
    { claim: `a certainly higher ${name} steps back`, evidence: { latency: { ...latency, [name]: MORE } }, kind: 'back', gate: `${name} against control`, reason: /\+35 %/ },
    { claim: `a suspected higher ${name} waits`, evidence: { latency: { ...latency, [name]: MAYBE_MORE } }, kind: 'wait', gate: `${name} against control` },
    { claim: `a lower ${name} goes on`, evidence: { latency: { ...latency, [name]: LESS } }, kind: 'go' },
    { claim: `a ${name} without a variance waits`, evidence: { latency: { ...latency, [name]: undefined } }, kind: 'wait', gate: `${name} against control` }
  ]),
  { claim: 'more loads per read than the control arm step back', evidence: { loads: MORE }, kind: 'back', gate: 'loads against control', reason: /\+30 points/ },
  { claim: 'maybe more loads per read wait', evidence: { loads: MAYBE_MORE }, kind: 'wait', gate: 'loads against control' },
  { claim: 'more failures than the control arm, below 1 %, wait at 50 %', evidence: { cached: armTotals({ failures: 200 }), failures: MORE }, kind: 'wait', gate: 'error rate' },
  {
    claim: 'more failures than the control arm, below 1 %, step back at 100 %',
    kind: 'back',
    gate: 'errors against control',
    percent: 100,
    evidence: { cached: armTotals({ failures: 200 }), failures: MORE }
  },
  {
    claim: 'a few failures do not step back, even if the test says so',
    kind: 'wait',
    gate: 'time',
    percent: 100,
    evidence: { cached: armTotals({ failures: 12 }), control: armTotals({ failures: 9 }), failures: MORE }
  },
  {
    claim: 'a certainly slower window steps back, though the whole stage is not slower',
    kind: 'back',
    gate: 'p95 against control',
    reason: /^\+123 % \(\+64\.9 to \+200\) in the last 20 minutes: the odds to be slower than the control arm's p95/,
    evidence: { windows: [windowOf({ latency: { ...latency, p95: { estimate: 0.8, low: 0.5, high: 1.1, z: 9, detectable: 0.1 } } })] }
  },
  {
    claim: 'a slower window within its tolerance goes on',
    kind: 'go',
    evidence: { windows: [windowOf({ latency: { ...latency, p95: { estimate: 0.3, low: 0.2, high: 0.4, z: 9, detectable: 0.1 } } })] }
  },
  {
    claim: 'a suspected window waits',
    kind: 'wait',
    gate: 'p50 against control',
    reason: /in the last 5 hours: .* too much to go on, too little to step back/,
    evidence: { windows: [windowOf({ minutes: 300, tolerance: 0, latency: { ...latency, p50: { ...MAYBE_MORE, z: 3.5 } } })] }
  },
  {
    claim: 'a slower window never steps back below the sample',
    kind: 'wait',
    gate: 'sample',
    evidence: {
      cached: armTotals({ requests: 9_999 }),
      windows: [windowOf({ latency: { ...latency, p50: { estimate: 2, low: 1, high: 3, z: 9, detectable: 0.1 } } })]
    }
  },
  {
    claim: 'failures of a window step back, though the whole stage has few',
    kind: 'back',
    gate: 'error rate',
    reason: /^error rate 5 %, of the control arm 0\.05 % in the last 2 hours$/,
    evidence: {
      windows: [
        windowOf({ minutes: 120, cached: { requests: 4000, failures: 200 }, control: { requests: 4000, failures: 2 }, ownFailures: MORE })
      ]
    }
  },
  {
    claim: 'failures of both arms in a window are no sign',
    kind: 'go',
    evidence: {
      windows: [windowOf({ minutes: 120, cached: { requests: 4000, failures: 200 }, control: { requests: 4000, failures: 190 } })]
    }
  },
  {
    claim: 'few more failures of a window, below 1 %, step back at 100 % alone',
    kind: 'back',
    gate: 'errors against control',
    percent: 100,
    reason: /in the last 20 minutes: the odds to fail/,
    evidence: {
      windows: [windowOf({ cached: { requests: 20_000, failures: 100 }, control: { requests: 20_000, failures: 4 }, failures: MORE })]
    }
  },
  {
    claim: 'more loads in the last minutes step back, though the whole stage has fewer',
    kind: 'back',
    gate: 'loads against control',
    reason: /^\+30 points \(\+10 to \+50\) in the last 10 minutes: the loads per read/,
    evidence: { recent: { ...recentOf(10, recentCounts(1000, 0), recentCounts(1000, 0)), loads: MORE } }
  },
  {
    claim: 'a hit rate that fell in the last minutes steps back, though that of the hour did not',
    kind: 'back',
    gate: 'hit rate fall',
    reason: /^hit rate 30 % in the last minutes of this hour, 60 % in the same hour of the first day$/,
    evidence: {
      recent: {
        ...recentOf(10, recentCounts(1000, 0), recentCounts(1000, 0)),
        hitRates: ratesOf(1000, 300, 600, { estimate: 0.3, low: 0.2, high: 0.4, z: 20, detectable: 0.1 })
      }
    }
  },
  {
    claim: 'an interval that would hide a regression of 20 % waits',
    kind: 'wait',
    gate: 'detectable regression',
    reason: /^not enough data: a regression of 20 % could not be seen yet \(±44 %\), the control arm has had 50000 requests$/,
    evidence: { latency: { p50: wide(0.8), p95: wide(0.8), p99: wide(0.8) } }
  },
  {
    claim: 'an interval that would hide a regression at p95 and p99 goes on, if the median shows one of all requests',
    kind: 'go',
    evidence: { latency: { p50: wide(0.39), p95: wide(0.8), p99: wide(0.8) } }
  },
  {
    claim: 'a wide interval goes on if it excludes a regression of 20 %: the cached arm is faster',
    kind: 'go',
    evidence: { latency: { ...latency, p50: { estimate: -2, low: -3, high: -1, z: -6, detectable: 0.8 }, p95: wide(0.8), p99: wide(0.8) } }
  },
  {
    claim: 'an interval without meaning is not printed as a number',
    kind: 'wait',
    gate: 'detectable regression',
    percent: 100,
    reason: /^not enough data: a regression of 20 % could not be seen yet \(±more than 1000 %\), the hold-out has had 40 requests$/,
    evidence: {
      percent: 100,
      observedMinutes: 1e5,
      control: armTotals({ requests: 40 }),
      latency: { p50: wide(80), p95: wide(90), p99: wide(100) }
    }
  },
  {
    claim: 'without a time before the stage it waits, and says what to do',
    kind: 'wait',
    gate: 'p50 against control',
    reason: /^not enough data: a stage is compared with the time before it, of which nothing is known: .* going to 0 begins it again$/,
    evidence: { latency: { p50: undefined, p95: undefined, p99: undefined }, failures: undefined, missing: { of: 'before' } }
  },
  {
    claim: 'subjects in too few groups are named with their number',
    kind: 'wait',
    gate: 'p50 against control',
    reason: /^not enough data: requests in 3 of at least 5 groups of subjects of an arm for p50$/,
    evidence: { latency: { p50: undefined, p95: undefined, p99: undefined }, missing: { of: 'groups', count: 3, needed: 5 } }
  },
  { claim: 'the stage of 100 % is stable after 7 days', percent: 100, evidence: { observedMinutes: 7 * 1440 }, kind: 'go' },
  { claim: 'the stage of 100 % waits before 7 days', percent: 100, evidence: { observedMinutes: 7 * 1440 - 1 }, kind: 'wait', gate: 'time' }
]

for (const { claim, evidence, kind, gate, reason, percent = 50, criteria = defaultCriteria(percent) } of CASES) {
  t.test(`judge: ${claim}`, async (t) => {
    const verdict = judge(evidenceOf(evidence), criteria)
    t.equal(verdict.kind, kind, verdict.reason)
    if (gate !== undefined) t.equal(verdict.gates.find(({ reason }) => reason === verdict.reason)?.name, gate, verdict.reason)
    if (reason !== undefined) t.match(verdict.reason, reason)
    t.ok(verdict.reason.length > 0)
  })
}

t.test('judge: without a control arm only absolute criteria hold, and the rows say so', async (t) => {
  const without = {
    hasControl: false,
    control: armTotals({ requests: 0, failures: 0 }),
    latency: { p50: undefined, p95: undefined, p99: undefined },
    failures: undefined,
    ownFailures: undefined,
    loads: undefined
  }
  const healthy = judge(evidenceOf({ ...without, observedMinutes: 7 * 1440 }), defaultCriteria(100))
  t.equal(healthy.kind, 'go')
  const compared = healthy.gates.filter(({ name }) => name.endsWith('against control'))
  t.equal(compared.length, 5)
  for (const { reason } of compared) t.match(reason, /no control arm \(holdOut 0\): only absolute criteria hold/)
  const failing = judge(evidenceOf({ ...without, cached: armTotals({ failures: 1000 }) }), defaultCriteria(100))
  t.equal(failing.kind, 'back')
  t.match(failing.reason, /^error rate 2 %$/)
  const burst = recentOf(2, recentCounts(1000, 300), recentCounts(0, 0))
  t.match(judge(evidenceOf({ ...without, recent: burst }), defaultCriteria(100)), { kind: 'back', reason: /error burst: 30 %/ })
})

t.test('judge: no sentence has a number of more than seven digits, however few requests there are', async (t) => {
  const absurd = { estimate: 20, low: -20, high: 300, z: 2.5, detectable: 0.1 }
  const slow = { p50: absurd, p95: { ...absurd, high: Infinity }, p99: absurd }
  const { gates } = judge(evidenceOf({ latency: slow, loads: absurd, failures: absurd }), defaultCriteria(100))
  for (const { reason } of gates) t.notMatch(reason, /\d{8}|e\+|Infinity|NaN/, reason)
  t.match(gates.find(({ name }) => name === 'p50 against control')!.reason, /^more than 1000 % \(-100 to more than 1000\): /)
})

t.test('judge: a criterion that is not given has no row', async (t) => {
  const cached = armTotals({ failures: 10_000, cacheErrors: 10_000, hits: 0, p99: 9999 })
  const { kind, gates } = judge(evidenceOf({ cached, loads: MORE }), {
    holdHours: 48, minSample: 0, go: {}, back: {}
  })
  t.equal(kind, 'go')
  t.same(gates.map(({ name }) => name), ['sample', 'time'])
})

t.test('judge: the baseline waits for its hours, and for nothing else', async (t) => {
  const criteria = baselineCriteria(24)
  const baseline = { stage: 0, percent: 0, cached: armTotals({ requests: 0 }) }
  t.match(judge(evidenceOf({ ...baseline, observedMinutes: 1439 }), criteria), { kind: 'wait', reason: /24 of 24|of 24 hours/ })
  t.equal(judge(evidenceOf({ ...baseline, observedMinutes: 1440 }), criteria).kind, 'go')
})
