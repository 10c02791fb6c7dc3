import { timeout, unavailable } from '@x/cache-core/implementing'
import { Deadlines } from '@x/cache-core/suite'
import type { Client } from '../connection/client.js'
import { toCacheError } from '../connection/redis-errors.js'
import { defineRolloutScripts } from './rollout-scripts.js'

/**
 * The calls of a store for the processes of an app: each ends after `commandTimeoutMs` at the latest, and rejects with a coded error. The
 * breaker of the cache is not asked.
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

  /** All later calls reject. */
  close (): void {
    this.#isClosed = true
  }

  run<T> (operation: string, start: (client: Client) => Promise<T>): Promise<T> {
    // Calls reject once the cache is closed: a client of the app's own stays open, so that the calls would still succeed.
    if (this.#isClosed) return Promise.reject(unavailable(operation))
    // The scripts are added to the client at the first call, since most caches need none.
    if (!this.#hasScripts) defineRolloutScripts(this.#client)
    this.#hasScripts = true
    return this.#deadlines.bound<T, T | Promise<T>>(start(this.#client),
      (value) => value,
      (ms) => Promise.reject(timeout(operation, ms)),
      (cause) => Promise.reject(toCacheError(operation, cause))) as Promise<T>
  }
}
