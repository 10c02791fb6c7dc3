/**
 * Whether a value is a promise, where the app was asked for a plain value or for none. Its rejection is taken and given to
 * `rejected`: unhandled, it would end the process.
 */
export function isPromise (value: unknown, rejected: (error: unknown) => void = () => {}): boolean {
  try {
    const then = (value as PromiseLike<unknown> | null | undefined)?.then
    if (typeof then !== 'function') return false
    then.call(value, () => {}, rejected)
    return true
  } catch {
    // A thenable that throws is no value either.
    return true
  }
}

type Level = 'info' | 'warn' | 'error'
/** The part of a logger that the core writes to. */
export type Log = { [L in Level]: (details: object, message: string) => void }

/** The same logger, whose own failures harm neither the cache nor the process. */
export function harmlessLog (log: Log): Log {
  const write = (level: Level) => (details: object, message: string): void => {
    try {
      isPromise(log[level](details, message))
    } catch {
      // There is no other place where a failing logger could be reported.
    }
  }
  return { info: write('info'), warn: write('warn'), error: write('error') }
}
