import t from 'tap'
import { TraceTime } from '../../src/advisor/accesses/trace-time.js'

t.test('at: the time in which no process observed does not pass', async (t) => {
  const time = new TraceTime([[100, 200], [500, 600]])
  t.same([0, 100, 150, 200, 300, 499, 500, 560, 600, 900].map((at) => time.at(at)), [0, 0, 50, 100, 100, 100, 100, 160, 200, 200])
  t.equal(time.length, 200)
  t.equal(time.at(150), 50, 'an earlier time is found, too')
})

t.test('at: spans of several processes overlap, in any order', async (t) => {
  const time = new TraceTime([[150, 300], [700, 800], [100, 200], [160, 170]])
  t.same([100, 250, 300, 500, 750].map((at) => time.at(at)), [0, 150, 200, 200, 250])
  t.equal(time.length, 300)
})

t.test('at: without spans there is no time', async (t) => {
  t.equal(new TraceTime([]).length, 0)
})
