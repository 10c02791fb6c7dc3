import { checkKey } from '../contract/arguments.js'
import { copyOf } from '../contract/isolation.js'
import type { Entry } from '../contract/cache.js'
import { Backoff } from './backoff.js'
import { hasLeft, type Caller } from './caller.js'
import type { GetOrSetOptions, Loader } from '../contract/loader.js'
import { FlightProofs } from './flight-proof.js'
import { FlightRunner } from './flight-runner.js'
import type { Flight } from './single-flight.js'
import type { Call, Fail } from './call.js'
import type { LoadBatch } from './load-batch.js'
import { LoadStore } from './load-store.js'
import { limitOf, Load, within } from './load.js'
import { readMeasured, readNearMeasured } from '../telemetry/measure.js'
import { checkNames } from '../contract/option-names.js'
import { readNear, readNow } from '../contract/sync-read.js'
import type { Ok, Result } from '../contract/result.js'
import { StaleFallback } from './stale-fallback.js'
import { isEarlyRefreshDue, mayBeServed, needsEntry } from './stale-rules.js'
import { checkTagOptions } from './store-options.js'
import { isHit } from '../telemetry/read-outcomes.js'
import type { ImplStats } from '../telemetry/counters.js'
import { timeLoad, type LoaderRun } from './timed-load.js'
import type { LoadService, LoadTarget } from './load-service.js'
import { ShadowLoads, type ShadowLoad } from './shadow/shadow-loads.js'

/** `getOrSet`: one load per key and process, and the rules for stale values. */
export class GetOrSet {
  readonly #service: LoadService
  readonly #backoff: Backoff
  readonly #fail: Fail
  readonly #store: LoadStore
  readonly #runner: FlightRunner
  readonly #proofs: FlightProofs
  readonly #fallback: StaleFallback
  readonly #shadow: ShadowLoads

  constructor (service: LoadService, fail: Fail, ttlFor: (ttl: number | undefined) => number) {
    this.#service = service
    this.#backoff = new Backoff(service)
    this.#fail = fail
    this.#store = new LoadStore(service, fail)
    this.#proofs = new FlightProofs(this.#store)
    this.#runner = new FlightRunner(service, this.#store, this.#backoff, ttlFor)
    this.#fallback = new StaleFallback(this.#store, this.#backoff)
    this.#shadow = new ShadowLoads(service, fail, ttlFor)
  }

  /** Drops the pending shadow reads and their timers; loads that begin later start no shadow reads. */
  close (): void {
    this.#shadow.close()
  }

