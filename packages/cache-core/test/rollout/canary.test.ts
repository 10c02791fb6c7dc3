import t from 'tap'
import { HEALTHY, SimulatedApp, type Traffic } from '../fixtures/simulated-rollout.js'

const HOUR = 60
const DAY = 24 * HOUR

/** Runs an app to a percent, in which it has been for an hour. */
async function appAt (seed: number, percent: number): Promise<SimulatedApp> {
  const app = new SimulatedApp(seed)
  const process = app.add()
  await app.run(20 * DAY, HEALTHY, () => process.rollout.percent === percent)
  await app.run(2 * HOUR)
  return app
}

t.test('canary: healthy weeks reach 100 % at the right times', async (t) => {
  const app = new SimulatedApp(1)
  const { rollout } = app.add()
  const times: Record<number, number> = {}
  await app.run(14 * DAY, HEALTHY, () => { times[rollout.percent] ??= app.minutes; return false })
  t.same(await app.changes(), ['0 → 10', '10 → 50', '50 → 100', '100 → 100'])
  const [ten, fifty, hundred] = [times[10]!, times[50]!, times[100]!]
  t.ok(ten >= DAY && ten < DAY + 10, `10 % after a day: ${ten} minutes`)
  t.ok(fifty - ten >= 2 * DAY && fifty - ten < 2 * DAY + 10, `50 % two days later: ${fifty - ten} minutes`)
  t.ok(hundred - fifty >= 2 * DAY && hundred - fifty < 2 * DAY + 10, `100 % two days later: ${hundred - fifty} minutes`)
  t.match((await app.records()).at(-1)!.reason, /^the rollout is complete: /)
  t.equal(app.processes[0]!.canary.status().completed, true)
})

t.test('canary: too few samples never promote', async (t) => {
  const app = new SimulatedApp(2)
  const { rollout } = app.add()
  await app.run(20 * DAY, { ...HEALTHY, requests: 4 })
  t.equal(rollout.percent, 10)
  t.match((await app.processes[0]!.canary.view()).reason, /not enough data/)
})

const harms: Record<string, { traffic: Partial<Traffic>; reason: RegExp; at: number; within: number }> = {
  'an error burst': { traffic: { failureRate: (isCached) => isCached ? 0.3 : 0.0002 }, reason: /error/, at: 10, within: 20 },
  'a latency regression': { traffic: { latency: (isCached) => isCached ? 30 : 20 }, reason: /slower/, at: 50, within: 12 * HOUR },
  'a source that is loaded more': { traffic: { hitRate: 0.1, loadsPerMiss: (isCached) => isCached ? 1 : 0.5 }, reason: /loads per read/, at: 10, within: DAY },
  'cache errors': { traffic: { cacheErrorRate: 0.5 }, reason: /cache's operations failed/, at: 50, within: HOUR }
}
for (const [name, { traffic, reason, at, within }] of Object.entries(harms)) {
  t.test(`canary: ${name} steps back, and the history names the reason`, async (t) => {
    const app = await appAt(3, at)
    const before = (await app.records()).length
    // A stage waits for its sample before anything but a burst steps back.
    await app.run(30 * HOUR, at === 10 ? HEALTHY : { ...HEALTHY, requests: 200 })
    await app.run(within, { ...HEALTHY, ...traffic }, () => app.processes[0]!.rollout.percent < at)
    t.ok(app.processes[0]!.rollout.percent < at, `within ${within} minutes`)
    const back = (await app.records())[before]!
    t.equal(back.from, at)
    t.match(back.reason, reason)
    t.match(back.numbers, { gates: [], cached: {}, control: {} })
  })
}

t.test('canary: a hit rate that falls steps back, against the same hour of the first day', async (t) => {
  const app = await appAt(4, 50)
  await app.run(40 * HOUR, { ...HEALTHY, requests: 300 })
  await app.run(5 * HOUR, { ...HEALTHY, requests: 300, hitRate: 0.5 }, () => app.processes[0]!.rollout.percent < 50)
  t.equal(app.processes[0]!.rollout.percent, 10)
  t.match((await app.records()).at(-1)!.reason, /hit rate 5\d.* this hour/)
})

t.test('canary: failures of both arms are no sign against the cache', async (t) => {
  const app = await appAt(5, 10)
  await app.run(2 * HOUR, { ...HEALTHY, failureRate: () => 0.3 })
  t.equal(app.processes[0]!.rollout.percent, 10)
})

t.test('canary: a stage that failed waits twice as long before it is tried again', async (t) => {
  const app = await appAt(6, 50)
  await app.run(HOUR, { ...HEALTHY, failureRate: (isCached) => isCached ? 0.3 : 0 }, () => app.processes[0]!.rollout.percent === 10)
  const since = app.minutes
  t.equal(app.processes[0]!.canary.status().minutesToCount, 4 * DAY)
  await app.run(6 * DAY, HEALTHY, () => app.processes[0]!.rollout.percent === 50)
  t.ok(app.minutes - since >= 4 * DAY, `${app.minutes - since} minutes`)
})

t.test('canary: the hold-out stays outside at 100', async (t) => {
  const app = new SimulatedApp(7)
  const { rollout, canary } = app.add()
  await app.wait(20)
  await canary.act({ action: 'to', percent: 100 })
  await app.wait(61)
  t.same([rollout.percent, rollout.limit, rollout.isAllOrNothing], [100, 9900, false])
})

t.test('canary: a raise loads the warm items first and ramps over a minute, the same in every process', async (t) => {
  const app = new SimulatedApp(8)
  const [one, other] = [app.add(), app.add()]
  await app.wait(20)
  await one.canary.act({ action: 'to', percent: 50 })
  t.same([one.warmedAt, other.warmedAt], [[0], []], 'loaded once, at percent 0')
  const seen: number[] = []
  for (let second = 0; second <= 60; second += 15) {
    seen.push(one.rollout.percent)
    t.equal(other.rollout.percent, one.rollout.percent)
    await app.wait(15)
  }
  t.same(seen, [0, 12.5, 25, 37.5, 50])
})

t.test('canary: minutes of a ramp are not counted', async (t) => {
  const app = new SimulatedApp(9)
  const { canary } = app.add()
  await app.run(2)
  await canary.act({ action: 'to', percent: 50 })
  await app.run(4)
  t.ok(canary.status().observedMinutes <= 2, `${canary.status().observedMinutes} of 4 minutes`)
})

t.test('canary: manual recommends once, and changes nothing', async (t) => {
  const app = new SimulatedApp(10)
  const { rollout, canary } = app.add({ advance: 'manual' })
  await app.run(2 * DAY)
  t.equal(rollout.percent, 0)
  t.match(canary.status().recommendation, /^would go to 10: /)
  t.equal((await app.records()).length, 1)
})

t.test('canary: without a cache in service no minute counts', async (t) => {
  const app = new SimulatedApp(11)
  app.add().isServing = false
  await app.run(2 * DAY)
  t.same([app.processes[0]!.rollout.percent, app.processes[0]!.canary.status().observedMinutes], [0, 0])
})
