import t from 'tap'
import fc from 'fast-check'
import { RatioSums } from '../../src/rollout/ratio-sums.js'
import { minutesOfWindow, WINDOW_MINUTES, WindowedSums } from '../../src/rollout/windows.js'
import { SEED } from './fixtures/seed.js'

t.test('sums: a window has the last minutes, up to its length, and the last one all of the stage', async (t) => {
  t.comment(`SEED=${SEED}`)
  fc.assert(fc.property(fc.integer({ min: 1, max: 4000 }), (minutes) => {
    const windows = new WindowedSums(() => new RatioSums())
    // The count of a minute is the number of the minute, so that a sum shows which minutes it contains.
    for (let minute = 1; minute <= minutes; minute++) {
      windows.roll(minute - 1)
      windows.current.addBlock(minute, 1)
    }
    return [...WINDOW_MINUTES, Infinity].every((length, at) => {
      const has = length === Infinity ? minutes : minutesOfWindow(length, minutes)
      const { count, reads } = windows.sums()[at]!
      return has <= length && reads === has && count === has * (2 * minutes - has + 1) / 2
    })
  }), { seed: SEED, numRuns: 50 })
})

t.test('clear: empties each window', async (t) => {
  const windows = new WindowedSums(() => new RatioSums())
  for (let minute = 1; minute <= 200; minute++) {
    windows.roll(minute - 1)
    windows.current.addBlock(1, 1)
  }
  windows.clear()
  t.same(windows.sums().map(({ reads }) => reads), [0, 0, 0, 0])
})
