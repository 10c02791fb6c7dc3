/**
 * Whether a value that the app returned is a promise, where a plain value is expected. Its rejection is passed to `rejected`, since an
 * unhandled rejection would end the process.
 */
export function isPromise (value: unknown, rejected: (error: unknown) => void = () => {}): boolean {
  try {
    const then = (value as PromiseLike<unknown> | null | undefined)?.then
    if (typeof then !== 'function') return false
    then.call(value, () => {}, rejected)
    return true
  } catch {
    // A value whose `then` throws when it is read or called counts as a promise, so that the caller refuses the value.
    return true
  }
}

type Level = 'info' | 'warn' | 'error'
/** The methods of a logger that the core calls. */
export type Log = { [L in Level]: (details: object, message: string) => void }

/** Wraps a logger, so that a failure of the logger affects neither the cache nor the process. */
export function harmlessLog (log: Log): Log {
  const write = (level: Level) => (details: object, message: string): void => {
    try {
      isPromise(log[level](details, message))
    } catch {
      // An error of the app's logger is ignored, since there is no other place to report it.
    }
  }
  return { info: write('info'), warn: write('warn'), error: write('error') }
}
