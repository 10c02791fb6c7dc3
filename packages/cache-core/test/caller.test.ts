import t from 'tap'
import { hasLeft, isEndOfCaller, type Caller } from '../src/loading/caller.js'

const abort = new DOMException('This operation was aborted', 'AbortError')
const failure = new Error('the source is down')
const aborted = AbortSignal.abort(new Error('the time of the handler is up'))
const live = new AbortController().signal
const connected = { socket: { destroyed: false } }

const callers: [name: string, caller: Caller | undefined, left: boolean, byAbort: boolean, byReason: boolean, byFailure: boolean][] = [
  ['no request', undefined, false, true, false, false],
  ['a request that goes on', { signal: live, raw: connected }, false, false, false, false],
  ['an aborted signal on a connection that stands', { signal: aborted, raw: connected }, false, true, true, false],
  ['a connection that has broken', { signal: aborted, raw: { socket: { destroyed: true } } }, true, true, true, true],
  ['an aborted request without a signal', { raw: { aborted: true } }, true, true, true, true],
  ['a request without a socket', { signal: aborted, raw: {} }, true, true, true, true]
]
for (const [name, caller, left, byAbort, byReason, byFailure] of callers) {
  t.test(`isEndOfCaller, hasLeft: ${name}`, async (t) => {
    t.equal(hasLeft(caller), left)
    t.equal(isEndOfCaller(caller, abort), byAbort)
    t.equal(isEndOfCaller(caller, new Error('wrapped', { cause: abort })), byAbort)
    t.equal(isEndOfCaller(caller, aborted.reason), byReason)
    t.equal(isEndOfCaller(caller, failure), byFailure)
    t.equal(isEndOfCaller(caller, undefined), byFailure)
  })
}

t.test('isEndOfCaller: causes that form a circle have an end', async (t) => {
  const circle = new Error('circle')
  circle.cause = circle
  t.notOk(isEndOfCaller(undefined, circle))
})

t.test('isEndOfCaller: a time limit is no end of a caller', async (t) => {
  t.notOk(isEndOfCaller(undefined, new DOMException('The operation timed out', 'TimeoutError')))
})
