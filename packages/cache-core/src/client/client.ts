import { checkKey, checkKeys, checkLockOptions } from '../contract/arguments.js'
import type { Entry, Lock, LockOptions, ReadHint, SetItem, SetOptions, Tags } from '../contract/cache.js'
import type { GetOrSetOptions, Loader, ManyLoader } from '../contract/loader.js'
import type { ArgumentsOf, CacheNamespace, FastifyCache, NamespaceOptions, WarmItem, WarmOptions, WarmReport, WrapOptions, Wrapped } from './fastify-cache.js'
import { checkNames } from '../contract/option-names.js'
import { MISS, type Result } from '../contract/result.js'
import { readNear, readNow, shareNear, shareNow, useNow, type EntryUser, type SharedEntry } from '../contract/sync-read.js'
import type { Caller } from '../loading/caller.js'
import { GetOrSet } from '../loading/get-or-set.js'
import type { Registration } from '../service/registration.js'
import type { CacheRegistry } from '../service/registry.js'
import { readMeasured, readNearMeasured, useMeasured } from '../telemetry/measure.js'
import { isHit } from '../telemetry/read-outcomes.js'
import type { LoadBatch } from '../loading/load-batch.js'
import { serving, type Arm } from './arm.js'
import { ClientCalls, type ClientSettings } from './client-calls.js'
import { withLoadListener, type OnLoad } from './load-listener.js'
import { loadMany as loadManyKeys } from './load-many.js'
import { getMany } from './get-many.js'
import { NamespacedCache } from './namespace.js'
import { tagCalls } from './tag-calls.js'
import { warm } from './warm.js'
import { wrap } from './wrap.js'
import { Writes } from './writes.js'

export type { Arm, ClientSettings, OnLoad }

const NO_OPTIONS = Object.freeze({})
const missed = Promise.resolve(MISS)

/** `fastify.cache`: checks arguments, counts results, and calls the registered implementation. */
export class CacheClient implements FastifyCache {
  readonly tags: Required<Tags>
  readonly registry: CacheRegistry
  readonly #arm: Arm
  readonly #settings: ClientSettings
  readonly #calls: ClientCalls
  readonly #writes: Writes
  readonly #getOrSet: GetOrSet
  /** The bucket of the request's subject; also 0 if it is unknown, or not needed since all subjects are in one arm. */
  #bucket = 0
  #onLoad: OnLoad | undefined
  #caller: Caller | undefined

  /**
   * Makes a client of the cache.
   * @param of another client of the same registry, whose counters, writes, tags and `getOrSet` the new client shares; `undefined`: the new
   * client has its own
   */
  constructor (registry: CacheRegistry, settings: ClientSettings = {}, arm: Arm = 'by-key', of?: CacheClient) {
    this.registry = registry
    this.#settings = settings
    this.#arm = arm
    this.#onLoad = undefined
    this.#caller = undefined
    const calls = this.#calls = of === undefined ? new ClientCalls(registry, settings) : of.#calls
    this.#writes = of === undefined ? new Writes(calls) : of.#writes
    this.#getOrSet = of === undefined
      ? new GetOrSet(registry, (...failure) => calls.fail(...failure), (ttl) => calls.ttl(ttl))
      : of.#getOrSet
    this.tags = of === undefined ? tagCalls(calls) : of.tags
  }

