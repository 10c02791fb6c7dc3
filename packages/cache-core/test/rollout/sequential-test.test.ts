import t from 'tap'
import { boundary, differenceOf, excess, excessOver, normalOfT, tOfNormal } from '../../src/rollout/sequential-test.js'
import { Draw } from './fixtures/draw.js'
import { SEED } from './fixtures/seed.js'

t.test('boundary: a series without a difference, looked at 400 times, crosses it at most as often as alpha', async (t) => {
  t.comment(`SEED=${SEED}`)
  const draw = new Draw(SEED)
  const alpha = 0.05
  const series = 1000
  const bounds = Array.from({ length: 400 }, (_, look) => boundary(250 * (look + 1), alpha))
  let crossed = 0
  for (let one = 0; one < series; one++) {
    let sum = 0
    for (const [look, bound] of bounds.entries()) {
      sum += draw.normal() * Math.sqrt(250)
      if (sum / Math.sqrt(250 * (look + 1)) > bound) {
        crossed++
        break
      }
    }
  }
  // The bound is five standard errors above alpha.
  t.ok(crossed / series < alpha + 5 * Math.sqrt(alpha * (1 - alpha) / series), `${crossed} of ${series}`)
  t.ok(crossed > 0, 'it is crossed at all')
})

t.test('boundary: is higher for a smaller alpha and for little information', async (t) => {
  t.ok(boundary(10_000, 0.001) > boundary(10_000, 0.01))
  t.ok(boundary(100, 0.001) > boundary(10_000, 0.001))
})

t.test('normalOfT: is the quantile of the same tail, by tables of t', async (t) => {
  // The values are the 99.5 % quantiles of Student's t with 5, 19 and 100 degrees of freedom.
  for (const [quantile, degrees] of [[4.032, 5], [2.861, 19], [2.626, 100]] as const) {
    t.ok(Math.abs(normalOfT(quantile, degrees) - 2.576) < 0.02)
  }
  for (const z of [-4, 0, 0.5, 4.4]) t.ok(Math.abs(normalOfT(tOfNormal(z, 7), 7) - z) < 1e-9)
})

t.test('differenceOf: without a variance both bounds are the estimate', async (t) => {
  const none = { estimate: 0, variance: 0, degrees: 1, information: 5 }
  t.same(differenceOf(none, 0.01), { estimate: 0, low: 0, high: 0, z: 0, detectable: 0 })
})

t.test('excess: is 0 up to the fixed share, and grows with the number of requests', async (t) => {
  t.equal(excess(1, 100, 0.01), 0)
  t.equal(excess(0, 0, 0.01), 0)
  t.ok(excess(100, 1000, 0.01) > excess(10, 100, 0.01))
  t.ok(excess(10, 10, 0.01) > 0)
})

t.test('excessOver: is 0 unless the first share is the higher one', async (t) => {
  t.equal(excessOver(10, 100, 20, 100), 0)
  t.equal(excessOver(10, 100, 10, 100), 0)
  t.equal(excessOver(10, 100, 0, 0), 0)
  t.ok(excessOver(20, 100, 10, 100) > 0)
})
