import type { Entry } from '../contract/cache.js'
import type { Backoff } from './backoff.js'
import type { Call } from './call.js'
import { limitOf } from './load.js'
import type { LoadStore } from './load-store.js'
import { mayBeServed, needsEntry } from './stale-rules.js'

/**
 * Serves the stale value in place of a load that fails, or that is slow, where the options of the caller allow it. The entry is read again,
 * since during the load it may have been invalidated, or its stale window may have ended.
 */
export class StaleFallback {
  readonly #store: LoadStore
  readonly #backoff: Backoff

  constructor (store: LoadStore, backoff: Backoff) {
    this.#store = store
    this.#backoff = backoff
  }

  /** Returns the loaded value or, if loading fails or takes longer than `softTimeoutMs`, the stale value. */
  orStale<T> (call: Call<T>, loaded: Promise<T>): Promise<T> {
    const { key, options } = call
    if (!needsEntry(options)) return loaded
    const answer = loaded.catch(async (error: unknown) => {
      const entry = await this.#store.read(call, false)
      if (entry === null) this.#backoff.end(key)
      else if (isServable(call, entry)) return entry.value
      throw error
    })
    const ms = limitOf(options.softTimeoutMs)
    return ms === undefined || options.staleIfError === undefined ? answer : this.#orStaleAfter(ms, call, answer)
  }

  /** Returns the loaded value or, if the load takes longer than `ms`, the stale value, if there is one; the load continues. */
  #orStaleAfter<T> (ms: number, call: Call<T>, loaded: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        void this.#store.read(call, false).then((entry) => { if (entry !== null && isServable(call, entry)) resolve(entry.value) })
      }, ms)
      loaded.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }
}

function isServable<T> ({ options }: Call<T>, entry: Entry<T>): boolean {
  return entry.fresh || mayBeServed(entry, options.staleIfError)
}
