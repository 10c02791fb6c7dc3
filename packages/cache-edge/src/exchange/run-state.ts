/** The state of a handler run that other requests may join. */
export type RunState =
  /** The state `running`: the handler runs, or its own response is sent. */
  | { readonly kind: 'running' }
  /** The state `stale-served`: the stored response answers the request in place of the handler. */
  | { readonly kind: 'stale-served'; readonly detail: `stale-if-error, ${'error' | 'timeout'}` }
  /** The state `validated`: the handler answered 304 to the validators of the stored response. */
  | { readonly kind: 'validated' }

/** Facts about the request of a handler run, at the time of a transition between its states. */
export interface RunFacts {
  readonly hasStored: boolean
  /** Whether the stored response may be served in place of a failure (RFC 5861 §4). */
  readonly isStaleAllowed: boolean
  readonly isRefresh: boolean
  readonly isSuperseded: boolean
  readonly isGone: boolean
}

export const RUNNING: RunState = { kind: 'running' }
