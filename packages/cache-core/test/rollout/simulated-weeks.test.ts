import t from 'tap'
import { simulateWeek, type Week } from './fixtures/simulated-week.js'
import { SEED } from './fixtures/seed.js'

// 200 weeks of the 16 000 that `npm run bench -- rollout-weeks` simulates. Bounds are wide: a random seed must not fail a right rule.
const RATES = [5, 20, 100]
const HEALTHY = 20
const REGRESSED = { all: 23, tail: 23 } as const
const DECIDED_EVERY = 10

t.setTimeout(1_200_000)

t.test('simulated weeks: healthy ones go through all stages at their times', async (t) => {
  t.comment(`SEED=${SEED}`)
  const ends: Week[] = []
  for (const requestsPerSecond of RATES) {
    for (let week = 0; week < HEALTHY; week++) {
      ends.push(simulateWeek({ seed: SEED + week, requestsPerSecond, regression: 'none', lookEvery: DECIDED_EVERY }))
    }
  }
  const back = ends.filter(({ outcome }) => outcome === 'back')
  // 1 % of 60 is 0.6: five are less likely than once in 2000 runs.
  t.ok(back.length < 5, `${back.length} of ${ends.length} stepped back: ${back.map(({ stage, verdict }) => `stage ${stage}: ${verdict.reason}`).join('; ')}`)
  const onTime = ends.filter(({ outcome, delay }) => outcome === 'done' && delay <= 60)
  t.ok(onTime.length >= 0.75 * ends.length, `${onTime.length} of ${ends.length} were on time`)
})

for (const [regression, weeks] of Object.entries(REGRESSED) as ['all' | 'tail', number][]) {
  t.test(`simulated weeks: a regression of 20 % (${regression}) steps back before the next stage`, async (t) => {
    t.comment(`SEED=${SEED}`)
    const ends: Week[] = []
    for (const requestsPerSecond of RATES) {
      for (let week = 0; week < weeks; week++) {
        ends.push(simulateWeek({ seed: SEED + week, requestsPerSecond, regression, lookEvery: DECIDED_EVERY, stages: 1 }))
      }
    }
    const caught = ends.filter(({ outcome }) => outcome === 'back')
    // 95 % of 69 is 66: less than 58 are less likely than once in 2000 runs.
    t.ok(caught.length >= 58, `${caught.length} of ${ends.length} stepped back`)
    for (const { verdict } of caught) t.match(verdict.reason, /slower than the control arm's p(?:50|95|99)/)
    t.ok(ends.filter(({ outcome }) => outcome === 'done').length < 5, 'others wait, and do not go on')
  })
}

t.test('simulated weeks: no verdict but "not enough data" below 10 000 requests of the cached arm', async (t) => {
  t.comment(`SEED=${SEED}`)
  // 0.02 requests/s of the cached arm are 3456 in 48 hours, and 6912 in four days.
  const { outcome, verdict } = simulateWeek({ seed: SEED, requestsPerSecond: 0.2, regression: 'all', lookEvery: DECIDED_EVERY, stages: 1 })
  t.equal(outcome, 'waits')
  t.match(verdict.reason, /^not enough data: \d{4} of 10000 requests of the cached arm$/)
})

t.test('simulated weeks: looks each minute and each ten minutes end alike, since looks cost nothing', async (t) => {
  t.comment(`SEED=${SEED}`)
  for (let week = 0; week < 4; week++) {
    const settings = { seed: SEED + week, requestsPerSecond: 100, regression: 'all', stages: 1 } as const
    const [often, seldom] = [1, DECIDED_EVERY].map((lookEvery) => simulateWeek({ ...settings, lookEvery })) as [Week, Week]
    t.equal(often.outcome, seldom.outcome)
    t.ok(often.minutes <= seldom.minutes, `${often.minutes} and ${seldom.minutes} minutes`)
  }
})
