import t from 'tap'
import { HEALTHY, SimulatedApp, type SimulatedProcess, type Traffic } from '../fixtures/simulated-rollout.js'

const HOUR = 60
const DAY = 24 * HOUR
const BUSY: Traffic = { ...HEALTHY, requests: 500 }
/** Stages of hours in place of days; the criteria are the default ones. */
const SHORT = {
  baselineHours: 2,
  stages: [{ percent: 10, holdHours: 4 }, { percent: 50, holdHours: 4 }, { percent: 100, holdHours: 4 }]
}

/** Makes an app and runs it until it has reached a percent. */
async function appAt (seed: number, percent: number, options: Parameters<SimulatedApp['add']>[0] = SHORT): Promise<[SimulatedApp, SimulatedProcess]> {
  const app = new SimulatedApp(seed)
  const process = app.add(options)
  await app.run(20 * HOUR, BUSY, () => process.rollout.percent === percent)
  return [app, process]
}

/**
 * The hours of the stages. The last one is longer than a day, since hit rates are compared with the same hour of the first day. Default
 * stages are longer still.
 */
const HOURS = [8, 4, 26] as const
const LONG = { stages: [10, 50, 100].map((percent, at) => ({ percent, holdHours: HOURS[at]! })) }

t.test('canary: a healthy rollout reaches 100 % at the right times', async (t) => {
  const app = new SimulatedApp(1)
  const { rollout, canary } = app.add(LONG)
  const times: Record<number, number> = {}
  const isOver = (): boolean => {
    times[rollout.percent] ??= app.minutes
    return false
  }
  await app.run(DAY + (HOURS[0] + HOURS[1] + HOURS[2] + 1) * HOUR, { ...HEALTHY, requests: 300 }, isOver)
  t.same(await app.changes(), ['0 → 10', '10 → 50', '50 → 100', '100 → 100'])
  const [ten, fifty, hundred] = [times[10]!, times[50]!, times[100]!]
  t.ok(ten >= DAY && ten < DAY + 10, `10 % after a day: ${ten} minutes`)
  t.ok(fifty - ten >= HOURS[0] * HOUR && fifty - ten < HOURS[0] * HOUR + 10, `50 % a stage later: ${fifty - ten} minutes`)
  t.ok(hundred - fifty >= HOURS[1] * HOUR && hundred - fifty < HOURS[1] * HOUR + 10, `100 % a stage later: ${hundred - fifty} minutes`)
  t.match((await app.records()).at(-1)!.reason, /^the rollout is complete: /)
  t.equal(canary.status().completed, true)
  t.ok(canary.status().observedMinutes < 2 * HOUR, 'the next period is judged on its own')
})

t.test('canary: too few samples never promote', async (t) => {
  const app = new SimulatedApp(2)
  const { rollout, canary } = app.add(SHORT)
  await app.run(2 * HOUR + 5, { ...HEALTHY, requests: 20 })
  await app.run(8 * HOUR, { ...HEALTHY, requests: 20 })
  t.equal(rollout.percent, 10)
  t.match((await canary.view()).reason, /not enough data/)
})

