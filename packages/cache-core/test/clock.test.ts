import { monotonicClock } from '@x/cache-core'
import t from 'tap'

t.test('monotonicClock: tells milliseconds, and never goes back', async (t) => {
  const began = performance.now()
  const readings = Array.from({ length: 1000 }, () => monotonicClock.now())
  t.ok(readings[0]! >= began)
  t.ok(readings.every((reading, at) => at === 0 || reading >= readings[at - 1]!))
  t.ok(readings.at(-1)! <= performance.now())
})
