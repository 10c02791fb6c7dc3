import { withCause } from '@x/cache-core/implementing'

/** Receives a warning: a setting of the app has no effect for a lasting reason. The message has the remedy. */
export type Warn = (warning: Error) => void

/**
 * Wraps a function of the app (a callback in the options) so that it neither throws nor rejects. The first failure is passed to `warn`; the
 * function is still called afterwards.
 */
export function guard<A extends unknown[]> (name: string, fn: ((...args: A) => unknown) | undefined, warn: Warn): (...args: A) => void {
  if (fn === undefined) return () => {}
  let hasFailed = false
  const fail = (cause: unknown): void => {
    if (hasFailed) return
    hasFailed = true
    warn(withCause(new Error(`${name} failed: ${textOf(cause)}. It must neither throw nor reject`), cause))
  }
  return (...args) => {
    try {
      const returned = fn(...args) as PromiseLike<unknown> | undefined
      // Any thenable counts as a promise: the app may use another implementation of promises.
      if (typeof returned?.then === 'function') returned.then(undefined, fail)
    } catch (error) {
      fail(error)
    }
  }
}

// `String()` is not used here, since converting the thrown value to text may itself throw.
function textOf (cause: unknown): string {
  if (cause instanceof Error) return cause.message
  return typeof cause === 'string' ? cause : `a thrown ${typeof cause}`
}
