import type { Entry, SetOptions, TagSnapshot } from './cache.js'
import type { Caller } from './caller.js'
import type { CacheError } from './errors.js'
import type { GetOrSetOptions, Loader } from './fastify-cache.js'
import type { Flight } from './flights.js'
import type { LoadScope } from './load-scope.js'
import { measured } from './measure.js'
import type { Registration } from './registration.js'
import type { CacheRegistry } from './registry.js'
import { needsEntry } from './staleness.js'
import type { ImplStats } from './stats.js'
import { checkTagOptions, knownTags } from './store-options.js'

/** One call of `getOrSet` in the cached arm. */
export interface Call<T> {
  readonly registration: Registration
  readonly key: string
  readonly loader: Loader<T>
  readonly options: GetOrSetOptions<T>
  /** The request that the call is made for. */
  readonly caller: Caller | undefined
  /** The loader run in whose synchronous part the call was made. */
  readonly entered: LoadScope | undefined
  /** The store did not answer: asking it for a lock or for tokens would only make the caller wait again. */
  isStoreAway: boolean
}

/** Counts and announces a failure. */
export type Fail = (stats: ImplStats, operation: string, error: CacheError) => void

/** The store as `getOrSet` sees it: each operation is measured, each failure is announced and answered with "nothing". */
export class LoadStore {
  readonly #registry: CacheRegistry
  readonly #fail: Fail

  constructor (registry: CacheRegistry, fail: Fail) {
    this.#registry = registry
    this.#fail = fail
  }

  fail (registration: Registration, operation: string, error: CacheError): void {
    this.#fail(registration.stats, operation, error)
  }

  /** The entry, fresh or stale; `null`: there is none, or the store did not answer. */
  async read<T> (call: Call<T>): Promise<Entry<T> | null> {
    const { registration, key, options } = call
    const result = await this.#measured(registration, 'get', registration.lookup<T>(key, { tags: knownTags(options), stale: needsEntry(options) }))
    if (result.ok) return result.value
    this.fail(registration, 'get', result.error)
    const { code } = result.error
    if (code === 'CACHE_ERR_UNAVAILABLE' || code === 'CACHE_ERR_TIMEOUT') call.isStoreAway = true
    return null
  }

  /** The tags as they are before the load; `null`: what is loaded must not be stored. */
  async capture<T> (call: Call<T>, flight: Flight<T>): Promise<TagSnapshot | undefined | null> {
    if (flight.isSuperseded || call.isStoreAway) return null
    const { registration, options } = call
    const error = checkTagOptions(options)
    if (error !== undefined) {
      this.fail(registration, 'tags.capture', error)
      return null
    }
    // Without tags, too: another process may clear the cache while this one loads. In this one the flight is superseded.
    if (flight.tags.length === 0 && (registration.immediate !== undefined || registration.impl.tags === undefined)) return undefined
    const result = await this.#measured(registration, 'tags.capture', registration.capture(flight.tags as string[]))
    if (result.ok) return result.value
    this.fail(registration, 'tags.capture', result.error)
    return null
  }

  /** Whether the value was stored. */
  async set<T> ({ registration, key }: Call<T>, value: T, options: SetOptions): Promise<boolean> {
    const result = await this.#measured(registration, 'set', registration.set(key, value, options))
    if (result.ok) registration.stats.of(key).sets++
    else this.fail(registration, 'set', result.error)
    return result.ok
  }

  #measured<T> (registration: Registration, operation: string, pending: Promise<T>): Promise<T> {
    return measured(this.#registry, registration.stats, operation, pending)
  }
}
