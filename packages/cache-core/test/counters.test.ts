import t from 'tap'
import { Loads } from '../src/telemetry/counters.js'

t.test('recent: a slow first load counts like the others, and the moving average is over 16 loads', async (t) => {
  const loads = new Loads('user')
  loads.record(1, false)
  t.equal(loads.recent, 1)
  for (let at = 0; at < 9; at++) loads.record(0, false)
  t.ok(Math.abs(loads.recent - 0.1) < 1e-9, String(loads.recent))
  for (let at = 0; at < 90; at++) loads.record(0.5, false)
  loads.record(2.1, false)
  t.ok(Math.abs(loads.recent - 0.6) < 0.01, String(loads.recent))
})

t.test('recent: a load that failed does not count', async (t) => {
  const loads = new Loads('user')
  loads.record(1, false)
  loads.record(100, true)
  t.equal(loads.recent, 1)
})
