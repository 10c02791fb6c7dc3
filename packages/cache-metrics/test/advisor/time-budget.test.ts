import t from 'tap'
import { TimeBudget } from '../../src/advisor/time-budget.js'

t.test('TimeBudget: a burst, then one percent of the time', async (t) => {
  const budget = new TimeBudget()
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
  const budget = new TimeBudget()
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
