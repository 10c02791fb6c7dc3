import { freshnessOf } from '@x/cache-core/suite'
import t from 'tap'
import { ageOf, stateOf, type StoredState } from '../../src/rules/stored-state.js'

const AT = Date.UTC(2026, 0, 1)
const received = (cacheControl: string) => ({ receivedAt: AT, freshness: freshnessOf({ status: 200, headers: { 'cache-control': cacheControl } }, { requestedAt: AT, receivedAt: AT }) })

const rows: Array<[cacheControl: string, seconds: number, state: StoredState, isInvalidated?: boolean]> = [
  ['max-age=60', 59, 'fresh'], ['max-age=60', 60, 'to-validate'], ['max-age=60', 0, 'to-validate', true], ['max-age=60, no-cache', 0, 'to-validate'],
  ['max-age=60, must-revalidate, stale-if-error=9', 61, 'to-validate'], ['max-age=60, stale-while-revalidate=9', 68, 'while-revalidating'],
  ['max-age=60, stale-while-revalidate=9', 69, 'to-validate'], ['max-age=60, stale-while-revalidate=1, stale-if-error=9', 65, 'if-error'],
  ['max-age=60, stale-if-error=9', 69, 'to-validate'], ['max-age=60, stale-while-revalidate=9', 0, 'while-revalidating', true]
]
for (const [cacheControl, seconds, state, isInvalidated = false] of rows) {
  t.test(`stateOf: ${cacheControl} after ${seconds} s${isInvalidated ? ', invalidated,' : ''} is ${state}`, async (t) => {
    t.equal(stateOf(received(cacheControl), isInvalidated, AT + seconds * 1000), state)
  })
}

t.test('ageOf: a clock that was set back makes no response younger', async (t) => {
  t.same([ageOf(received('max-age=60'), AT + 1500), ageOf(received('max-age=60'), AT - 1000)], [1.5, 0])
})
