import type { Backoff } from './backoff.js'
import type { TagSnapshot } from '../contract/cache.js'
import { isEndOfCaller } from './caller.js'
import { Deadlines } from '../lib/deadlines.js'
import { LoadCycle, loadOverdue } from '../contract/errors.js'
import type { Loader } from '../contract/loader.js'
import { Flight, type FlightOptions } from './single-flight.js'
import { LoadScope } from './load-scope.js'
import type { Call } from './call.js'
import type { LoadStore } from './load-store.js'
import { limitOf, Load, LOAD_LIMIT_MS } from './load.js'
import { LoadLock, type LoadOutcome, type LockWait } from './load-lock.js'
import { knownTags, storeOptions } from './store-options.js'
import { timeLoad } from './timed-load.js'
import type { LoadService } from './load-service.js'

/** The default of option `retryAfterMs`, in milliseconds. */
const RETRY_AFTER_MS = 1000

/**
 * Options of a flight (one load). `ttlLeft`: the remaining ttl of the entry that the flight replaces, in seconds. If another process stores
 * an entry with a longer remaining ttl, the flight ends without a load.
 */
export interface Start extends Pick<FlightOptions, 'isBackground' | 'isSuspected'> { ttlLeft?: number }

/** A loaded value. `snapshot`: the state of its tags before the load; `null`: the value must not be stored. */
interface Loaded<T> { readonly value: T; readonly snapshot: TagSnapshot | undefined | null; readonly isSkipped: boolean }

/** Carries out one load of a key: lock, snapshot of the tags, loader, store of the value. */
export class FlightRunner {
  readonly #service: LoadService
  readonly #store: LoadStore
  readonly #backoff: Backoff
  readonly #ttlFor: (ttl: number | undefined) => number
  /** The time limit of loads without `timeoutMs`. Its timer does not keep the process running while a load hangs. */
  readonly #limit = new Deadlines(LOAD_LIMIT_MS, { holdsProcess: false })

  constructor (service: LoadService, store: LoadStore, backoff: Backoff, ttlFor: (ttl: number | undefined) => number) {
    this.#service = service
    this.#store = store
    this.#backoff = backoff
    this.#ttlFor = ttlFor
  }

  /** Begins a load of a key that other callers may join. */
  begin<T> (call: Call<T>, { ttlLeft = 0, isBackground = false, isSuspected = false }: Start = {}): Promise<T> {
    const { options } = call
    const { active, flights } = this.#service
    // A load in the background may wait for the loader run that started it, since no caller waits for such a load.
    const parent = isBackground ? undefined : flights.scopes.of(call.entered)
    const flight = new Flight<T>(call.key, [...knownTags(options)], { hasLateTags: typeof options.tags === 'function', isBackground, isSuspected, parent })
    flights.begin(flight)
    // If the implementation was replaced since the call began, no other call may join this load.
    if (active !== call.target) flights.supersede([call.key])
    flight.loaded = this.#fly(call, flight, ttlLeft)
    return flight.loaded
  }

