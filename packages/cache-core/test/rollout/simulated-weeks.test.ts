import t from 'tap'
import { simulateHarms, simulateWeek, type HarmSettings, type Week } from './fixtures/simulated-week.js'
import { SEED } from './fixtures/seed.js'

// These tests simulate 200 of the weeks of `npm run bench -- rollout-weeks`. Few of them are healthy, since a healthy week takes the time
// of nine others. The bounds are wide, so that a random seed does not fail a right rule.
const RATES = [5, 20, 100]
const HEALTHY = 4
const REGRESSED = 28
const LATE = 4
/** Minutes between two looks: those at which each of the shortest windows, of twenty minutes, is full. */
const DECIDED_EVERY = 20

t.setTimeout(1_200_000)

/** Returns a function that makes a value at its first call. */
function once<T extends object> (make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

t.test('simulated weeks: healthy ones go through all stages at their times', async (t) => {
  t.comment(`SEED=${SEED}`)
  const ends: Week[] = []
  for (const requestsPerSecond of RATES) {
    for (let week = 0; week < HEALTHY; week++) {
      ends.push(simulateWeek({ seed: SEED + week, requestsPerSecond, regression: 'none', lookEvery: DECIDED_EVERY }))
    }
  }
  const back = ends.filter(({ outcome }) => outcome === 'back')
  // 1 % of 12 weeks is 0.1. Three or more such weeks are less likely than once in 2000 runs.
  t.ok(back.length < 3, `${back.length} of ${ends.length} stepped back: ${back.map(({ stage, verdict }) => `stage ${stage}: ${verdict.reason}`).join('; ')}`)
  const onTime = ends.filter(({ outcome, delay }) => outcome === 'done' && delay <= 60)
  t.ok(onTime.length >= 0.5 * ends.length, `${onTime.length} of ${ends.length} were on time`)
  // At 5 requests/s the hold-out has one request in 20 s, so the last stage may wait until the hold-out has enough requests.
  for (const { outcome, verdict } of ends) if (outcome === 'waits') t.match(verdict.reason, /not enough data|too much to go on|is needed|first day/)
})

const regressed = once(() => RATES.flatMap((requestsPerSecond) => Array.from({ length: REGRESSED }, (_, week) => simulateHarms(
  { seed: SEED + week, requestsPerSecond, lookEvery: DECIDED_EVERY, stages: 1, begins: { stage: 1, minute: 0 }, regression: 'none' },
  [{ regression: 'all' }, { regression: 'tail' }]
))))
for (const [at, regression] of ['all', 'tail'].entries()) {
  t.test(`simulated weeks: a regression of 20 % (${regression}) steps back before the next stage`, async (t) => {
    t.comment(`SEED=${SEED}`)
    const ends = regressed().map((weeks) => weeks[at]!)
    const caught = ends.filter(({ outcome }) => outcome === 'back')
    // 95 % of 84 weeks is 80. Fewer than 71 are less likely than once in 2000 runs.
    t.ok(caught.length >= 71, `${caught.length} of ${ends.length} stepped back`)
    for (const { verdict } of caught) t.match(verdict.reason, /slower than the control arm's p(?:50|95|99)/)
    t.ok(ends.filter(({ outcome }) => outcome === 'done').length < 4, 'others wait, and do not go on')
  })
}

// On the third day of the stage of 100 %, at 100 requests/s: the hold-out has one of them.
const HARMS: Readonly<Record<string, { settings: HarmSettings, minutes: number, reason: RegExp }>> = {
  'all requests twice as long': { settings: { regression: 'double' }, minutes: 60, reason: /in the last .* slower than the control arm's p\d\d/ },
  'all requests 20 % slower': { settings: { regression: 'all' }, minutes: 1440, reason: /in the last .* slower than the control arm's p\d\d/ },
  '5 % failures': { settings: { regression: 'none', harm: { failures: 0.05 } }, minutes: 60, reason: /^error (?:burst|rate)/ },
  '30 points less hits': { settings: { regression: 'none', harm: { hits: 0.3 } }, minutes: 60, reason: /^hit rate .* this hour/ },
  'twice the loads, few hits': { settings: { regression: 'none', harm: { hits: 0.5, loads: 2 } }, minutes: 30, reason: /loads per read|^hit rate/ }
}
const begins = { stage: 3, minute: 2 * 1440 + 300 }
const late = once(() => Array.from({ length: LATE }, (_, week) => simulateHarms(
  { seed: SEED + week, requestsPerSecond: 100, lookEvery: 5, from: 3, lastHours: 168, begins, regression: 'none' },
  Object.values(HARMS).map(({ settings }) => settings)
)))
for (const [at, [name, { minutes, reason }]] of Object.entries(HARMS).entries()) {
  t.test(`simulated weeks: ${name} late in the last stage step back within ${minutes} minutes`, async (t) => {
    t.comment(`SEED=${SEED}`)
    const ends = late().map((harms) => harms[at]!)
    const inTime = ends.filter((end) => end.outcome === 'back' && end.minutes >= begins.minute && end.minutes <= begins.minute + minutes)
    t.ok(inTime.length >= LATE - 1, ends.map((end) => `${end.outcome} after ${end.minutes - begins.minute} minutes: ${end.verdict.reason}`).join('; '))
    for (const { verdict } of inTime) t.match(verdict.reason, reason)
  })
}

t.test('simulated weeks: no verdict but "not enough data" below 10 000 requests of the cached arm', async (t) => {
  t.comment(`SEED=${SEED}`)
  // The cached arm has 0.01 requests/s, or 3456 on average in four days; a busy client in it can double that number.
  const { outcome, verdict } = simulateWeek({ seed: SEED, requestsPerSecond: 0.1, regression: 'all', lookEvery: DECIDED_EVERY, stages: 1 })
  t.equal(outcome, 'waits')
  t.match(verdict.reason, /^not enough data: \d{3,4} of 10000 requests of the cached arm$/)
})

t.test('simulated weeks: looks each minute and each twenty minutes end alike, since looks cost nothing', async (t) => {
  t.comment(`SEED=${SEED}`)
  for (let week = 0; week < 4; week++) {
    const settings = { seed: SEED + week, requestsPerSecond: 100, regression: 'all', stages: 1 } as const
    const [often, seldom] = [1, DECIDED_EVERY].map((lookEvery) => simulateWeek({ ...settings, lookEvery })) as [Week, Week]
    t.equal(often.outcome, seldom.outcome)
    t.ok(often.minutes <= seldom.minutes, `${often.minutes} and ${seldom.minutes} minutes`)
  }
})
