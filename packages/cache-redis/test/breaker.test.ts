import t, { type Test } from 'tap'
import { FakeTime } from '@x/test-kit/fake-time'
import { deferred, settle, type Deferred } from '@x/test-kit/deferred'
import { Breaker, type BreakerState } from '../src/service/breaker.js'

interface Setup { breaker: Breaker; time: FakeTime; states: BreakerState[]; probes: Deferred<boolean>[] }

function setUp (t: Test, state: BreakerState = 'closed'): Setup {
  const time = new FakeTime(t)
  const states: BreakerState[] = []
  const probes: Deferred<boolean>[] = []
  const breaker = new Breaker({ windowMs: 1000, minimumCalls: 4, errorRate: 0.5, probeMs: 100 }, {
    now: () => time.clock.now(),
    probe: () => {
      const probe = deferred<boolean>()
      probes.push(probe)
      return probe.promise
    },
    changed: (state) => states.push(state)
  }, state)
  t.teardown(() => breaker.close())
  return { breaker, time, states, probes }
}

function times (count: number, call: () => void): void {
  for (let done = 0; done < count; done++) call()
}

t.test('breaker: opens at the error rate, from minimumCalls on', async (t) => {
  const { breaker, states } = setUp(t)
  times(3, () => breaker.failure())
  t.equal(breaker.state, 'closed')
  breaker.failure()
  t.equal(breaker.state, 'open')
  t.equal(breaker.isOpen, true)
  t.strictSame(states, ['open'])
})

t.test('breaker: stays closed below the error rate', async (t) => {
  const { breaker } = setUp(t)
  times(10, () => breaker.success())
  times(9, () => breaker.failure())
  t.equal(breaker.state, 'closed')
  breaker.failure()
  t.equal(breaker.state, 'open')
})

t.test('breaker: calls before the window do not count', async (t) => {
  const { breaker, time } = setUp(t)
  times(3, () => breaker.failure())
  time.advance(1100)
  breaker.failure()
  t.equal(breaker.state, 'closed')
  time.advance(500)
  times(2, () => breaker.failure())
  t.equal(breaker.state, 'closed')
  time.advance(400)
  breaker.failure()
  t.equal(breaker.state, 'open', 'four within a second')
})

t.test('breaker: the window slides, slice by slice', async (t) => {
  const { breaker, time } = setUp(t)
  times(100, () => breaker.success())
  // The failures are counted in later slices, until the slice with the successful calls has left the window.
  for (let slice = 0; slice < 9; slice++) {
    time.advance(100)
    times(10, () => breaker.failure())
  }
  t.equal(breaker.state, 'closed', '90 of 190')
  time.advance(100)
  breaker.failure()
  t.equal(breaker.state, 'open')
})

t.test('breaker: one probe at a time half-opens it, and one that is good closes it', async (t) => {
  const { breaker, time, states, probes } = setUp(t, 'open')
  t.equal(probes.length, 0)
  time.advance(100)
  t.equal(breaker.state, 'half-open')
  t.equal(breaker.isOpen, true, 'nothing else is tried')
  time.advance(1000)
  void breaker.probe()
  t.equal(probes.length, 1)
  probes[0]!.resolve(true)
  await settle()
  t.strictSame(states, ['half-open', 'closed'])
  time.advance(1000)
  t.equal(probes.length, 1, 'a closed one is not probed')
})

t.test('breaker: a probe that fails opens it, and the next comes after probeMs', async (t) => {
  const { breaker, time, states, probes } = setUp(t, 'open')
  for (const round of [1, 2, 3]) {
    time.advance(99)
    t.equal(probes.length, round - 1)
    time.advance(1)
    t.equal(probes.length, round)
    probes.at(-1)!.resolve(false)
    await settle()
    t.equal(breaker.state, 'open')
  }
  t.strictSame(states, ['half-open', 'open', 'half-open', 'open', 'half-open', 'open'])
})

t.test('breaker: probes at once where there is reason to hope', async (t) => {
  const { breaker, probes, time } = setUp(t, 'open')
  void breaker.probe()
  t.equal(probes.length, 1)
  time.advance(500)
  t.equal(probes.length, 1, 'the turn that was due is taken')
})

t.test('breaker: begins anew when it has closed: what failed before does not count', async (t) => {
  const { breaker, probes, time } = setUp(t)
  times(4, () => breaker.failure())
  time.advance(100)
  probes[0]!.resolve(true)
  await settle()
  times(3, () => breaker.failure())
  t.equal(breaker.state, 'closed')
})

t.test('breaker: what ends while it is open does not count', async (t) => {
  const { breaker, states } = setUp(t, 'open')
  times(10, () => breaker.failure())
  times(10, () => breaker.success())
  t.strictSame(states, [])
})

t.test('breaker: a closed one neither probes nor changes', async (t) => {
  const { breaker, probes, time, states } = setUp(t, 'open')
  void breaker.probe()
  breaker.close()
  probes[0]!.resolve(true)
  await settle()
  t.strictSame(states, ['half-open'])
  time.advance(1000)
  await breaker.probe()
  breaker.open()
  t.equal(probes.length, 1)
})
