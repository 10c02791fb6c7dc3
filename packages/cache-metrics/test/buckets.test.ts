import t from 'tap'
import { boundsOf, cumulate } from '../src/metrics/buckets.js'

t.test('boundsOf: ends with +Inf', async (t) => {
  t.same(boundsOf([0.0001, 0.5, 10]), ['0.0001', '0.5', '10', '+Inf'])
})

t.test('cumulate: each count holds all that are below', async (t) => {
  t.same(cumulate([1, 0, 2, 4]), [1, 1, 3, 7])
})

t.test('cumulate: leaves what it is given alone', async (t) => {
  const counts = Object.freeze([1, 2])
  t.same(cumulate(counts), [1, 3])
})
