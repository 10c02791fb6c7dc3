import t from 'tap'
import { TimeBudget } from '../../src/advisor/time-budget.js'

t.test('TimeBudget: a burst, then 0.2 percent of the time', async (t) => {
  const budget = new TimeBudget()
  let spent = 0
  for (let now = 0; now < 100_000; now++) {
    while (budget.has(now)) {
      budget.spend(1)
      spent++
    }
  }
  t.ok(spent >= 399 && spent <= 402, `${spent} ms of 100 000`)
})

t.test('TimeBudget: a pause adds a millisecond at most, and a clock that goes back adds nothing', async (t) => {
  const budget = new TimeBudget()
  budget.has(1000)
  budget.spend(10_000)
  t.notOk(budget.has(0))
  t.notOk(budget.has(1000))
  t.notOk(budget.has(20_000))
  t.ok(budget.has(22_000), 'a debt is 40 ms at most')
  t.ok(budget.has(10_000_000))
  budget.spend(0.9)
  t.ok(budget.has(10_000_000))
  budget.spend(0.2)
  t.notOk(budget.has(10_000_000))
})
