import { causeOf } from '../contract/coded-error.js'

/** The part of a Fastify request that shows whether its client is still connected. */
export interface Caller {
  /** The abort signal of the request; early releases of Fastify 5 have none. */
  readonly signal?: AbortSignal
  readonly raw: { readonly aborted?: boolean; readonly socket?: { readonly destroyed?: boolean } | null }
}

/** The maximum depth to which the causes of an error are searched for an abort. */
const MAX_CAUSES = 4

/** Whether an error is an `AbortError` or the abort `reason`, or has such an error among its causes. */
function isAbort (error: unknown, reason?: unknown): boolean {
  for (let depth = 0; depth <= MAX_CAUSES && typeof error === 'object' && error !== null; depth++) {
    if (error === reason || (error as { name?: unknown }).name === 'AbortError') return true
    error = (error as { cause?: unknown }).cause ?? causeOf(error)
  }
  return false
}

/** Whether the client of a request has disconnected, or the request was aborted; `false` for `undefined`, a call outside of requests. */
export function hasLeft (caller: Caller | undefined): boolean {
  return caller !== undefined &&
    (caller.raw.aborted === true || (caller.signal?.aborted === true && caller.raw.socket?.destroyed !== false))
}

/**
 * Whether a load failed because the request of its caller ended, and not because its source failed. Fastify also aborts `request.signal`
 * when the body of the request has been read. While the connection is open, the load counts as aborted only if its error is an
 * `AbortError`.
 */
export function isEndOfCaller (caller: Caller | undefined, error: unknown): boolean {
  if (caller === undefined) return isAbort(error)
  return hasLeft(caller) || (caller.signal?.aborted === true && isAbort(error, caller.signal.reason))
}
