import t from 'tap'
import type { Metric } from '../src/metrics/metric.js'
import { TextWriter } from '../src/metrics/text.js'

const gets: Metric = { name: 'gets', type: 'counter', help: 'Gets.', labelNames: ['impl'] }
const INTRO = '# HELP gets Gets.\n# TYPE gets counter'

t.test('write: says what a metric is although it has no series', async (t) => {
  t.same([...new TextWriter(gets).write([])], [INTRO])
})

t.test('write: escapes what would end the line of the help', async (t) => {
  t.match([...new TextWriter({ ...gets, help: 'a\\b\nc "d"' }).write([])], ['# HELP gets a\\\\b\\nc "d"\n'])
})

t.test('write: each series has its lines, with the numbers of now', async (t) => {
  const writer = new TextWriter(gets, 'app="orders"')
  const labels = { impl: 'null' }
  t.same([...writer.write([{ labels, value: 1 }])], [`${INTRO}\ngets{impl="null",app="orders"} 1`])
  t.same([...writer.write([{ labels, value: 2 }])], [`${INTRO}\ngets{impl="null",app="orders"} 2`])
})

t.test('write: a long metric comes in slices', async (t) => {
  const points = Array.from({ length: 10_000 }, (_, at) => ({ labels: { impl: String(at) }, value: at }))
  const slices = [...new TextWriter(gets).write(points)]
  t.ok(slices.length >= 3)
  t.ok(slices.every(({ length }) => length < 60_000))
  t.equal(slices.join('').split('\n').length, 10_002)
})
