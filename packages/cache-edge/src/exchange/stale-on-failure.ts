import type { RunFacts, RunState } from './run-state.js'

// The stored response is served stale in place of a handler that failed or took too long (stale-if-error, RFC 5861 §4).

/**
 * Returns the state of a handler run once the handler has failed. If the client disconnected, that may have made the handler fail, so no
 * stale response is served.
 */
export function afterFailure (state: RunState, status: number, facts: RunFacts): RunState {
  return status >= 500 && !facts.isGone && mayServeStale(state, facts) ? { kind: 'stale-served', detail: 'stale-if-error, error' } : state
}

/** Returns the state of a handler run once the handler has taken longer than `staleAfterMs`. */
export function afterTimeout (state: RunState, facts: RunFacts): RunState {
  return mayServeStale(state, facts) ? { kind: 'stale-served', detail: 'stale-if-error, timeout' } : state
}

/**
 * Whether the stored response may be served in place of the handler's. A background refresh never receives it, since the refresh must fail
 * with its handler.
 */
function mayServeStale ({ kind }: RunState, { hasStored, isStaleAllowed, isRefresh, isSuperseded }: RunFacts): boolean {
  return kind === 'running' && hasStored && isStaleAllowed && !isRefresh && !isSuperseded
}
