import { testCache } from '@x/cache-core/testing'
import t from 'tap'
import { CustomCache } from '../src/custom-cache.js'

t.test('CustomCache: every claim of the contract holds', async (t) => {
  let now = 0
  await testCache({
    test: (name, run) => t.test(name, run), // the test function of node:test or another runner
    make: () => new CustomCache({ now: () => now }), // a new cache for each test, closed afterwards if it has `close`
    advance: (ms) => { now += ms } // advances the cache's clock and timers; without it the suite waits in real time
  })
})
