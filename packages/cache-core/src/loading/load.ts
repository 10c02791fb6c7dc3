import { LoadTimeout, NothingStale } from '../contract/errors.js'
import type { LoadContext, Loader, StaleValue } from '../contract/loader.js'

/** The argument of a loader; the abort controller is made when `signal` is first read. */
export class Load implements LoadContext {
  #controller: AbortController | undefined
  isSkipped = false
  /** The number of loads for which one run of a loader is made: the number of keys of a batch, else 1. */
  sharers = 1
  readonly stale: StaleValue | undefined

  constructor (readonly key: string, stale?: StaleValue) {
    this.stale = stale
  }

  get signal (): AbortSignal {
    return (this.#controller ??= new AbortController()).signal
  }

  /**
   * Returns a function that marks the loaded value as not to be stored. The function needs no `this`, so that a loader may destructure its
   * argument, and is made only for a loader that reads the property.
   */
  get skip (): () => void {
    return () => { this.isSkipped = true }
  }

  /** Returns a function that returns the stale value. The function needs no `this`, so that a loader may destructure its argument. */
  get unchanged (): () => never {
    return () => {
      if (this.stale === undefined) throw new NothingStale()
      return this.stale.value as never
    }
  }

  abort (reason: Error): void {
    (this.#controller ??= new AbortController()).abort(reason)
  }
}

/**
 * The time limit, in milliseconds, of a load without `timeoutMs`. After it the next caller begins another load; waiters still get the late
 * value, which is not stored.
 */
export const LOAD_LIMIT_MS = 30_000

/** The maximum delay of a timer in milliseconds; Node turns a longer delay into 1 ms. */
const MAX_DELAY_MS = 0x7fffffff

/** Returns the time limit of a load in milliseconds; `undefined` if `timeoutMs` is not a delay that a timer accepts. */
export function limitOf (timeoutMs: number | undefined): number | undefined {
  return typeof timeoutMs === 'number' && timeoutMs >= 0 && timeoutMs <= MAX_DELAY_MS ? timeoutMs : undefined
}

/** Runs the loader. After `timeoutMs` its signal is aborted and the load has failed, even if the loader continues. */
export function runLoader<T> (load: Load, loader: Loader<T>, timeoutMs: number | undefined): T | Promise<T> {
  const limit = limitOf(timeoutMs)
  if (limit === undefined) return loader(load)
  return within(limit, (async () => loader(load))(), (reason) => load.abort(reason))
}

/**
 * Settles as the promise `pending` of a load does, or rejects with `CACHE_ERR_LOAD_TIMEOUT` after `ms`. The load itself goes on;
 * `onTimeout` may abort it.
 */
export function within<T> (ms: number, pending: Promise<T>, onTimeout: (reason: Error) => void = () => {}): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const reason = new LoadTimeout(ms)
      onTimeout(reason)
      reject(reason)
    }, ms)
    pending.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
