import { timeout, unavailable } from '@x/cache-core/implementing'
import { Deadlines } from '@x/cache-core/suite'
import type { Client } from '../connection/client.js'
import { toCacheError } from '../connection/redis-errors.js'
import { defineRolloutScripts } from './rollout-scripts.js'

/**
 * Calls of a store that the processes of an app share. Each call ends after `commandTimeoutMs` at the latest; a failed call rejects with a
 * coded error. The breaker of the cache does not stop these calls.
 */
export class StoreCalls {
  readonly #client: Client
  readonly #deadlines: Deadlines
  #hasScripts = false
  #isClosed = false

  constructor (client: Client, commandTimeoutMs: number) {
    this.#client = client
    this.#deadlines = new Deadlines(commandTimeoutMs)
  }

  get isClosed (): boolean { return this.#isClosed }

  /** After `close` has been called, all calls reject. */
  close (): void {
    this.#isClosed = true
  }

  run<T> (operation: string, start: (client: Client) => Promise<T>): Promise<T> {
    // Calls reject after the cache was closed. A client of the app's own stays open, so that its commands would still succeed.
    if (this.#isClosed) return Promise.reject(unavailable(operation))
    // The scripts are added to the client at the first call, since most caches never call the store.
    if (!this.#hasScripts) defineRolloutScripts(this.#client)
    this.#hasScripts = true
    return this.#deadlines.bound<T, T | Promise<T>>(start(this.#client),
      (value) => value,
      (ms) => Promise.reject(timeout(operation, ms)),
      (cause) => Promise.reject(toCacheError(operation, cause))) as Promise<T>
  }
}
