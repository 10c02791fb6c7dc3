import t from 'tap'
import { afterArrival, afterProof, afterResponse, afterWait, conclusionOf } from '../src/exchange/exchange-states.js'
import { RUNNING, type RunFacts, type RunState } from '../src/exchange/run-state.js'
import { afterFailure, afterTimeout } from '../src/exchange/stale-on-failure.js'
import { HandlerFlight, HandlerFlights } from '../src/exchange/handler-flight.js'
import type { StoredResponse } from '../src/store/stored-response.js'

const response = { status: 200 } as StoredResponse
const flight = (state: Partial<HandlerFlight> = {}): HandlerFlight => Object.assign(new HandlerFlight('k', ['a'], 0), state)

t.test('afterArrival: leads without a run to join, and waits for one otherwise', async (t) => {
  const running = flight()
  const facts = { flightKey: 'k', flight: running, isUncacheable: false, until: 5 }
  t.same(afterArrival(facts), { kind: 'waiting', flight: running, isLate: false, until: 5 })
  t.match(afterArrival({ ...facts, flight: flight({ isProven: true }) }), { kind: 'waiting', isLate: true })
  t.same(afterArrival({ ...facts, flight: undefined }), { kind: 'leading', flightKey: 'k' })
  t.same(afterArrival({ ...facts, isUncacheable: true }), { kind: 'leading', flightKey: 'k' })
  t.same(afterArrival({ ...facts, flightKey: undefined }), { kind: 'leading', flightKey: undefined })
})

const waited: Array<[claim: string, flight: Partial<HandlerFlight>, facts: object, state: object]> = [
  ['shares the response of the run', {}, {}, { kind: 'shared', response }],
  ['proves the response of a run that it joined late', { isProven: true }, {}, { kind: 'proving', response }],
  ['runs the handler alone without a response', {}, { response: undefined, isUsable: false }, { kind: 'alone' }],
  ['runs the handler alone where the response is not for the request', {}, { isUsable: false }, { kind: 'alone' }],
  ['runs the handler alone where the run was superseded', { isSuperseded: true }, {}, { kind: 'alone' }],
  ['looks for the next run where the leader left', { isAbandoned: true }, { response: undefined }, { kind: 'arriving', until: 5 }],
  ['waits for no next run once the time has passed', { isAbandoned: true }, { response: undefined, hasTimeLeft: false }, { kind: 'alone' }],
  ['serves its own stale response where the handler failed', { failure: 'stale-if-error, error' }, { response: undefined, isStaleAllowed: true }, { kind: 'stale', detail: 'stale-if-error, error' }],
  ['runs the handler alone where nothing stale may be served', { failure: 'stale-if-error, error' }, { response: undefined }, { kind: 'alone' }],
  ['serves nothing stale for a superseded run', { failure: 'stale-if-error, error', isSuperseded: true }, { response: undefined, isStaleAllowed: true }, { kind: 'alone' }],
  ['ends where its client left', { isAbandoned: true }, { isGone: true }, { kind: 'gone' }]
]
for (const [claim, state, facts, expected] of waited) {
  t.test(`afterWait: ${claim}`, async (t) => {
    const run = flight(state)
    t.match(afterWait({ kind: 'waiting', flight: run, isLate: run.isProven, until: 5 }, { isGone: false, hasTimeLeft: true, isStaleAllowed: false, response, isUsable: true, ...facts }), expected)
  })
}

t.test('afterProof: shares the response if the tags are still current', async (t) => {
  const proving = { kind: 'proving', flight: flight(), response } as const
  t.same([afterProof(proving, true), afterProof(proving, false)], [{ kind: 'shared', response }, { kind: 'alone' }])
})

const allowed: RunFacts = { hasStored: true, isStaleAllowed: true, isRefresh: false, isSuperseded: false, isGone: false }
const error: RunState = { kind: 'stale-served', detail: 'stale-if-error, error' }
const timeout: RunState = { kind: 'stale-served', detail: 'stale-if-error, timeout' }

