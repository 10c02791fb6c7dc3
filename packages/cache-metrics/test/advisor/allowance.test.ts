import t from 'tap'
import { Allowance } from '../../src/advisor/time-budget.js'

t.test('Allowance: a burst, then one percent of the time', async (t) => {
  const allowance = new Allowance()
  let spent = 0
  for (let now = 0; now < 100_000; now++) {
    while (allowance.has(now)) {
      allowance.spend(1)
      spent++
    }
  }
  t.ok(spent >= 1199 && spent <= 1202, `${spent} ms of 100 000`)
})

t.test('Allowance: a pause fills it up to one burst, and a clock that goes back adds nothing', async (t) => {
  const allowance = new Allowance()
  allowance.has(1000)
  allowance.spend(10_000)
  t.notOk(allowance.has(0))
  t.notOk(allowance.has(1000))
  t.notOk(allowance.has(20_000))
  t.ok(allowance.has(22_000), 'a debt is that of one burst at most')
  t.ok(allowance.has(10_000_000))
  allowance.spend(200)
  t.notOk(allowance.has(10_000_000))
})
