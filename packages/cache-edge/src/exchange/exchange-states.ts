import type { AfterLookup } from '../rules/decide.js'
import type { StoredResponse } from '../store/stored-response.js'
import type { HandlerFlight } from './handler-flight.js'
import type { Failure, Outcome } from './recorded-run.js'
import type { Judgement, Unstored } from './judge-response.js'
import type { RunFacts, RunState } from './run-state.js'
import { afterFailure } from './stale-on-failure.js'

// The states of a request that no stored response answers, and of the handler run that answers it. The transitions are pure functions:
// their caller acts on the state that they return.

/** The reason why a request is forwarded to the handler, as in `Cache-Status` (RFC 9211 §2.2). */
export type Miss = Exclude<AfterLookup['why'], 'fresh'>

/**
 * The state of a request that is forwarded to the handler. The states from `leading` on are final. `until`: the time in monotonic
 * milliseconds until which the request waits for other handler runs.
 */
export type ForwardState =
  /** The state `arriving`: the request looks for a handler run to join. */
  | { readonly kind: 'arriving'; readonly until: number }
  /**
   * The request waits for the run of another request. `isLate`: the request joined after the tags of that run were compared with their
   * snapshot.
   */
  | { readonly kind: 'waiting'; readonly flight: HandlerFlight; readonly isLate: boolean; readonly until: number }
  /**
   * The request joined late (see `isLate`), so the tags of the run are compared with their snapshot again: an invalidation since then would
   * make the response stale for this request.
   */
  | { readonly kind: 'proving'; readonly flight: HandlerFlight; readonly response: StoredResponse }
  /** The request runs the handler, and requests with this key join the handler run; `undefined`: no request joins it. */
  | { readonly kind: 'leading'; readonly flightKey: string | undefined }
  /** The state `alone`: the request runs the handler, and no other request joins this run. */
  | { readonly kind: 'alone' }
  /** The state `shared`: the response of the joined handler run answers the request. */
  | { readonly kind: 'shared'; readonly response: StoredResponse }
  /** The handler failed in the joined handler run; the stored response that the request selects answers the request. */
  | { readonly kind: 'stale'; readonly detail: string }
  /** The client of the request disconnected, so no response is sent. */
  | { readonly kind: 'gone' }

const ALONE: ForwardState = { kind: 'alone' }

/** Returns the state of a request after it has looked for a handler run to join. */
export function afterArrival (facts: {
  /** The key of the handler runs that the request may join; `undefined`: it joins no run, and no other request joins its own run. */
  readonly flightKey: string | undefined
  readonly flight: HandlerFlight | undefined
  /** Whether the last handler run with the key gave no storable response, so that no request waits for the next run. */
  readonly isUncacheable: boolean
  readonly until: number
}): ForwardState {
  const { flightKey, flight, isUncacheable, until } = facts
  if (flightKey === undefined || flight === undefined || isUncacheable) return { kind: 'leading', flightKey }
  return { kind: 'waiting', flight, isLate: flight.isProven, until }
}

/** Returns the state of a request after a wait, which has ended because the joined handler run has ended or the time limit has passed. */
export function afterWait ({ flight, isLate, until }: Extract<ForwardState, { kind: 'waiting' }>, facts: {
  readonly isGone: boolean
  readonly hasTimeLeft: boolean
  /** Whether the request has a stored response that may be served instead of a failure. */
  readonly isStaleAllowed: boolean
  /** The response of the joined handler run; `undefined`: the run had no response in time. */
  readonly response: StoredResponse | undefined
  /** Whether the response of the joined handler run is fresh, and the headers of the request select it. */
  readonly isUsable: boolean
}): ForwardState {
  if (facts.isGone) return { kind: 'gone' }
  if (flight.isAbandoned && facts.hasTimeLeft) return { kind: 'arriving', until }
  if (flight.failure !== undefined && !flight.isSuperseded && facts.isStaleAllowed) return { kind: 'stale', detail: flight.failure }
  const { response } = facts
  if (response === undefined || flight.isSuperseded || !facts.isUsable) return ALONE
  return isLate ? { kind: 'proving', flight, response } : { kind: 'shared', response }
}

/** Returns the state of a request after the tags of the joined handler run were compared once more with their snapshot. */
export function afterProof ({ response }: Extract<ForwardState, { kind: 'proving' }>, isCurrent: boolean): ForwardState {
  return isCurrent ? { kind: 'shared', response } : ALONE
}

/** Returns the state of a request once its handler has sent a response. */
export function afterResponse (
  state: RunState, { status, isError }: { readonly status: number; readonly isError: boolean }, facts: RunFacts
): RunState {
  if (status >= 500) return afterFailure(state, status, facts)
  return state.kind === 'running' && !isError && status === 304 && facts.hasStored ? { kind: 'validated' } : state
}

/** The consequence of a handler run that ended with the handler's own response or failure. */
export type Conclusion =
  | { readonly kind: 'storable'; readonly response: StoredResponse }
  /** The client of the handler run disconnected, or the body broke off, so one of the waiting requests runs the handler again. */
  | { readonly kind: 'abandoned'; readonly unstored: Unstored }
  /** Another response was sent in place of the handler's; the stored response remains unchanged. */
  | { readonly kind: 'replaced'; readonly unstored: Unstored }
  /** The consequence `uncacheable`: the handler's response is complete and may not be stored. */
  | { readonly kind: 'uncacheable'; readonly unstored: Unstored; readonly status: number }

/**
 * Decides the consequence of a handler run by its end and by the judgement on its response.
 * @param judged the judgement on a recorded response
 * @param status of the handler's response or of its error; `0`: the handler sent no response
 */
export function conclusionOf (
  end: Outcome | Failure, judged: Judgement | undefined, { status, isGone }: { readonly status: number; readonly isGone: boolean }
): Conclusion {
  if (judged?.response !== undefined) return { kind: 'storable', response: judged.response }
  const unstored = unstoredOf(end, judged, status)
  if (end === 'aborted' || isGone) return { kind: 'abandoned', unstored }
  if (end === 'replaced') return { kind: 'replaced', unstored }
  return { kind: 'uncacheable', unstored, status: 'final' in end ? end.final.status : status }
}

/** Returns the reason why a response is not stored, if a change of the route or of the app could make it storable. */
function unstoredOf (end: Outcome | Failure, judged: Unstored | undefined, status: number): Unstored {
  if (typeof end === 'object' && 'unstored' in end) return end.unstored
  // The handler sent no response and the client is connected, so the app wrote the head itself: the reply is hijacked (`reply.hijack()`).
  return end === 'replaced' && status === 0 ? { reason: 'hijacked' } : judged ?? { reason: undefined }
}
