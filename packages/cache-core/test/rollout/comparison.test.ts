import t from 'tap'
import fc from 'fast-check'
import { Cohorts } from '../../src/rollout/cohorts.js'
import { Comparison } from '../../src/rollout/comparison.js'
import { defaultCriteria } from '../../src/rollout/criteria.js'
import { judge } from '../../src/rollout/gates.js'
import { MinuteCounts } from '../../src/rollout/minute-counts.js'
import { Draw } from './fixtures/draw.js'
import { SEED } from './fixtures/seed.js'
import { SimulatedTraffic } from './fixtures/simulated-traffic.js'

const cohorts = new Cohorts([10, 50, 100])
const EPOCH = 1440 * 20_000

interface Shape {
  readonly stage: number
  /** Milliseconds by which the cached arm is slower. */
  readonly cachedMs?: number
  readonly hitRate?: number
  readonly loadsPerRead?: number
  /** The number of failures among the 20 requests of each group of the cached arm. */
  readonly failing?: number
  /** The number of requests of each group of the hold-out. */
  readonly heldOut?: number
  /** A number by which the durations are rotated among the requests, so that single requests differ. */
  readonly turn?: number
}

/** Makes a minute in which each group has 20 requests of 10 ms to 29 ms. */
function minuteOf (shape: Shape): MinuteCounts {
  const { stage, cachedMs = 0, hitRate = 0.6, loadsPerRead = 1 - hitRate, failing = 0, heldOut = 20, turn = 0 } = shape
  const counts = new MinuteCounts(cohorts, cohorts.limitOf(stage))
  for (let group = 0; group < cohorts.groups; group++) {
    const isCached = cohorts.isCached(group, stage)
    for (let at = 0; at < (group < 60 ? 20 : heldOut); at++) {
      counts.addRequest(group, 10 + (at + turn * (group + 1)) % 20 + (isCached ? cachedMs : 0), isCached && at < failing)
      if (!isCached) Object.assign(counts.control, { reads: counts.control.reads + 1, loads: counts.control.loads + 1 })
    }
  }
  const reads = 20 * 20 * stage
  Object.assign(counts.cached, { reads, hits: Math.round(reads * hitRate), loads: Math.round(reads * loadsPerRead), operations: reads })
  return counts
}

/** A comparison, and a function that adds minutes of its stage. */
interface Folding { readonly comparison: Comparison, readonly fold: (minutes: number, shape: Omit<Shape, 'stage'>) => void }

/** Goes on with a comparison after a minute. */
function foldingAfter (last: number, comparison: Comparison): Folding {
  let minute = last
  return {
    comparison,
    fold (minutes, shape) {
      const counts = minuteOf({ stage: comparison.stage, ...shape })
      for (let at = 0; at < minutes; at++) comparison.fold(++minute, counts)
    }
  }
}

const BASELINE = 180

/** Makes a comparison with a baseline of three hours and a stage that has just begun. */
function comparisonAt (stage: number): Folding {
  const folding = foldingAfter(EPOCH, new Comparison(cohorts))
  folding.fold(BASELINE, {})
  folding.comparison.startStage(stage)
  return folding
}

const ALMOST_THREE_DAYS = 3 * 1440 - 17
let threeDays: Uint8Array | undefined

/**
 * Makes a comparison whose stage of 100 % has lasted three days but for 17 minutes. The days are added once, and each test decodes them,
 * since they take longer than the tests. That a decoded comparison goes on as the one that was encoded is a claim of its own.
 */
function lateComparison (): Folding {
  if (threeDays === undefined) {
    const { comparison, fold } = comparisonAt(3)
    fold(ALMOST_THREE_DAYS, {})
    threeDays = comparison.encode()
  }
  const read = Comparison.decode(threeDays, cohorts)
  if (!read.ok) throw read.error
  return foldingAfter(EPOCH + BASELINE + ALMOST_THREE_DAYS, read.value)
}

