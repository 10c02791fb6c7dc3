import type { Backoff } from './backoff.js'
import type { TagSnapshot } from '../contract/cache.js'
import { isEndOfCaller } from './caller.js'
import { Deadlines } from '../service/deadlines.js'
import { LoadCycle, loadOverdue } from '../contract/errors.js'
import type { Loader } from '../contract/loader.js'
import { Flight, type FlightOptions } from './single-flight.js'
import { LoadScope } from './load-scope.js'
import type { Call } from './call.js'
import type { LoadStore } from './load-store.js'
import { limitOf, Load, LOAD_LIMIT_MS } from './load.js'
import { LoadLock, type LoadOutcome } from './load-lock.js'
import type { CacheRegistry } from '../service/registry.js'
import { knownTags, storeOptions } from './store-options.js'
import { timeLoad } from './timed-load.js'

/** Milliseconds without a new load after a failed one, while a stale value is at hand. */
const RETRY_AFTER_MS = 1000

/** How a flight is begun. `ttlLeft` is that of the entry to be replaced: a better one, stored by another process, ends the flight. */
export interface Start extends Pick<FlightOptions, 'isBackground' | 'isSuspected'> { ttlLeft?: number }

/** Carries out one load: lock, snapshot, loader, store. */
export class FlightRunner {
  readonly #registry: CacheRegistry
  readonly #store: LoadStore
  readonly #backoff: Backoff
  readonly #ttlFor: (ttl: number | undefined) => number
  /** Of loads that have no limit of their own. A load that hangs does not hold the process. */
  readonly #limit = new Deadlines(LOAD_LIMIT_MS, { holdsProcess: false })

  constructor (registry: CacheRegistry, store: LoadStore, backoff: Backoff, ttlFor: (ttl: number | undefined) => number) {
    this.#registry = registry
    this.#store = store
    this.#backoff = backoff
    this.#ttlFor = ttlFor
  }

  /** Begins a load that other callers may join. */
  begin<T> (call: Call<T>, { ttlLeft = 0, isBackground = false, isSuspected = false }: Start = {}): Promise<T> {
    const { options } = call
    const { active, flights } = this.#registry
    // Nobody waits for a load in the background, so it may wait for the run that started it.
    const parent = isBackground ? undefined : flights.scopes.of(call.entered)
    const flight = new Flight<T>(call.key, [...knownTags(options)], { hasLateTags: typeof options.tags === 'function', isBackground, isSuspected, parent })
    flights.begin(flight)
    // Swapped since the call began: what it loads is for nobody else.
    if (active !== call.registration) flights.supersede([call.key])
    flight.loaded = this.#fly(call, flight, ttlLeft)
    return flight.loaded
  }

