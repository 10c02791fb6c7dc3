import { timeout } from '../contract/errors.js'
import { Deadlines } from '../lib/deadlines.js'
import type { RolloutStore } from './rollout-store.js'

/** The time limit of a call of the rollout store, in milliseconds. */
export const STORE_LIMIT_MS = 2000

/**
 * Calls of the rollout store, each with a time limit: a store that hangs must not stop the canary. Pending calls do not keep the process
 * running.
 */
export class StoreCalls {
  readonly #limits = new Deadlines(STORE_LIMIT_MS, { holdsProcess: false })

  constructor (readonly store: RolloutStore) {}

  /** Starts a call of the rollout store and settles as it does, or rejects with `CACHE_ERR_TIMEOUT` once the time limit has passed. */
  call<T> (operation: string, start: (store: RolloutStore) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const watched = this.#limits.watch((ms) => reject(timeout(`rollout.${operation}`, ms)))
      // The function is async, so that a rollout store that throws synchronously has the same effect as one that rejects.
      const pending = (async () => start(this.store))()
      pending.then(resolve, reject).finally(() => this.#limits.unwatch(watched))
    })
  }
}
