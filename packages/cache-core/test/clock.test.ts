import { monotonicClock } from '@x/cache-core'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'

t.test('monotonicClock: tells milliseconds, and never goes back', async (t) => {
  const readings = Array.from({ length: 1000 }, () => monotonicClock.now())
  t.ok(readings.every((reading, at) => at === 0 || reading >= readings[at - 1]!))
  const began = { here: monotonicClock.now(), there: performance.now() }
  await setTimeout(20)
  const passed = { there: performance.now() - began.there, here: monotonicClock.now() - began.here }
  t.ok(passed.here >= passed.there, 'read before and after')
  t.ok(passed.here < passed.there + 1000, 'and in the same unit')
})
