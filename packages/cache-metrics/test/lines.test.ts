import t from 'tap'
import { Lines } from '../src/metrics/lines.js'
import type { Metric } from '../src/metrics/metric.js'

const gets: Metric = { name: 'gets', type: 'counter', help: 'Gets.', labelNames: ['impl', 'key_pattern'] }
const loads: Metric = { name: 'loads', type: 'histogram', help: 'Loads.', labelNames: ['a'], buckets: [0.1, 1] }

t.test('of: a number is one line', async (t) => {
  t.equal(new Lines(gets, { impl: 'null', key_pattern: 'table' }, '').of(3), '\ngets{impl="null",key_pattern="table"} 3')
  t.equal(new Lines(gets, {}, '').of(0.5), '\ngets 0.5')
})

t.test('of: a histogram is its cumulative buckets, its sum and its count', async (t) => {
  t.equal(new Lines(loads, { a: 'b' }, '').of({ counts: [2, 0, 1], count: 3, sum: 7.5 }), `
loads_bucket{a="b",le="0.1"} 2
loads_bucket{a="b",le="1"} 2
loads_bucket{a="b",le="+Inf"} 3
loads_sum{a="b"} 7.5
loads_count{a="b"} 3`)
})

t.test('of: the numbers are those of now', async (t) => {
  const lines = new Lines(loads, {}, '')
  const value = { counts: [1, 0, 0], count: 1, sum: 0.0625 }
  t.match(lines.of(value), 'loads_sum 0.0625\nloads_count 1')
  value.counts[2]!++
  value.count++
  value.sum += 8
  t.match(lines.of(value), 'loads_bucket{le="+Inf"} 2\nloads_sum 8.0625\nloads_count 2')
  t.match(lines.of({ counts: [0, 2, 0], count: 2, sum: 1.5 }), 'loads_bucket{le="0.1"} 0\nloads_bucket{le="1"} 2', 'of another source')
  t.equal(lines.of(value), lines.of({ ...value }))
})

t.test('of: escapes what would end a label or a line', async (t) => {
  t.equal(new Lines(gets, { impl: 'a"b\\c\nd' }, '').of(1), '\ngets{impl="a\\"b\\\\c\\nd"} 1')
})

t.test('of: default labels stand behind a series\' own, which win', async (t) => {
  const lines = new Lines(gets, { impl: 'null' }, 'app="a, \\"b\\"=c",impl="other"')
  t.equal(lines.of(3), '\ngets{impl="null",app="a, \\"b\\"=c"} 3')
})
