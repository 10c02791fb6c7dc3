import { testCache } from '@x/cache-core/testing'
import t from 'tap'
import { CustomCache } from '../src/custom-cache.js'

t.test('CustomCache: every claim of the contract holds', async (t) => {
  let now = 0
  await testCache({
    test: (name, run) => t.test(name, run), // of node:test or another runner
    make: () => new CustomCache({ now: () => now }), // a fresh one for each test, closed afterwards if it can be
    advance: (ms) => { now += ms } // its clock and timers; without it the suite really waits
  })
})
