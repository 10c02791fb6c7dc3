import { LoadTimeout } from '../contract/errors.js'
import type { LoadContext, Loader } from '../contract/loader.js'

/** What a loader is given; the abort controller is made only if somebody asks for the signal. */
export class Load implements LoadContext {
  #controller: AbortController | undefined
  isSkipped = false

  constructor (readonly key: string) {}

  get signal (): AbortSignal {
    return (this.#controller ??= new AbortController()).signal
  }

  /** A function of its own, so that a loader may destructure it; made only if somebody asks for it. */
  get skip (): () => void {
    return () => { this.isSkipped = true }
  }

  abort (reason: Error): void {
    (this.#controller ??= new AbortController()).abort(reason)
  }
}

/**
 * Milliseconds after which a load without `timeoutMs` no longer closes its key: who waits still gets its value, which is not
 * stored, and the next caller loads anew.
 */
export const LOAD_LIMIT_MS = 30_000

/** Node turns longer delays into one of 1 ms. */
const MAX_DELAY_MS = 0x7fffffff

/** A limit in time; none for what is no delay that a timer can keep. */
export function limitOf (timeoutMs: number | undefined): number | undefined {
  return typeof timeoutMs === 'number' && timeoutMs >= 0 && timeoutMs <= MAX_DELAY_MS ? timeoutMs : undefined
}

/** Runs the loader; after `timeoutMs` its signal is aborted and the load has failed, whatever the loader does. */
export function runLoader<T> (load: Load, loader: Loader<T>, timeoutMs: number | undefined): T | Promise<T> {
  const limit = limitOf(timeoutMs)
  if (limit === undefined) return loader(load)
  return within(limit, (async () => loader(load))(), (reason) => load.abort(reason))
}

/** What `pending` resolves to, or `CACHE_ERR_LOAD_TIMEOUT` after `ms`. */
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
