import { withCause } from '@x/cache-core/implementing'

/** Hears of something that the app asked for and that fails for a lasting reason; the message says what to do. */
export type Warn = (warning: Error) => void

/**
 * A function of the app, made safe to call: a throw or a rejection goes no further. The first failure of each function is
 * told; the function is still called afterwards.
 */
export function guard<A extends unknown[]> (name: string, fn: ((...args: A) => unknown) | undefined, warn: Warn): (...args: A) => void {
  if (fn === undefined) return () => {}
  let isTold = false
  const fail = (cause: unknown): void => {
    if (isTold) return
    isTold = true
    warn(withCause(new Error(`${name} failed: ${textOf(cause)}. It must neither throw nor reject`), cause))
  }
  return (...args) => {
    try {
      const returned = fn(...args) as PromiseLike<unknown> | undefined
      // Any thenable: the app may use promises of its own.
      if (typeof returned?.then === 'function') returned.then(undefined, fail)
    } catch (error) {
      fail(error)
    }
  }
}

// Not String(): what is thrown may have no text, or one that throws.
function textOf (cause: unknown): string {
  if (cause instanceof Error) return cause.message
  return typeof cause === 'string' ? cause : `a thrown ${typeof cause}`
}