t.test('fold: counts a minute once, and none that goes back in time', async (t) => {
  const comparison = new Comparison(cohorts)
  const minute = minuteOf({ stage: 0 })
  t.equal(comparison.fold(EPOCH + 1, minute), true)
  t.equal(comparison.fold(EPOCH + 1, minute), false, 'the same minute')
  t.equal(comparison.fold(EPOCH, minute), false, 'a clock that jumped back')
  t.equal(comparison.fold(EPOCH + 100, minute), true, 'a gap')
  t.equal(comparison.observedMinutes, 2, 'time in a stage is the number of minutes')
})

t.test('fold: leaves out minutes of another percent, of a change of it, and of other stages', async (t) => {
  const comparison = new Comparison(cohorts)
  t.equal(comparison.fold(EPOCH + 1, minuteOf({ stage: 1 })), false)
  t.equal(comparison.fold(EPOCH + 2, new MinuteCounts(cohorts, undefined)), false)
  t.equal(comparison.fold(EPOCH + 3, new MinuteCounts(new Cohorts([20, 100]), 0)), false)
  t.equal(comparison.observedMinutes, 0)
})

t.test('evidence: has the totals of both arms', async (t) => {
  const { comparison, fold } = comparisonAt(1)
  fold(10, { failing: 1 })
  const { stage, percent, cached, control, observedMinutes, hasControl } = comparison.evidence()
  t.match({ stage, percent, observedMinutes, hasControl }, { stage: 1, percent: 10, observedMinutes: 10, hasControl: true })
  t.match(cached, { requests: 4000, failures: 200, reads: 4000, hits: 2400, loads: 1600 })
  t.match(control, { requests: 12_000, failures: 0, reads: 12_000, hits: 0, loads: 12_000 })
  t.ok(cached.p50! > 18 && cached.p50! < 21, String(cached.p50))
})

