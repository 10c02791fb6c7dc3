import { FakeClock } from '@x/test-kit/fake-clock'
import { monotonicClock } from '@x/cache-core/suite'
import t from 'tap'
import { TimeBudget } from '../../src/advisor/time-budget.js'

t.test('TimeBudget: a burst, then one percent of the time', async (t) => {
  const budget = new TimeBudget(() => new FakeClock())
  let spent = 0
  for (let now = 0; now < 100_000; now++) {
    while (budget.has(now)) {
      budget.spend(1)
      spent++
    }
  }
  t.ok(spent >= 1199 && spent <= 1202, `${spent} ms of 100 000`)
})

t.test('TimeBudget: a pause adds five milliseconds at most, and a clock that goes back adds nothing', async (t) => {
  const budget = new TimeBudget(() => new FakeClock())
  budget.has(1000)
  budget.spend(10_000)
  t.notOk(budget.has(0))
  t.notOk(budget.has(1000))
  t.notOk(budget.has(20_000))
  t.ok(budget.has(22_000), 'a debt is 200 ms at most')
  t.ok(budget.has(10_000_000))
  budget.spend(4.9)
  t.ok(budget.has(10_000_000))
  budget.spend(0.2)
  t.notOk(budget.has(10_000_000))
})

t.test('TimeBudget: one percent of the CPU time that the clock measures, read ten times a second at most', async (t) => {
  let [cpu, readings, spent] = [0, 0, 0]
  const clock = Object.assign(new FakeClock(), { cpu: () => { readings++; return cpu } })
  const budget = new TimeBudget(() => clock)
  // A process that is busy for a tenth of the time.
  for (let now = 1000; now < 101_000; now++, cpu += 0.1) {
    while (budget.has(now)) {
      budget.spend(1)
      spent++
    }
  }
  t.ok(spent >= 299 && spent <= 302, `${spent} ms of 10 000`)
  t.ok(readings <= 1001, `${readings} readings`)
})

t.test('TimeBudget: the clock of this process measures its CPU time', async (t) => {
  const before = monotonicClock.cpu!()
  for (let sum = 0; monotonicClock.cpu!() < before + 5;) sum += Math.sqrt(sum + 1)
  t.ok(monotonicClock.cpu!() >= before + 5)
})
