import t from 'tap'
import { SimulatedApp } from '../fixtures/simulated-rollout.js'

/** Makes an app with a store whose clock a test can set forward or back by seconds. */
function appWithClock (seed: number): { app: SimulatedApp; set: (seconds: number) => void } {
  const app = new SimulatedApp(seed)
  const now = app.store.now.bind(app.store)
  let shift = 0
  app.store.now = async () => await now() + shift
  return { app, set: (seconds) => { shift += 1000 * seconds } }
}

t.test('ramp: goes on although the clock of the store is set back, the same in every process', async (t) => {
  const { app, set } = appWithClock(31)
  const [one, other] = [app.add(), app.add()]
  await app.wait(20)
  await one.canary.act({ action: 'to', percent: 50 })
  await app.wait(30)
  t.same([one.rollout.percent, other.rollout.percent], [25, 25])
  set(-3600)
  await app.wait(15)
  t.same([one.rollout.percent, other.rollout.percent], [37.5, 37.5])
  await app.wait(20)
  t.same([one.rollout.percent, other.rollout.percent], [50, 50])
})

t.test('ramp: does not end at once when the clock of the store is set forward', async (t) => {
  const { app, set } = appWithClock(32)
  const { canary, rollout } = app.add()
  await app.wait(20)
  await canary.act({ action: 'to', percent: 50 })
  await app.wait(30)
  set(3600)
  await app.wait(6)
  t.equal(rollout.percent, 30)
})

t.test('ramp: one that is over does not begin again when the clock of the store is set back, and the history names the true percents', async (t) => {
  const { app, set } = appWithClock(33)
  const { canary, rollout } = app.add()
  await app.wait(20)
  await canary.act({ action: 'to', percent: 50 })
  await app.wait(100)
  set(-3600)
  await app.wait(10)
  t.equal(rollout.percent, 50)
  await canary.act({ action: 'back' })
  t.match((await app.records()).at(-1), { from: 50, to: 10 })
  t.equal(rollout.percent, 10, 'at once: it is no raise')
})

t.test('ramp: a process that starts after the clock of the store was set back reaches the percent within one ramp', async (t) => {
  const { app, set } = appWithClock(34)
  const { canary } = app.add()
  await app.wait(20)
  await canary.act({ action: 'to', percent: 50 })
  await app.wait(30)
  set(-3600)
  const fresh = app.add()
  await app.wait(63)
  t.equal(fresh.rollout.percent, 50)
})

t.test('ramp: goes on although the clock of the app is set back', async (t) => {
  const app = new SimulatedApp(35)
  const { canary, rollout } = app.add()
  await app.wait(20)
  await canary.act({ action: 'to', percent: 50 })
  await app.wait(30)
  app.clock.advance(-3600)
  await app.wait(31)
  t.equal(rollout.percent, 50)
})