const harms: Record<string, { traffic: Partial<Traffic>; reason: RegExp; at: number; within: number }> = {
  'an error burst': { traffic: { failureRate: (isCached) => isCached ? 0.3 : 0.0002 }, reason: /error/, at: 10, within: 10 },
  'a latency regression': { traffic: { latency: (isCached) => isCached ? 30 : 20 }, reason: /slower/, at: 50, within: 3 * HOUR },
  'a source that is loaded more': { traffic: { hitRate: 0.1, loadsPerMiss: (isCached) => isCached ? 1 : 0.5 }, reason: /loads per read/, at: 10, within: 4 * HOUR },
  'cache errors': { traffic: { cacheErrorRate: 0.5 }, reason: /cache's operations failed/, at: 50, within: 2 * HOUR }
}
for (const [name, { traffic, reason, at, within }] of Object.entries(harms)) {
  t.test(`canary: ${name} steps back, and the history names the reason with its numbers`, async (t) => {
    const [app, { rollout }] = await appAt(3, at)
    const before = (await app.records()).length
    await app.run(within, { ...BUSY, ...traffic }, () => rollout.percent < at)
    t.ok(rollout.percent < at, `within ${within} minutes`)
    const back = (await app.records())[before]
    t.equal(back?.from, at)
    t.match(back?.reason, reason)
    t.match(back?.numbers, { gates: [], cached: {}, control: {} })
  })
}

t.test('canary: a hit rate that falls steps back, against the same hour of the first day', async (t) => {
  const [app, { rollout }] = await appAt(4, 50, { ...SHORT, stages: [{ percent: 10, holdHours: 4 }, { percent: 50, holdHours: 48 }] })
  await app.run(25 * HOUR, { ...HEALTHY, requests: 300 })
  await app.run(5 * HOUR, { ...HEALTHY, requests: 300, hitRate: 0.5 }, () => rollout.percent < 50)
  t.equal(rollout.percent, 10)
  t.match((await app.records()).at(-1)!.reason, /hit rate [\d.]+ % this hour/)
})

t.test('canary: failures of both arms are no sign against the cache', async (t) => {
  const [app, { rollout }] = await appAt(5, 10)
  await app.run(3 * HOUR, { ...BUSY, failureRate: () => 0.3 })
  t.equal(rollout.percent, 10)
})

t.test('canary: a stage that failed waits twice as long before it is tried again', async (t) => {
  const [app, { rollout, canary }] = await appAt(6, 50)
  await app.run(HOUR, { ...BUSY, failureRate: (isCached) => isCached ? 0.3 : 0 }, () => rollout.percent === 10)
  const since = app.minutes
  t.equal(canary.status().minutesToCount, 8 * HOUR)
  await app.run(10 * HOUR, BUSY, () => rollout.percent === 50)
  t.ok(rollout.percent === 50 && app.minutes - since >= 8 * HOUR, `${app.minutes - since} minutes`)
})

t.test('canary: paused raises nothing, and steps back as ever', async (t) => {
  const [app, { rollout, canary }] = await appAt(7, 10)
  await canary.act({ action: 'pause' })
  await app.run(6 * HOUR, BUSY)
  t.equal(rollout.percent, 10)
  await app.run(HOUR, { ...BUSY, failureRate: (isCached) => isCached ? 0.3 : 0 }, () => rollout.percent === 0)
  t.equal(rollout.percent, 0)
})

t.test('canary: the hold-out stays outside at 100', async (t) => {
  const app = new SimulatedApp(8)
  const { rollout, canary } = app.add()
  await app.wait(20)
  await canary.act({ action: 'to', percent: 100 })
  await app.wait(61)
  t.same([rollout.percent, rollout.limit, rollout.isAllOrNothing], [100, 9900, false])
})

t.test('canary: a raise loads the warm items first and ramps over a minute, the same in every process', async (t) => {
  const app = new SimulatedApp(9)
  const [one, other] = [app.add(), app.add()]
  await app.wait(20)
  await one.canary.act({ action: 'to', percent: 50 })
  t.same([one.warmedAt, other.warmedAt], [[0], []], 'loaded once, at percent 0')
  const seen: number[] = []
  for (let second = 0; second <= 60; second += 15) {
    t.equal(other.rollout.percent, one.rollout.percent)
    seen.push(one.rollout.percent)
    await app.wait(15)
  }
  t.same(seen, [0, 12.5, 25, 37.5, 50])
})

t.test('canary: minutes of a ramp are not counted', async (t) => {
  const app = new SimulatedApp(10)
  const { canary } = app.add()
  await app.run(2)
  await canary.act({ action: 'to', percent: 50 })
  await app.run(4)
  t.ok(canary.status().observedMinutes <= 2, `${canary.status().observedMinutes} of 4 minutes`)
})

t.test('canary: manual recommends once, and changes nothing', async (t) => {
  const app = new SimulatedApp(11)
  const { rollout, canary } = app.add({ ...SHORT, advance: 'manual' })
  await app.run(5 * HOUR)
  t.equal(rollout.percent, 0)
  t.match(canary.status().recommendation, /^would go to 10: /)
  t.equal((await app.records()).length, 1)
})

t.test('canary: without a cache in service no minute counts', async (t) => {
  const app = new SimulatedApp(12)
  const process = app.add(SHORT)
  process.isServing = false
  await app.run(5 * HOUR)
  t.same([process.rollout.percent, process.canary.status().observedMinutes], [0, 0])
  t.match(process.canary.status().note, /^no minute counts, since no cache in service/)
  process.isServing = true
  t.equal(process.canary.status().note, undefined)
})

t.test('canary: a clock that jumps neither promotes nor steps back, and the count goes on', async (t) => {
  const [app, { rollout, canary }] = await appAt(13, 10)
  await app.run(HOUR, BUSY)
  const before = canary.status().observedMinutes
  app.clock.advance(40 * DAY * 60)
  await app.run(3, BUSY)
  t.equal(rollout.percent, 10)
  t.ok(canary.status().observedMinutes <= before + 4, 'the jump counts as no time')
  app.clock.advance(-40 * DAY * 60)
  await app.run(20, BUSY)
  t.equal(rollout.percent, 10)
  t.ok(canary.status().observedMinutes > before + 10, 'minutes are counted after the clock was set back')
})
