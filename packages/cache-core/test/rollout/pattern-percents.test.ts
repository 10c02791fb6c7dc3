import t from 'tap'
import { HEALTHY, SimulatedApp, type SimulatedProcess } from '../fixtures/simulated-rollout.js'

/** Makes an app that has counted minutes at 10 %. */
async function countedAt10 (seed: number): Promise<[SimulatedApp, SimulatedProcess]> {
  const app = new SimulatedApp(seed)
  const process = app.add()
  await app.run(3)
  await process.canary.act({ action: 'to', percent: 10 })
  await app.run(30, HEALTHY)
  t.ok(process.canary.status().observedMinutes > 20)
  return [app, process]
}

t.test('the percent of a key pattern changes: the evidence of the stage begins anew, and the history says so', async (t) => {
  const [app, { canary, rollout }] = await countedAt10(51)
  await canary.act({ action: 'off', pattern: 'user' })
  t.match((await app.records()).at(-1), { reason: /user to 0: the evidence of the stage begins anew$/, to: 0 })
  await app.run(5, HEALTHY)
  const { observedMinutes } = canary.status()
  t.ok(observedMinutes >= 2 && observedMinutes <= 5, `${observedMinutes} minutes`)
  const { arms } = await canary.view()
  t.ok(arms.cached.requests < 200, 'requests before the change are not in the arms')
  t.equal(rollout.percent, 10)
})

t.test('the percent of a key pattern is set to what it is: the evidence goes on', async (t) => {
  const [app, { canary }] = await countedAt10(52)
  await canary.act({ action: 'resume', pattern: 'user' })
  await app.run(5, HEALTHY)
  t.ok(canary.status().observedMinutes > 25)
})

t.test('the percent of a key pattern changes during a ramp: the ramp goes on', async (t) => {
  const app = new SimulatedApp(53)
  const { canary, rollout } = app.add()
  await app.run(3)
  await canary.act({ action: 'to', percent: 50 })
  await app.wait(30)
  await canary.act({ action: 'to', percent: 20, pattern: 'user' })
  t.equal(rollout.percent, 25)
  await app.wait(30)
  t.equal(rollout.percent, 50)
})

t.test('the percent of a key pattern changes in the baseline: nobody is cached, so the evidence goes on', async (t) => {
  const app = new SimulatedApp(54)
  const { canary } = app.add()
  await app.run(20)
  await canary.act({ action: 'to', percent: 20, pattern: 'user' })
  await app.run(5)
  t.ok(canary.status().observedMinutes > 18, `${canary.status().observedMinutes}`)
})