  /**
   * Runs the loader of a call of `getOrSet` whose key has a load that waits for the call: if the call waited for that load, neither would
   * end. Only this call gets the value, which is not stored. Rejects with `CACHE_ERR_LOAD_CYCLE` if the loader asks for the same key again.
   */
  async runUnshared<T> ({ target, key, loader, options }: Call<T>, parent: LoadScope): Promise<T> {
    if (parent.isRecursion(key)) throw new LoadCycle()
    const scope = new LoadScope(key, parent, true)
    try {
      return await timeLoad(this.#service, {
        load: new Load(key),
        loader: this.#inside(scope, loader),
        counters: target.stats.of(key),
        timeoutMs: options.timeoutMs,
        isBackground: false
      })
    } finally {
      scope.end()
    }
  }

  async #fly<T> (call: Call<T>, flight: Flight<T>, ttlLeft: number): Promise<T> {
    const { target, key, loader, options } = call
    let lock: LoadLock | undefined
    if (options.lock === true && target.impl.lock !== undefined && !call.isStoreAway) {
      lock = await this.#acquire(call, flight)
      if (target.impl.leases !== undefined) flight.closeToUnproven()
      const entry = await this.#store.read(call, false)
      if (entry !== null && entry.fresh && entry.ttlLeft > ttlLeft) {
        flight.scope.end()
        this.#end(flight, lock, 'stored')
        flight.snapshotValue(entry.value, false, this.#service.serializerOf(target))
        if (target.impl.leases !== undefined) flight.setLease(null)
        return entry.value
      }
      if (entry !== null) call.stale = { value: entry.value, age: entry.age }
    }
    const snapshot = await this.#store.capture(call, flight)
    if (call.stale !== undefined && (!target.isLocal || call.isStaleInDoubt)) {
      call.stale = snapshot === null ? undefined : await this.#store.staleNow(call)
    }
    // A value that was removed or invalidated since it was read is not given to the loader.
    const load = new Load(key, flight.isSuperseded ? undefined : call.stale)
    const leave = this.#enter(call, flight, lock)
    let value: T
    try {
      value = await timeLoad(this.#service, {
        load,
        loader: this.#inside(flight.scope, loader),
        counters: target.stats.of(key),
        timeoutMs: options.timeoutMs,
        isBackground: flight.isBackground
      })
    } catch (error) {
      this.#failed(call, flight, lock, error)
      throw error
    } finally {
      leave()
    }
    this.#backoff.end(key)
    this.#storeLoaded(call, flight, lock, { value, snapshot, isSkipped: load.isSkipped })
    return value
  }

  /**
   * Acquires the lock of a load. A load inside another load that holds a lock does not wait for its own lock: two processes could wait for
   * each other.
   */
  async #acquire<T> ({ target, key, options, batch }: Call<T>, flight: Flight<T>): Promise<LoadLock | undefined> {
    const wait: LockWait | undefined = flight.scope.parent?.isInsideLock === true
      ? undefined
      : { timeoutMs: limitOf(options.timeoutMs), onWait: () => batch?.leave(key) }
    const lock = await LoadLock.acquire(target, key, wait, (operation, error) => this.#store.fail(target, operation, error))
    flight.scope.holdsLock = lock !== undefined
    return lock
  }

  /** Starts the time limit of a load without `timeoutMs`. Call the returned function when the loader has ended. */
  #enter<T> ({ target, key, options }: Call<T>, flight: Flight<T>, lock: LoadLock | undefined): () => void {
    const untrack = flight.isSuspected ? this.#service.flights.scopes.track() : undefined
    const watched = limitOf(options.timeoutMs) !== undefined
      ? undefined
      : this.#limit.watch((ms) => {
        untrack?.()
        // The flight ends before its callers are notified that it is overdue: they then look for a flight of the key again, and must not
        // join this one a second time.
        this.#end(flight, lock)
        flight.expire()
        this.#store.fail(target, 'getOrSet', loadOverdue(ms), key)
      })
    return () => {
      if (watched !== undefined) this.#limit.unwatch(watched)
      flight.scope.end()
      untrack?.()
    }
  }

  #inside<T> (scope: LoadScope, loader: Loader<T>): Loader<T> {
    return (context) => this.#service.flights.scopes.run(scope, () => loader(context))
  }

  #failed<T> (call: Call<T>, flight: Flight<T>, lock: LoadLock | undefined, error: unknown): void {
    const { key, caller, options } = call
    flight.isAbandoned = isEndOfCaller(caller, error)
    // The backoff after a failed load starts only for a failure of the source. If the caller disconnected, or another load has replaced an
    // overdue one, the next load may succeed.
    if (!flight.isAbandoned && !flight.isOverdue) this.#backoff.start(key, options.retryAfterMs ?? RETRY_AFTER_MS)
    // The lease of an abandoned load is not released: the release could remove a mark in the store that the load in its place relies on.
    if (!flight.isAbandoned) this.#store.release(call, flight)
    // A lock that is released without an outcome passes to the next waiter, which then loads in place of the caller that disconnected.
    this.#end(flight, lock, flight.isAbandoned ? undefined : 'not-stored')
  }

  /**
   * Stores a loaded value in the cache. No caller waits for the store; until it has ended, callers get the loaded value from the flight.
   */
  #storeLoaded<T> (call: Call<T>, flight: Flight<T>, lock: LoadLock | undefined, { value, snapshot, isSkipped }: Loaded<T>): void {
    const { target, key } = call
    const options = snapshot === null || isSkipped || flight.isSuperseded
      ? undefined
      : storeOptions(call.options, flight, value, snapshot, this.#ttlFor)
    if (options instanceof Error) this.#store.fail(target, 'set', options, key)
    if (options === undefined || options instanceof Error) {
      flight.snapshotValue(value, false, this.#service.serializerOf(target))
      this.#store.release(call, flight)
      this.#end(flight, lock, 'not-stored')
      return
    }
    const { flights, doubts } = this.#service
    doubts.look(target.stats.of(key).keyPattern, key, value, call.options, options.tags)
    const isQueued = flights.storing([key]) !== undefined
    flight.snapshotValue(value, target.immediate === undefined, this.#service.serializerOf(target))
    const store = async (): Promise<void> => {
      const isStored = !flight.isSuperseded && await this.#store.set(call, flight, isQueued ? flight.copyOf(value) : value, options)
      this.#end(flight, lock, isStored ? 'stored' : 'not-stored')
    }
    if (target.immediate === undefined) {
      void flights.store([key], store)
    } else {
      void store()
      flights.end(flight)
    }
  }

  #end (flight: Flight, lock: LoadLock | undefined, outcome?: LoadOutcome): void {
    this.#service.flights.end(flight)
    void lock?.release(outcome)
  }
}