  /**
   * Runs the loader of a call that would else wait for itself; its value answers this call alone and is not stored. Rejects with
   * `CACHE_ERR_LOAD_CYCLE` if that loader asks for the same key again.
   */
  async runUnshared<T> ({ registration, key, loader, options }: Call<T>, parent: LoadScope): Promise<T> {
    if (parent.isRecursion(key)) throw new LoadCycle()
    const scope = new LoadScope(key, parent, true)
    try {
      return await timeLoad(this.#registry, new Load(key), registration.stats.of(key).loads, this.#inside(scope, loader), options.timeoutMs, false)
    } finally {
      scope.end()
    }
  }

  async #fly<T> (call: Call<T>, flight: Flight<T>, ttlLeft: number): Promise<T> {
    const { registration, key, loader, options } = call
    let lock: LoadLock | undefined
    if (options.lock === true && registration.impl.lock !== undefined && !call.isStoreAway) {
      lock = await this.#acquire(call, flight)
      if (registration.impl.leases !== undefined) flight.closeToUnproven()
      const entry = await this.#store.read(call)
      if (entry !== null && entry.fresh && entry.ttlLeft > ttlLeft) {
        flight.scope.end()
        this.#end(flight, lock, 'stored')
        flight.snapshotValue(entry.value, false)
        if (registration.impl.leases !== undefined) flight.setLease(null)
        return entry.value
      }
    }
    const snapshot = await this.#store.capture(call, flight)
    const load = new Load(key)
    const leave = this.#enter(call, flight, lock)
    let value: T
    try {
      value = await timeLoad(this.#registry, load, registration.stats.of(key).loads, this.#inside(flight.scope, loader), options.timeoutMs, flight.isBackground)
    } catch (error) {
      this.#failed(call, flight, lock, error)
      throw error
    } finally {
      leave()
    }
    this.#backoff.end(key)
    this.#keep(call, flight, load, value, snapshot, lock)
    return value
  }

  /** A load inside a load that holds a lock does not wait for its own: two processes would wait for one another. */
  async #acquire<T> ({ registration, key, options }: Call<T>, flight: Flight<T>): Promise<LoadLock | undefined> {
    const mayWait = flight.scope.parent?.isInsideLock !== true
    const lock = await LoadLock.acquire(registration, key, mayWait, limitOf(options.timeoutMs), (operation, error) => this.#store.fail(registration, operation, error))
    flight.scope.holdsLock = lock !== undefined
    return lock
  }

  /** Bounds the time of a load that has no limit of its own; the returned function says that the loader has ended. */
  #enter<T> ({ registration, options }: Call<T>, flight: Flight<T>, lock: LoadLock | undefined): () => void {
    const untrack = flight.isSuspected ? this.#registry.flights.scopes.track() : undefined
    const watched = limitOf(options.timeoutMs) !== undefined
      ? undefined
      : this.#limit.watch((ms) => {
        untrack?.()
        // Before callers look for another flight to join.
        this.#end(flight, lock)
        flight.expire()
        this.#store.fail(registration, 'getOrSet', loadOverdue(ms))
      })
    return () => {
      if (watched !== undefined) this.#limit.unwatch(watched)
      flight.scope.end()
      untrack?.()
    }
  }

  #inside<T> (scope: LoadScope, loader: Loader<T>): Loader<T> {
    return (context) => this.#registry.flights.scopes.run(scope, () => loader(context))
  }

  #failed<T> (call: Call<T>, flight: Flight<T>, lock: LoadLock | undefined, error: unknown): void {
    const { key, caller, options } = call
    flight.isAbandoned = isEndOfCaller(caller, error)
    // The end of one caller, or of a load that has been replaced, says nothing about the next load.
    if (!flight.isAbandoned && !flight.isOverdue) this.#backoff.start(key, options.retryAfterMs ?? RETRY_AFTER_MS)
    // The load that replaces an abandoned one shares its mark.
    if (!flight.isAbandoned) this.#store.release(call, flight)
    // Without an outcome the lock goes to the next in line, who loads in place of the caller that ended.
    this.#end(flight, lock, flight.isAbandoned ? undefined : 'not-stored')
  }

  /** Stores what was loaded; nobody waits for it, and until it has ended callers get the loaded value. */
  // oxlint-disable-next-line max-params -- on the path of every load: an object of parameters would be garbage of each call
  #keep<T> (call: Call<T>, flight: Flight<T>, load: Load, value: T, snapshot: TagSnapshot | undefined | null, lock: LoadLock | undefined): void {
    const { registration, key } = call
    const options = snapshot === null || load.isSkipped || flight.isSuperseded
      ? undefined
      : storeOptions(call.options, flight, value, snapshot, this.#ttlFor)
    if (options instanceof Error) this.#store.fail(registration, 'set', options)
    if (options === undefined || options instanceof Error) {
      flight.snapshotValue(value, false)
      this.#store.release(call, flight)
      this.#end(flight, lock, 'not-stored')
      return
    }
    const { flights, doubts } = this.#registry
    doubts.look(registration.stats.of(key).keyPattern, key, value, call.options.ttl)
    const isQueued = flights.storing([key]) !== undefined
    flight.snapshotValue(value, registration.immediate === undefined)
    const store = async (): Promise<void> => {
      const isStored = !flight.isSuperseded && await this.#store.set(call, flight, isQueued ? flight.copyOf(value) : value, options)
      this.#end(flight, lock, isStored ? 'stored' : 'not-stored')
    }
    if (registration.immediate === undefined) {
      void flights.store([key], store)
    } else {
      void store()
      flights.end(flight)
    }
  }

  #end (flight: Flight, lock: LoadLock | undefined, outcome?: LoadOutcome): void {
    this.#registry.flights.end(flight)
    void lock?.release(outcome)
  }
}