t.test('afterResponse: a failure is replaced by the stored response, and a 304 validates it', async (t) => {
  t.same(afterResponse(RUNNING, { status: 500, isError: false }, allowed), error)
  t.same(afterResponse(RUNNING, { status: 503, isError: true }, allowed), error)
  t.same(afterResponse(RUNNING, { status: 404, isError: true }, allowed), RUNNING)
  t.same(afterResponse(RUNNING, { status: 200, isError: false }, allowed), RUNNING)
  t.same(afterResponse(RUNNING, { status: 304, isError: false }, allowed), { kind: 'validated' })
  t.same(afterResponse(RUNNING, { status: 304, isError: false }, { ...allowed, hasStored: false }), RUNNING)
  t.same(afterResponse(RUNNING, { status: 304, isError: true }, allowed), RUNNING)
})

t.test('afterFailure and afterTimeout: serve nothing stale against a rule, nor twice', async (t) => {
  t.same([afterFailure(RUNNING, 500, allowed), afterTimeout(RUNNING, allowed)], [error, timeout])
  for (const fact of [{ hasStored: false }, { isStaleAllowed: false }, { isRefresh: true }, { isSuperseded: true }]) {
    t.same(
      [afterFailure(RUNNING, 500, { ...allowed, ...fact }), afterTimeout(RUNNING, { ...allowed, ...fact })], [RUNNING, RUNNING],
      JSON.stringify(fact)
    )
  }
  t.same(afterFailure(RUNNING, 404, allowed), RUNNING)
  t.same(afterFailure(RUNNING, 500, { ...allowed, isGone: true }), RUNNING, 'the client made the handler fail')
  t.same(afterTimeout(RUNNING, { ...allowed, isGone: true }), timeout)
  for (const state of [error, timeout, { kind: 'validated' }] as const) t.equal(afterFailure(state, 500, allowed), state)
})

t.test('conclusionOf: a run that ended', async (t) => {
  const here = { status: 200, isGone: false }
  const recorded = { recorded: {} as never, final: { status: 412, headers: {}, tagged: undefined } }
  t.same(conclusionOf(recorded, { response }, here), { kind: 'storable', response })
  t.same(conclusionOf(recorded, { reason: 'private' }, here), { kind: 'uncacheable', unstored: { reason: 'private' }, status: 412 })
  t.same(conclusionOf({ unstored: { reason: 'too-large' } }, undefined, here), { kind: 'uncacheable', unstored: { reason: 'too-large' }, status: 200 })
  t.same(conclusionOf({ error: new Error('x') }, undefined, { ...here, status: 500 }), { kind: 'uncacheable', unstored: { reason: undefined }, status: 500 })
  t.same(conclusionOf('replaced', undefined, here), { kind: 'replaced', unstored: { reason: undefined } })
  t.same(conclusionOf('replaced', undefined, { ...here, status: 0 }), { kind: 'replaced', unstored: { reason: 'hijacked' } })
  t.same(conclusionOf('aborted', undefined, here), { kind: 'abandoned', unstored: { reason: undefined } })
  t.same(conclusionOf({ error: new Error('x') }, undefined, { status: 500, isGone: true }), { kind: 'abandoned', unstored: { reason: undefined } })
})

t.test('handler flights: a run past the limit is superseded, and the next one can be joined', async (t) => {
  let now = 0
  const flights = new HandlerFlights({ clock: { now: () => now } }, 10)
  const first = flights.begin('k', ['a'])
  now = 29_999
  t.equal(flights.joinable('k'), first)
  now = 30_000
  t.equal(flights.joinable('k'), undefined)
  t.equal(first.isSuperseded, true)
  const second = flights.begin('k', ['a'])
  flights.end(first)
  t.equal(flights.joinable('k'), second)
  flights.supersedeTags(['b'])
  t.equal(flights.joinable('k'), second)
  flights.supersedeTags(['a'])
  t.same([flights.joinable('k'), second.isSuperseded], [undefined, true])
})

t.test('handler flights: a run without a key is joined by no request, and its end resolves the wait', async (t) => {
  const flights = new HandlerFlights({ clock: { now: () => 0 } }, 10)
  const lone = flights.begin(undefined, ['a'])
  t.equal(flights.joinable(''), undefined)
  flights.supersedeAll()
  t.equal(lone.isSuperseded, false)
  const joined = flights.begin('k', [])
  const waiting = joined.join()
  let joins = 0
  joined.whenJoined(() => joins++)
  void joined.join()
  t.equal(joins, 2)
  flights.end(joined)
  t.equal(await waiting, undefined)
})