  /**
   * Returns a client of the same cache for another arm: `cached` uses the implementation, `control` runs as if there were none.
   * @param onLoad is called with each value that a loader given to this client returned
   * @param caller the request that the calls are made for; if it ends during a load, the load continues for other callers
   * @param bucket the number, 0 to 9999, of the user or other subject; it decides whether keys of a pattern with a percent of its own are
   * cached
   */
  withArm (arm: Arm, onLoad?: OnLoad, caller?: Caller, bucket = 0): CacheClient {
    const client = new CacheClient(this.registry, this.#settings, arm, this)
    client.#bucket = bucket
    client.#onLoad = onLoad
    client.#caller = caller
    return client
  }

  get arm (): Arm { return this.#arm }
  get bucket (): number { return this.#bucket }

  /** Whether reads and stores of a key reach an implementation that stores values. */
  serves (key: string): boolean {
    return serving(this.registry, this.#arm, key, this.#bucket)?.passThrough === false
  }

  get<T> (key: string): Promise<Result<T | null>> {
    const registration = serving(this.registry, this.#arm, key, this.#bucket)
    if (registration === undefined || registration.immediate === undefined) return this.#getChecked(registration, key)
    const { immediate, stats } = registration
    const result = readMeasured(this.registry, stats, immediate, readNow, key) as Result<T | null>
    // The key of an entry was checked when the entry was stored, so only a miss needs the check.
    const error = isHit(result) ? undefined : checkKey(key)
    return error === undefined ? Promise.resolve(this.registry.observer.readValue(stats, key, result)) : this.#calls.refuse('get', error)
  }

  async getEntry<T> (key: string, hint?: ReadHint): Promise<Result<Entry<T> | null>> {
    const error = checkKey(key) ?? checkNames('getEntry', hint)
    if (error !== undefined) return this.#calls.refuse('getEntry', error)
    const registration = serving(this.registry, this.#arm, key, this.#bucket)
    if (registration === undefined) {
      this.registry.observer.read(this.registry.controlStats.of(key), key, 'miss')
      return MISS
    }
    const result = await this.#calls.timed(registration, 'getEntry', registration.getEntry<T>(key, hint), key)
    return this.registry.observer.readEntry(registration.stats, key, result)
  }

  /**
   * Reads an entry as `getEntry` does, but without a promise and without a copy; `undefined`: the implementation reads this key
   * asynchronously, so call `getEntry`.
   */
  [shareNow] (key: string): Result<SharedEntry | null> | undefined {
    if (checkKey(key) !== undefined) return undefined
    const registration = serving(this.registry, this.#arm, key, this.#bucket)
    if (registration === undefined) return undefined
    const { immediate, near } = registration
    if (immediate === undefined && near === undefined) return undefined
    const result = immediate === undefined
      ? readNearMeasured(this.registry, registration.stats, near!, shareNear, key)
      : readMeasured(this.registry, registration.stats, immediate, shareNow, key)
    if (result === undefined) return undefined
    return this.registry.observer.readEntry(registration.stats, key, result)
  }

  /**
   * Reads an entry as `getEntry` does, but without a promise and without a copy, and passes it to `user`. The read is counted only if
   * `user` uses the entry; otherwise the caller can read again by `getEntry`.
   * @returns whether the entry was used; `false` also if there is no such entry in this process
   */
  [useNow] (key: string, user: EntryUser): boolean {
    const registration = serving(this.registry, this.#arm, key, this.#bucket)
    if (registration === undefined) return false
    const result = useMeasured(this.registry, registration, key, user)
    if (result === undefined) return false
    this.registry.observer.readEntry(registration.stats, key, result)
    return true
  }

  getMany<T> (keys: string[]): Promise<Result<(T | null)[]>> {
    return getMany<T>(this.#calls, this, keys)
  }

  set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>> {
    return this.#writes.set(this, key, value, ttl)
  }

  setMany (items: SetItem[]): Promise<Result<void>> {
    return this.#writes.setMany(this, items)
  }

  touch (key: string, ttl?: number): Promise<Result<boolean>> {
    return this.#writes.touch(this, key, ttl)
  }

  del (key: string): Promise<Result<void>> {
    return this.#writes.del(key)
  }

  delMany (keys: string[]): Promise<Result<void>> {
    return this.#writes.delMany(keys)
  }

  getOrSet<T> (key: string, loader: Loader<T>, options?: number | GetOrSetOptions<T>): Promise<T> {
    return this.#load(key, loader, toOptions(options))
  }

  getOrSetMany<T> (keys: readonly string[], loadMany: ManyLoader<T>, options?: number | GetOrSetOptions<T>): Promise<(T | undefined)[]> {
    const given = toOptions(options)
    return loadManyKeys(this.#calls, keys, loadMany, {
      isServed: (key) => !this.registry.active.passThrough && serving(this.registry, this.#arm, key, this.#bucket) !== undefined,
      load: (key, loader, batch) => this.#load(key, loader, given, batch)
    })
  }

  wrap<A extends unknown[], T> (fn: (this: void, ...args: A) => T | Promise<T>, options: WrapOptions<ArgumentsOf<A>, T>): Wrapped<A, T> {
    return wrap(this, fn, options as WrapOptions<A, T>)
  }

  async lock (key: string, options: LockOptions): Promise<Result<Lock | null>> {
    const error = checkKey(key) ?? checkLockOptions(options)
    if (error !== undefined) return this.#calls.refuse('lock', error)
    const { active, stats, doubts } = this.registry
    doubts.lookAtLock(key, options, (name) => stats.patterns.of(name))
    return this.#calls.failed(active.stats, 'lock', await active.lock(key, options))
  }

  clear (): Promise<Result<void>> {
    return this.#writes.clear()
  }

  async health (): Promise<Result<void>> {
    const { active } = this.registry
    return this.#calls.failed(active.stats, 'health', await active.health())
  }

  /** Drops the shadow reads that calls of this client started in the background, and their timers. */
  stop (): void {
    this.#getOrSet.close()
  }

  namespace (name: string, defaults?: NamespaceOptions): FastifyCache
  namespace<V> (name: string, defaults?: NamespaceOptions<V>): CacheNamespace<V>
  namespace (name: string, defaults?: NamespaceOptions): FastifyCache {
    return new NamespacedCache(this, name, defaults)
  }

  warm (items: WarmItem[], options?: WarmOptions): Promise<WarmReport> {
    const own = Array.isArray(items) ? items : []
    const error = own === items ? checkNames('warm', options) : checkKeys(items)
    if (error !== undefined) this.#calls.fail(this.registry.active.stats, 'warm', error)
    return warm(this, own, options, this.#settings.log, (key) => this.serves(key))
  }

  #load<T> (key: string, loader: Loader<T>, own: GetOrSetOptions<T>, batch?: LoadBatch<T>): Promise<T> {
    const options = this.registry.patterns.forLoad(key, own)
    if (this.#onLoad !== undefined && typeof loader === 'function') loader = withLoadListener(key, loader, this.#onLoad)
    const { active, controlStats } = this.registry
    if (active.passThrough) return this.#getOrSet.observe(active.stats, key, loader, options)
    const registration = serving(this.registry, this.#arm, key, this.#bucket)
    if (registration === undefined) return this.#getOrSet.observe(controlStats, key, loader, options, active)
    return this.#getOrSet.run(registration, key, loader, options, this.#caller, batch)
  }

  /** Reads a value from a store outside of this process; `registration` is `undefined` if the key is outside of the rollout. */
  #getChecked<T> (registration: Registration | undefined, key: string): Promise<Result<T | null>> {
    const error = checkKey(key)
    if (error !== undefined) return this.#calls.refuse('get', error)
    if (registration !== undefined) return this.#getNear(registration, key) ?? this.#getLater(registration, key)
    this.registry.observer.read(this.registry.controlStats.of(key), key, 'miss')
    return missed
  }

  /** Reads a value from the near cache of the implementation; `undefined`: this process holds no copy of the entry. */
  #getNear<T> (registration: Registration, key: string): Promise<Result<T | null>> | undefined {
    const { near } = registration
    if (near === undefined) return undefined
    const result = readNearMeasured(this.registry, registration.stats, near, readNear, key) as Result<T | null> | undefined
    return result === undefined ? undefined : Promise.resolve(this.registry.observer.readValue(registration.stats, key, result))
  }

  #getLater<T> (registration: Registration, key: string): Promise<Result<T | null>> {
    return this.#calls.timed(registration, 'get', registration.get<T>(key), key).then((result) => this.registry.observer.readValue(registration.stats, key, result))
  }
}

/** Returns the options of a call of `getOrSet` as an object; a number is the ttl in seconds. */
function toOptions<T> (options: number | GetOrSetOptions<T> | undefined): GetOrSetOptions<T> {
  return typeof options === 'number' ? { ttl: options } : options ?? NO_OPTIONS
}