  /**
   * Runs the loader of each caller at once and joins no other load, since observing must not change the observed traffic.
   * @param target the implementation whose entry is compared with the loaded value, if shadow reads sample the key
   */
  observe<T> (stats: ImplStats, key: string, loader: Loader<T>, options: GetOrSetOptions<T>, target?: LoadTarget): Promise<T> {
    const error = checkKey(key)
    if (error !== undefined) this.#fail(stats, 'getOrSet', error)
    const counters = stats.of(error === undefined ? key : '')
    if (error === undefined) this.#service.observer.read(counters, key, 'miss')
    const load = new Load(key)
    const run = { load, loader, counters, timeoutMs: options.timeoutMs, isBackground: false }
    /** Counts the value of a load that ran without the cache; returns whether the cached arm would store the value. */
    const note = (value: T): boolean => {
      if (error !== undefined || load.isSkipped || value === undefined || options.ttl === 0) return false
      const refused = checkNames('getOrSet', options) ?? checkTagOptions(options)
      if (refused !== undefined) {
        this.#fail(stats, 'set', refused, key)
        return false
      }
      counters.sets++
      this.#service.doubts.look(counters.keyPattern, key, value, options)
      this.#service.events.emit('stored', key, counters.keyPattern, value, options.tags, 0)
      return true
    }
    const shadow = target !== undefined && this.#service.shadow.isOn && error === undefined
      ? this.#shadow.begin(target, key, counters.keyPattern, options)
      : undefined
    return shadow === undefined ? timeLoad(this.#service, run, note) : this.#observeInShadow(run, note, shadow)
  }

  #observeInShadow<T> (run: LoaderRun<T>, note: (value: T) => boolean, shadow: ShadowLoad): Promise<T> {
    return timeLoad(this.#service, run, (value) => {
      if (note(value)) shadow.loaded(value)
      else shadow.end()
    }, shadow.end)
  }

  /**
   * Returns the cached value of a key, or the value of a load that later calls for the key join.
   * @param batch the load for several keys that the load of this key is a part of, with `loader` as the loader of each key
   */
  // oxlint-disable-next-line max-params -- an object for the parameters would be made for each call
  run<T> (
    target: LoadTarget, key: string, loader: Loader<T>, options: GetOrSetOptions<T>, caller: Caller | undefined, batch?: LoadBatch<T>
  ): Promise<T> {
    const service = this.#service
    const flight = service.flights.joinable(key)
    const isPending = flight !== undefined && !flight.isBackground
    let result: Result<unknown> | undefined
    if (!isPending && !needsEntry(options)) {
      const { immediate } = target
      result = immediate === undefined || service.stats.measuresDurations ? this.#readNow(target, key) : immediate[readNow](key)
      if (result !== undefined && isHit(result)) {
        service.observer.read(target.stats.of(key), key, 'hit', options.tags)
        return Promise.resolve((result as Ok<T>).value)
      }
    }
    return this.#runMissed(target, key, loader, options, caller, batch, isPending || result !== undefined)
  }

  /**
   * Continues a call of `getOrSet` that found no value without a promise. The key is checked only here: the key of a hit was checked when
   * its entry was stored.
   */
  // oxlint-disable-next-line max-params -- an object for the parameters would be made for each call
  #runMissed<T> (
    target: LoadTarget, key: string, loader: Loader<T>, options: GetOrSetOptions<T>, caller: Caller | undefined,
    batch: LoadBatch<T> | undefined, isMiss: boolean
  ): Promise<T> {
    if (checkKey(key) !== undefined) return this.observe(this.#service.controlStats, key, loader, options)
    const { begun, scopes: { entered } } = this.#service.flights
    const call: Call<T> = {
      target, key, loader, options, caller, entered, since: begun, batch, isStoreAway: false, stale: undefined, isStaleInDoubt: false
    }
    if (!isMiss) return this.#lookup(call)
    this.#service.observer.read(target.stats.of(key), key, 'miss')
    return this.#joinOrLoad(call)
  }

  /** Reads a value of the cache without a promise; `undefined`: the implementation reads this key asynchronously. */
  #readNow ({ immediate, near, stats }: LoadTarget, key: string): Result<unknown> | undefined {
    if (immediate !== undefined) return readMeasured(this.#service, stats, immediate, readNow, key)
    return near === undefined ? undefined : readNearMeasured(this.#service, stats, near, readNear, key)
  }

  async #lookup<T> (call: Call<T>): Promise<T> {
    const { target, key, options } = call
    const { flights } = this.#service
    const pending = flights.joinable(key)
    const { changes } = flights
    let entry = await this.#store.read(call)
    // A load that has ended during this read may have stored a value that the read did not find.
    const isOver = pending !== undefined && flights.joinable(key) === undefined
    if (isOver && !call.isStoreAway && (entry?.fresh !== true || options.earlyRefresh !== undefined)) entry = await this.#store.read(call)
    // A value that may have been removed during the read is read again before the loader gets it, since the loader could store it again by
    // `unchanged()`.
    call.isStaleInDoubt = flights.changes !== changes
    const counters = target.stats.of(key)
    const outcome = this.#outcomeOf(entry, call)
    this.#service.observer.read(counters, key, outcome, outcome === 'miss' ? undefined : options.tags)
    if (entry === null || outcome === 'miss') {
      if (entry !== null) call.stale = { value: entry.value, age: entry.age }
      return this.#joinOrLoad(call)
    }
    if (outcome === 'hit' ? isEarlyRefreshDue(entry, options.earlyRefresh, counters.loads.recent) : mayBeServed(entry, options.staleWhileRevalidate)) {
      this.#refresh(call, entry)
    }
    return entry.value
  }

  /** Returns the outcome of a cache read; a stale entry that the options of the call do not allow is a `miss`. */
  #outcomeOf<T> (entry: Entry<T> | null, { key, options }: Call<T>): 'hit' | 'stale' | 'miss' {
    if (entry === null) return 'miss'
    if (entry.fresh) return 'hit'
    const mayBeStale = mayBeServed(entry, options.staleWhileRevalidate) ||
      (mayBeServed(entry, options.staleIfError) && this.#backoff.isActive(key))
    return mayBeStale ? 'stale' : 'miss'
  }

  /** Joins the pending load of the key, for at most the caller's `timeoutMs`, or begins a load with that time limit. */
  #joinOrLoad<T> (call: Call<T>): Promise<T> {
    const flight = this.#service.flights.joinable(call.key)
    const limit = flight === undefined ? undefined : limitOf(call.options.timeoutMs)
    const loaded = this.#share(call)
    return this.#fallback.orStale(call, limit === undefined ? loaded : within(limit, loaded))
  }

  /** Joins the pending load of the key, or begins a load. */
  #share<T> (call: Call<T>, isSuspected = false): Promise<T> {
    const flight = this.#service.flights.joinable(call.key) as Flight<T> | undefined
    if (flight === undefined) return this.#runner.begin(call, { isSuspected })
    // A load that began after this call has read the source after all removals by other processes that came before the call.
    const isProven = flight.number > call.since || flight.lease === undefined
    return isProven ? this.#follow(call, flight) : this.#followProven(call, flight)
  }

  /** Joins a load that began before the call, unless another process has changed its key or one of its tags since the load began. */
  async #followProven<T> (call: Call<T>, flight: Flight<T>): Promise<T> {
    if (await this.#proofs.prove(call, flight) !== 'changed') return this.#follow(call, flight)
    // The store may report the key as changed because this flight itself has stored its value; the entry is then a hit.
    const entry = await this.#store.read(call, false)
    if (entry?.fresh === true) return entry.value
    this.#service.flights.supersedeFlight(flight)
    call.stale = undefined
    return this.#share(call)
  }

  /**
   * Waits for the load of another caller. If the request of that caller ended, or the load is overdue, the first waiter begins a load,
   * which the other waiters join. The value of an overdue load is still returned to all waiters.
   */
  #follow<T> (call: Call<T>, flight: Flight<T>): Promise<T> {
    const scope = this.#service.flights.scopes.of(call.entered)
    if (scope !== undefined && flight.scope.reaches(scope)) return this.#runner.runUnshared(call, scope)
    call.batch?.leave(call.key)
    const followed = new Promise<T>((resolve, reject) => {
      let own: Promise<T> | undefined
      const replace = (isSuspected: boolean): void => {
        if (own !== undefined) return
        // The stale value may have been removed while this call waited, so it is not given to the loader.
        call.stale = undefined
        own = this.#share(call, isSuspected)
        own.then(resolve, reject)
      }
      flight.join().then(resolve, (error: unknown) => {
        if (flight.isAbandoned && !hasLeft(call.caller)) replace(false)
        else if (own === undefined) reject(error)
      })
      flight.onOverdue(() => replace(true))
    })
    if (scope === undefined) return followed
    scope.await(flight.scope)
    return followed.finally(() => scope.unawait(flight.scope))
  }

  /**
   * Loads the value of an entry that is stale or expires soon, in the background. If the load fails, the event `loaded` reports it, and the
   * entry remains.
   */
  #refresh<T> (call: Call<T>, entry: Entry<T>): void {
    if (this.#service.flights.joinable(call.key) !== undefined || this.#backoff.isActive(call.key)) return
    // The loader gets a copy of the stale value, since the caller gets the value itself and may change it.
    call.stale = { value: copyOf(entry.value, this.#service.serializerOf(call.target)), age: entry.age }
    const refreshed = this.#runner.begin(call, { ttlLeft: Math.max(entry.ttlLeft, 0), isBackground: true })
    call.batch?.hold(call.key, refreshed)
    refreshed.catch(() => {
      // No caller waits for this promise, so its rejection is ignored. The failure of the load was emitted and counted when the load ended.
    })
  }
}
