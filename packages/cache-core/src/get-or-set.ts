import { checkKey } from './arguments.js'
import { Backoff } from './backoff.js'
import type { Entry, TagSnapshot } from './cache.js'
import type { CacheError } from './errors.js'
import type { GetOrSetOptions, Loader } from './fastify-cache.js'
import { Flight } from './flights.js'
import { LoadLock } from './locked-load.js'
import { limitOf, Load, runLoader, within } from './load.js'
import { measured, readMeasured } from './measure.js'
import { readNow } from './read-now.js'
import type { Registration } from './registration.js'
import type { CacheRegistry } from './registry.js'
import { STORED_NULL, type Result } from './result.js'
import { isEarlyRefreshDue, mayBeServed, needsEntry } from './staleness.js'
import type { ImplStats, Loads } from './stats.js'
import { checkTagOptions, knownTags, storeOptions } from './store-options.js'

/** Milliseconds without a new load after a failed one, while a stale value is at hand. */
const RETRY_AFTER_MS = 1000

/** One call in the cached arm. */
interface Call<T> {
  readonly registration: Registration
  readonly key: string
  readonly loader: Loader<T>
  readonly options: GetOrSetOptions<T>
  /** The store did not answer: asking it for a lock or for tokens would only make the caller wait again. */
  isStoreAway: boolean
}

/** One load per key per process, and the rules for stale values. */
export class GetOrSet {
  readonly #registry: CacheRegistry
  readonly #backoff: Backoff
  readonly #fail: (stats: ImplStats, operation: string, error: CacheError) => void
  readonly #ttlFor: (ttl: number | undefined) => number

  constructor (
    registry: CacheRegistry,
    fail: (stats: ImplStats, operation: string, error: CacheError) => void,
    ttlFor: (ttl: number | undefined) => number
  ) {
    this.#registry = registry
    this.#backoff = new Backoff(registry)
    this.#fail = fail
    this.#ttlFor = ttlFor
  }