t.test('evidence: a slower cached arm steps back within one evaluation, the reason names it', async (t) => {
  const { comparison, fold } = comparisonAt(1)
  fold(30, { cachedMs: 6 })
  const verdict = judge(comparison.evidence(), defaultCriteria(10))
  t.equal(verdict.kind, 'back')
  t.match(verdict.reason, /the odds to be slower than the control arm's p50 in the cached arm/)
})

t.test('evidence: a slower cached arm is found where all requests of an app last equally long', async (t) => {
  const comparison = new Comparison(cohorts)
  let minute = EPOCH
  const fold = (stage: number, ms: number): void => {
    const counts = new MinuteCounts(cohorts, cohorts.limitOf(stage))
    for (let group = 0; group < cohorts.groups; group++) {
      for (let at = 0; at < 20; at++) counts.addRequest(group, cohorts.isCached(group, stage) ? ms : 30, false)
    }
    comparison.fold(++minute, counts)
  }
  for (let at = 0; at < 180; at++) fold(0, 30)
  comparison.startStage(1)
  for (let at = 0; at < 30; at++) fold(1, 30)
  t.equal(comparison.evidence().latency.p50!.estimate, 0)
  for (let at = 0; at < 30; at++) fold(1, 36)
  t.ok(comparison.evidence().latency.p50!.low > 0)
})

t.test('evidence: a standing difference of the arms is no difference', async (t) => {
  const comparison = new Comparison(cohorts)
  const standing = (stage: number): MinuteCounts => {
    const counts = new MinuteCounts(cohorts, cohorts.limitOf(stage))
    for (let group = 0; group < cohorts.groups; group++) {
      for (let at = 0; at < 20; at++) counts.addRequest(group, 10 + at + (group < 20 ? 4 : 0), false)
    }
    return counts
  }
  for (let minute = 1; minute <= 180; minute++) comparison.fold(EPOCH + minute, standing(0))
  comparison.startStage(1)
  for (let minute = 181; minute <= 240; minute++) comparison.fold(EPOCH + minute, standing(1))
  const { latency } = comparison.evidence()
  t.ok(Math.abs(latency.p50!.estimate) < 1e-9 && Math.abs(latency.p95!.estimate) < 1e-9)
})

t.test('evidence: more loads per read than the control arm step back, the reason names them', async (t) => {
  const { comparison, fold } = comparisonAt(1)
  fold(40, { loadsPerRead: 1.2 })
  t.match(judge(comparison.evidence(), defaultCriteria(10)), { kind: 'back', reason: /\+20 points .* the loads per read/ })
})

t.test('evidence: an error burst of the cached arm steps back after its minute', async (t) => {
  const { comparison, fold } = comparisonAt(1)
  fold(20, {})
  t.equal(judge(comparison.evidence(), defaultCriteria(10)).kind, 'wait')
  fold(1, { failing: 10 })
  t.match(judge(comparison.evidence(), defaultCriteria(10)), { kind: 'back', reason: /error burst/ })
})

t.test('evidence: a hit rate that falls on the second day steps back, the reason has both rates', async (t) => {
  const { comparison, fold } = comparisonAt(2)
  fold(1440, {})
  fold(30, {})
  t.equal(judge(comparison.evidence(), defaultCriteria(50)).kind, 'wait')
  fold(60, { hitRate: 0.45 })
  t.match(judge(comparison.evidence(), defaultCriteria(50)), { kind: 'back', reason: /hit rate 45 % this hour, 60 % in the same hour of the first day/ })
})

// Harm on the third day of the stage of 100 %, when the hold-out has 400 requests per minute.
const LATE: Readonly<Record<string, { shape: Omit<Shape, 'stage'>, reason: RegExp }>> = {
  'a doubled latency': { shape: { cachedMs: 20 }, reason: /in the last (?:minute|\d+ minutes): the odds to be slower than the control arm's p\d\d/ },
  'failures of 5 %': { shape: { failing: 1 }, reason: /^error burst: .* failed in the last 10 minutes|^error rate .* in the last \d+ minutes$/ },
  'a hit rate that falls by 30 points': { shape: { hitRate: 0.3 }, reason: /hit rate 30 % in the last minutes of this hour, 60 % in the same hour of the first day/ },
  'doubled loads': { shape: { hitRate: 0.6, loadsPerRead: 1.4 }, reason: /in the last 10 minutes: the loads per read/ }
}
for (const [name, { shape, reason }] of Object.entries(LATE)) {
  t.test(`evidence: ${name} late in a stage steps back within eleven minutes, the reason names it`, async (t) => {
    const { comparison, fold } = lateComparison()
    t.equal(judge(comparison.evidence(), defaultCriteria(100)).kind, 'wait')
    let minutes = 0
    while (minutes < 60 && judge(comparison.evidence(), defaultCriteria(100)).kind !== 'back') {
      fold(1, shape)
      minutes++
    }
    t.ok(minutes <= 11, `${minutes} minutes`)
    t.match(judge(comparison.evidence(), defaultCriteria(100)), { kind: 'back', reason })
  })
}

t.test('evidence: a regression that begins late is diluted in the stage, and not in a window', async (t) => {
  const { comparison, fold } = lateComparison()
  fold(17, {})
  fold(1440, { cachedMs: 2 })
  const { latency, windows } = comparison.evidence()
  t.same(windows.map(({ minutes }) => minutes), [20, 120, 1440])
  t.ok(windows[2]!.latency.p50!.estimate > 3 * latency.p50!.estimate, `${windows[2]!.latency.p50!.estimate} and ${latency.p50!.estimate}`)
})

t.test('evidence: a hold-out with few requests is compared by the thresholds of the stages before', async (t) => {
  const comparison = new Comparison(cohorts)
  let minute = EPOCH
  // The baseline of three hours has 900 requests of the hold-out, fewer than thresholds of its own would need.
  const fold = (stage: number): void => {
    comparison.fold(++minute, minuteOf({ stage, heldOut: minute % 4 === 0 ? 1 : 0, turn: minute % 19 }))
  }
  for (let at = 0; at < 180; at++) fold(0)
  comparison.startStage(3)
  for (let at = 0; at < 30; at++) fold(3)
  t.ok(comparison.evidence().latency.p50 !== undefined)
  const { verdict, reason } = judge(comparison.evidence(), defaultCriteria(100)).gates.find(({ name }) => name === 'detectable regression')!
  t.equal(verdict, 'wait')
  t.match(reason, /^not enough data: a regression of 20 % could not be seen yet \(±.* %\), the hold-out has had 140 requests$/)
})

t.test('evidence: without a baseline a stage has nothing to be compared with, and says so', async (t) => {
  const comparison = new Comparison(cohorts)
  comparison.startStage(1)
  for (let at = 1; at <= 120; at++) comparison.fold(EPOCH + at, minuteOf({ stage: 1 }))
  const { missing, latency, failures } = comparison.evidence()
  t.same({ missing, latency, failures }, { missing: { of: 'before' }, latency: { p50: undefined, p95: undefined, p99: undefined }, failures: undefined })
})

t.test('startStage: drops the evidence of the stage, and holds that of the time before', async (t) => {
  const { comparison, fold } = comparisonAt(1)
  fold(60, { cachedMs: 6, failing: 5 })
  comparison.startStage(1)
  t.match(comparison.evidence(), { observedMinutes: 0, cached: { requests: 0, failures: 0, p50: undefined }, recent: { minutes: 0 } })
  t.equal(comparison.evidence().latency.p50, undefined)
  fold(60, {})
  t.ok(comparison.evidence().latency.p50!.low < 0)
})

t.test('decode: goes on as the comparison that was encoded', async (t) => {
  t.comment(`SEED=${SEED}`)
  const traffic = new SimulatedTraffic(cohorts, new Draw(SEED), { requestsPerSecond: 20, regression: 'none' })
  const comparison = new Comparison(cohorts)
  let copy = new Comparison(cohorts)
  for (let minute = 1; minute <= 600; minute++) {
    const stage = minute > 300 ? 1 : 0
    if (minute === 301) for (const one of [comparison, copy]) one.startStage(1)
    // The counts are drawn once and added to both comparisons.
    const counts = traffic.next(minute, stage)
    comparison.fold(EPOCH + minute, counts)
    copy.fold(EPOCH + minute, counts)
    if (minute % 97 !== 0) continue
    const bytes = copy.encode()
    t.ok(bytes.length < 64 * 1024, `${bytes.length} bytes`)
    const read = Comparison.decode(bytes, cohorts)
    if (!read.ok) throw read.error
    copy = read.value
    // As Buffers, which tap compares at once, and not number by number.
    t.same(Buffer.from(copy.encode()), Buffer.from(bytes))
  }
  t.same(copy.evidence(), comparison.evidence())
  t.ok(copy.evidence().latency.p99 !== undefined)
})

t.test('decode: damaged, foreign and other comparisons are CACHE_ERR_CORRUPT, never a throw', async (t) => {
  t.comment(`SEED=${SEED}`)
  const { comparison, fold } = comparisonAt(1)
  fold(5, {})
  const bytes = comparison.encode()
  const isRefused = (some: Uint8Array): boolean => {
    const read = Comparison.decode(some, cohorts)
    return !read.ok && read.error.code === 'CACHE_ERR_CORRUPT'
  }
  fc.assert(fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
    const damaged = bytes.slice()
    damaged[at]! ^= flip
    return isRefused(damaged) && isRefused(bytes.subarray(0, at))
  }), { seed: SEED, numRuns: 100 })
  t.ok(isRefused(minuteOf({ stage: 0 }).encode()))
  t.match(Comparison.decode(bytes, new Cohorts([10, 100])), { ok: false, error: { code: 'CACHE_ERR_CORRUPT', message: /other stages/ } })
})
