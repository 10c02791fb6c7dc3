import t from 'tap'
import { toJson } from '../src/metrics/json.js'
import type { Metric } from '../src/metrics/metric.js'

t.test('toJson: a number is a value', async (t) => {
  const metric: Metric = { name: 'gets', type: 'counter', help: 'Gets.', labelNames: ['impl'] }
  t.strictSame(toJson(metric, [{ labels: { impl: 'null' }, value: 3 }]), {
    name: 'gets', type: 'counter', help: 'Gets.', series: [{ labels: { impl: 'null' }, value: 3 }]
  })
})

t.test('toJson: a histogram has cumulative buckets', async (t) => {
  const metric: Metric = { name: 'loads', type: 'histogram', help: 'Loads.', labelNames: [], buckets: [0.1, 1] }
  t.strictSame(toJson(metric, [{ labels: {}, value: { counts: [2, 0, 1], count: 3, sum: 7.5 } }]).series, [{
    labels: {},
    count: 3,
    sum: 7.5,
    buckets: [{ le: '0.1', count: 2 }, { le: '1', count: 2 }, { le: '+Inf', count: 3 }]
  }])
})

t.test('toJson: a metric without series is listed', async (t) => {
  t.strictSame(toJson({ name: 'gets', type: 'counter', help: 'Gets.', labelNames: [] }, []).series, [])
})