  /** Every caller's loader runs, at once and alone: observing must not change what is observed. */
  observe<T> (stats: ImplStats, key: string, loader: Loader<T>, options: GetOrSetOptions<T>): Promise<T> {
    const error = checkKey(key)
    if (error !== undefined) this.#fail(stats, 'getOrSet', error)
    const counters = stats.of(error === undefined ? key : '')
    if (error === undefined) counters.miss(key)
    const load = new Load(key)
    return this.#time(load, counters.loads, loader, options.timeoutMs, false, (value) => {
      if (error === undefined && !load.isSkipped && value !== undefined && options.ttl !== 0) counters.sets++
    })
  }

  /** The cached value, or one load for all who ask meanwhile. */
  run<T> (registration: Registration, key: string, loader: Loader<T>, options: GetOrSetOptions<T>): Promise<T> {
    const call: Call<T> = { registration, key, loader, options, isStoreAway: false }
    const flight = this.#registry.flights.joinable(key)
    if (flight !== undefined && !flight.isBackground) {
      registration.stats.of(key).miss(key)
      return this.#join(call, flight as Flight<T>)
    }
    if (registration.immediate === undefined || needsEntry(options)) return this.#lookup(call)
    const result = readMeasured(this.#registry, registration.stats, 'get', registration.immediate, readNow, key) as Result<T | null>
    const counters = registration.stats.of(key)
    if (result.ok && (result.value !== null || result === STORED_NULL)) {
      counters.hit(key)
      return Promise.resolve(result.value as T)
    }
    counters.miss(key)
    return this.#joinOrLoad(call)
  }

  async #lookup<T> (call: Call<T>): Promise<T> {
    const { registration, key, options } = call
    const entry = await this.#read(call)
    const counters = registration.stats.of(key)
    if (entry?.fresh === true) {
      counters.hit(key)
      if (isEarlyRefreshDue(entry, options.earlyRefresh, counters.loads.recent)) {
        this.#refresh(call, entry.ttlLeft)
      }
      return entry.value
    }
    if (entry !== null && mayBeServed(entry, options.staleWhileRevalidate)) {
      counters.hit(key)
      this.#refresh(call, 0)
      return entry.value
    }
    if (entry !== null && mayBeServed(entry, options.staleIfError) && this.#backoff.isActive(key)) {
      counters.hit(key)
      return entry.value
    }
    counters.miss(key)
    return this.#joinOrLoad(call)
  }

  #joinOrLoad<T> (call: Call<T>): Promise<T> {
    const flight = this.#registry.flights.joinable(call.key)
    return flight === undefined ? this.#orStale(call, this.#begin(call, 0, false)) : this.#join(call, flight as Flight<T>)
  }

  async #read<T> (call: Call<T>): Promise<Entry<T> | null> {
    const { registration, key, options } = call
    const result = await this.#measured(registration, 'get', registration.lookup<T>(key, { tags: knownTags(options), stale: needsEntry(options) }))
    if (result.ok) return result.value
    this.#fail(registration.stats, 'get', result.error)
    const { code } = result.error
    if (code === 'CACHE_ERR_UNAVAILABLE' || code === 'CACHE_ERR_TIMEOUT') call.isStoreAway = true
    return null
  }

  /** Waits for the load of another; not longer than this caller's own limit. */
  #join<T> (call: Call<T>, flight: Flight<T>): Promise<T> {
    const limit = limitOf(call.options.timeoutMs)
    const joined = flight.join()
    return this.#orStale(call, limit === undefined ? joined : within(limit, joined))
  }

  /** Loads while nobody waits. Failures are announced as `loaded` events, and the stale value stays. */
  #refresh<T> (call: Call<T>, ttlLeft: number): void {
    if (this.#registry.flights.joinable(call.key) !== undefined || this.#backoff.isActive(call.key)) return
    this.#begin(call, ttlLeft, true).catch(() => {
      // Announced by #time, and counted; there is no caller to tell.
    })
  }

  #begin<T> (call: Call<T>, ttlLeft: number, isBackground: boolean): Promise<T> {
    const { options } = call
    const flight = new Flight<T>(call.key, [...knownTags(options)], typeof options.tags === 'function', isBackground)
    const { active, flights } = this.#registry
    flights.begin(flight)
    // Swapped since the call began: what it loads is for nobody else.
    if (active !== call.registration) flights.overtake([call.key])
    flight.loaded = this.#fly(call, flight, ttlLeft)
    return flight.loaded
  }

  /** @param ttlLeft of the entry that is to be replaced: a better one, stored by another process, ends the flight */
  async #fly<T> (call: Call<T>, flight: Flight<T>, ttlLeft: number): Promise<T> {
    const { registration, key, loader, options } = call
    let lock: LoadLock | undefined
    if (options.lock === true && registration.impl.lock !== undefined && !call.isStoreAway) {
      lock = await LoadLock.acquire(registration, key, limitOf(options.timeoutMs), (operation, error) => this.#fail(registration.stats, operation, error))
      const entry = await this.#read(call)
      if (entry !== null && entry.fresh && entry.ttlLeft > ttlLeft) {
        this.#end(flight, lock, 'stored')
        flight.takeDown(entry.value, false)
        return entry.value
      }
    }
    const snapshot = await this.#capture(call, flight)
    const load = new Load(key)
    let value: T
    try {
      value = await this.#time(load, registration.stats.of(key).loads, loader, options.timeoutMs, flight.isBackground)
    } catch (error) {
      this.#backoff.start(key, options.retryAfterMs ?? RETRY_AFTER_MS)
      this.#end(flight, lock, 'not-stored')
      throw error
    }
    this.#backoff.end(key)
    this.#keep(call, flight, load, value, snapshot, lock)
    return value
  }

  /** `null`: what is loaded must not be stored. */
  async #capture<T> (call: Call<T>, flight: Flight<T>): Promise<TagSnapshot | undefined | null> {
    if (flight.isOvertaken || call.isStoreAway) return null
    const { registration, options } = call
    const error = checkTagOptions(options)
    if (error !== undefined) {
      this.#fail(registration.stats, 'tags.capture', error)
      return null
    }
    // Without tags, too: another process may clear the cache while this one loads. In this one the flight is overtaken.
    if (flight.tags.length === 0 && (registration.immediate !== undefined || registration.impl.tags === undefined)) return undefined
    const result = await this.#measured(registration, 'tags.capture', registration.capture(flight.tags as string[]))
    if (result.ok) return result.value
    this.#fail(registration.stats, 'tags.capture', result.error)
    return null
  }

  /** Stores what was loaded; nobody waits for it, and until it has ended callers get the loaded value. */
  #keep<T> (call: Call<T>, flight: Flight<T>, load: Load, value: T, snapshot: TagSnapshot | undefined | null, lock: LoadLock | undefined): void {
    const { registration, key } = call
    const options = snapshot === null || load.isSkipped || flight.isOvertaken
      ? undefined
      : storeOptions(call.options, flight, value, snapshot, this.#ttlFor)
    if (options instanceof Error) this.#fail(registration.stats, 'set', options)
    if (options === undefined || options instanceof Error) {
      flight.takeDown(value, false)
      this.#end(flight, lock, 'not-stored')
      return
    }
    const { flights } = this.#registry
    const isQueued = flights.storing([key]) !== undefined
    flight.takeDown(value, registration.immediate === undefined)
    const store = async (): Promise<void> => {
      if (flight.isOvertaken) return this.#end(flight, lock, 'not-stored')
      const result = await this.#measured(registration, 'set', registration.set(key, isQueued ? flight.copyOf(value) : value, options))
      if (result.ok) registration.stats.of(key).sets++
      else this.#fail(registration.stats, 'set', result.error)
      this.#end(flight, lock, result.ok ? 'stored' : 'not-stored')
    }
    if (registration.immediate === undefined) {
      void flights.store([key], store)
    } else {
      void store()
      flights.end(flight)
    }
  }

  /**
   * What is loaded; if loading fails, the stale value, where this caller takes one and the cache still holds it: asked for
   * anew, since it may have been invalidated, or have reached its end, while the load ran.
   */
  #orStale<T> (call: Call<T>, loaded: Promise<T>): Promise<T> {
    if (!needsEntry(call.options)) return loaded
    return loaded.catch(async (error: unknown) => {
      const entry = await this.#read(call)
      if (entry === null) this.#backoff.end(call.key)
      else if (entry.fresh || mayBeServed(entry, call.options.staleIfError)) return entry.value
      throw error
    })
  }

  #measured<T> (registration: Registration, operation: string, pending: Promise<T>): Promise<T> {
    return measured(this.#registry, registration.stats, operation, pending)
  }

  #end (flight: Flight, lock: LoadLock | undefined, outcome: 'stored' | 'not-stored'): void {
    this.#registry.flights.end(flight)
    void lock?.release(outcome)
  }

  /** Runs the loader and notes how long it took; `then` sees what it gives. */
  #time<T> (
    load: Load, loads: Loads, loader: Loader<T>, timeoutMs: number | undefined, isBackground: boolean, then?: (value: T) => void
  ): Promise<T> {
    const began = this.#registry.clock.now()
    let loaded: T | Promise<T>
    try {
      loaded = runLoader(load, loader, timeoutMs)
    } catch (failure) {
      this.#noteLoad(load, loads, began, undefined, failure, true, isBackground)
      return Promise.reject(failure)
    }
    // Not an async function: this is what an app feels of observing, and each promise is a part of it.
    return Promise.resolve(loaded).then((value) => {
      this.#noteLoad(load, loads, began, value, undefined, false, isBackground)
      then?.(value)
      return value
    }, (failure: unknown) => {
      this.#noteLoad(load, loads, began, undefined, failure, true, isBackground)
      throw failure
    })
  }

  #noteLoad (
    { key }: Load, loads: Loads, began: number, value: unknown, failure: unknown, hasFailed: boolean, isBackground: boolean
  ): void {
    const { clock, events } = this.#registry
    const seconds = (clock.now() - began) / 1000
    loads.record(seconds, hasFailed)
    if (events.has('loaded')) events.emit('loaded', key, loads.keyPattern, seconds, value, failure, isBackground)
  }
}
