import t from 'tap'
import { SimulatedApp, type SimulatedProcess } from '../fixtures/simulated-rollout.js'

/** Starts a process with the stages 25 and 100, after processes with the stages 10, 50 and 100 have ended at a percent. */
async function afterAnotherPlan (seed: number, percent: number, options: object): Promise<[SimulatedApp, SimulatedProcess]> {
  const app = new SimulatedApp(seed)
  const own = app.add()
  await app.wait(20)
  await own.canary.act({ action: 'to', percent })
  await app.wait(70)
  const other = app.add({ stages: [25, 100], ...options })
  await app.wait(5)
  app.processes = [other]
  await own.canary.close()
  return [app, other]
}

t.test('takeover: with advance "manual" a percent of another plan does not move, and an operator is told what to send', async (t) => {
  const [app, { canary, rollout }] = await afterAnotherPlan(41, 50, { advance: 'manual' })
  await app.run(10)
  t.equal(rollout.percent, 50)
  t.match(canary.status().problem, /action "to" with one of 0, 25, 100/)
  t.equal(canary.isLeading, false)
  await canary.act({ action: 'to', percent: 25 })
  await app.run(3)
  t.same([rollout.percent, canary.status().problem, canary.isLeading], [25, undefined, true])
})

t.test('takeover: with advance "manual" a percent that is one of the own stages goes on', async (t) => {
  const [app, { canary, rollout }] = await afterAnotherPlan(42, 100, { advance: 'manual' })
  await app.run(5)
  t.same([rollout.percent, canary.status().stage, canary.status().problem], [100, 2, undefined])
})

t.test('takeover: a clock of the store that jumps is no sign that the decider of the other plan is gone', async (t) => {
  const app = new SimulatedApp(43)
  const now = app.store.now.bind(app.store)
  let shift = 0
  app.store.now = async () => await now() + shift
  const own = app.add()
  await app.wait(20)
  await own.canary.act({ action: 'to', percent: 50 })
  await app.wait(70)
  const other = app.add({ stages: [25, 100] })
  await app.run(3)
  // The clock's jump also ends the decider's lease, so the test keeps granting it.
  const lead = app.store.lead.bind(app.store)
  app.store.lead = async (processId, ttlMs) => { await lead(processId, ttlMs); return true }
  shift = 3_600_000
  // The decider makes no calls for ten seconds, as if it were busy.
  app.processes = [other]
  await app.wait(10)
  t.equal(other.rollout.percent, 50)
  t.match(other.canary.status().problem, /follows its percent/)
})

t.test('takeover: an action that was sent to a process of other stages is not undone by the decider', async (t) => {
  const app = new SimulatedApp(44)
  const own = app.add()
  await app.run(3)
  const other = app.add({ stages: [25, 100] })
  await app.wait(5)
  t.equal(own.canary.isLeading, true)
  await other.canary.act({ action: 'to', percent: 25 })
  await app.wait(63)
  t.same([own.rollout.percent, other.rollout.percent], [25, 25])
  await app.run(5)
  t.same([own.rollout.percent, other.rollout.percent, other.canary.status().stage], [25, 25, 1])
  t.equal(other.canary.isLeading, true)
})
