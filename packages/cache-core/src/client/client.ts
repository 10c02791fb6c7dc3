import { checkKey, checkKeys, checkLockOptions, checkSetOptions, checkTags, checkValue, MAX_TTL } from '../contract/arguments.js'
import type { Entry, Lock, LockOptions, ReadHint, SetItem, SetOptions, TagSnapshot, Tags } from '../contract/cache.js'
import type { Caller } from '../loading/caller.js'
import type { CacheError } from '../contract/errors.js'
import { ttlInvalid } from '../contract/errors.js'
import type { FastifyCache, GetOrSetOptions, Loader, WarmItem, WarmOptions, WarmReport } from '../contract/fastify-cache.js'
import { GetOrSet } from '../loading/get-or-set.js'
import { copyOf } from '../contract/isolation.js'
import { measured, readMeasured } from '../telemetry/measure.js'
import { NamespacedCache } from './namespace.js'
import { checkNames } from '../contract/option-names.js'
import { readNow, shareNow, type SharedEntry } from '../contract/sync-read.js'
import type { Registration } from '../service/registration.js'
import type { CacheRegistry } from '../service/registry.js'
import { checkReserved } from '../contract/reserved-tags.js'
import { DONE, err, MISS, ok, STORED_NULL, type Result } from '../contract/result.js'
import type { ImplStats } from '../telemetry/stats.js'
import { warm, type WarmLog } from './warm.js'

/** Whose calls these are: a request that is in, one that is not, or (outside of requests) each key's own bucket. */
export type Arm = 'cached' | 'control' | 'by-key'

/** Hears of a value that was loaded; must not throw. */
export type OnLoad = (key: string, value: unknown) => void

const DEFAULT_TTL = 3600
const NO_OPTIONS = Object.freeze({})
const missed = Promise.resolve(MISS)
const done = Promise.resolve(DONE)

/** What is to be stored, checked. */
type Item = Required<SetItem>

/** What several clients of one app share. */
export interface ClientSettings { defaultTtl?: number | undefined; log?: WarmLog | undefined }

/** `fastify.cache`: checks, counts, and hands on to the implementation in service. */
export class CacheClient implements FastifyCache {
  readonly tags: Required<Tags>
  readonly registry: CacheRegistry
  readonly #arm: Arm
  readonly #settings: ClientSettings
  readonly #getOrSet: GetOrSet
  readonly #onLoad: OnLoad | undefined
  readonly #caller: Caller | undefined

  constructor (registry: CacheRegistry, settings: ClientSettings = {}, arm: Arm = 'by-key', of?: CacheClient, onLoad?: OnLoad, caller?: Caller) {
    this.registry = registry
    this.#settings = settings
    this.#arm = arm
    this.#onLoad = onLoad
    this.#caller = caller
    this.#getOrSet = of !== undefined ? of.#getOrSet : new GetOrSet(registry, (...failure) => this.#fail(...failure), (ttl) => this.#ttl(ttl))
    this.tags = of?.tags ?? {
      capture: (tags) => this.#capture(tags),
      isCurrent: (snapshot) => this.#isCurrent(snapshot),
      invalidate: (tags, options) => this.#invalidate(typeof tags === 'string' ? [tags] : tags, options)
    }
  }

  /**
   * The same cache for another arm; `onLoad` hears of what its callers' loaders give. `caller` is the request that the calls are
   * made for: where it ends during a load, the load is not over for others.
   */
  withArm (arm: Arm, onLoad?: OnLoad, caller?: Caller): CacheClient {
    return new CacheClient(this.registry, this.#settings, arm, this, onLoad, caller)
  }

  get arm (): Arm { return this.#arm }

  get<T> (key: string): Promise<Result<T | null>> {
    const error = checkKey(key)
    if (error !== undefined) return this.#refuse('get', error)
    const registration = this.#serving(key)
    if (registration === undefined) {
      this.registry.controlStats.of(key).miss(key)
      return missed
    }
    const { immediate } = registration
    if (immediate === undefined) return this.#getLater(registration, key)
    return Promise.resolve(this.#countRead(registration, key, readMeasured(this.registry, registration.stats, 'get', immediate, readNow, key) as Result<T | null>))
  }

  async getEntry<T> (key: string, hint?: ReadHint): Promise<Result<Entry<T> | null>> {
    const error = checkKey(key)
    if (error !== undefined) return this.#refuse('getEntry', error)
    const registration = this.#serving(key)
    if (registration === undefined) {
      this.registry.controlStats.of(key).miss(key)
      return MISS
    }
    return this.#countRead(registration, key, await this.#time(registration, 'getEntry', registration.getEntry<T>(key, hint)))
  }

  /** What `getEntry` finds, at once and not copied; `undefined` where it is to be asked: the implementation reads from elsewhere. */
  [shareNow] (key: string): Result<SharedEntry | null> | undefined {
    if (checkKey(key) !== undefined) return undefined
    const registration = this.#serving(key)
    if (registration?.immediate === undefined) return undefined
    return this.#countRead(registration, key, readMeasured(this.registry, registration.stats, 'getEntry', registration.immediate, shareNow, key))
  }

  async getMany<T> (keys: string[]): Promise<Result<(T | null)[]>> {
    const error = checkKeys(keys)
    if (error !== undefined) return this.#refuse('getMany', error)
    const { active, controlStats } = this.registry
    const served = keys.filter((key) => this.#serving(key) !== undefined)
    const found = new Map<string, T | null>()
    if (served.length > 0) {
      const result = await this.#time(active, 'getMany', active.getMany<T>(served))
      if (!result.ok) return this.#failed(active.stats, 'getMany', result)
      served.forEach((key, at) => found.set(key, result.value[at] ?? null))
    }
    return ok(keys.map((key) => {
      const value = found.get(key) ?? null
      const counters = (found.has(key) ? active.stats : controlStats).of(key)
      if (value === null) counters.miss(key)
      else counters.hit(key)
      return value
    }))
  }

  async set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>> {
    const options = toSetOptions(ttl)
    const error = checkKey(key) ?? checkValue(value) ?? (isCacheError(options) ? options : checkOptions(options))
    if (error !== undefined) return this.#refuse('set', error)
    this.#doubt(key, value, options as SetOptions)
    const item = this.#item(key, value, options as SetOptions, this.registry.flights.storing([key]) !== undefined)
    return this.#write([key], () => this.#put(item))
  }

  async setMany (items: SetItem[]): Promise<Result<void>> {
    const keys = Array.isArray(items) ? items.map((item) => item?.key) : items
    const error = checkKeys(keys)
    if (error !== undefined) return this.#refuse('setMany', error)
    const isQueued = this.registry.flights.storing(keys) !== undefined
    const own: Item[] = []
    for (const item of items) {
      const { key, value, options } = item
      const given = toSetOptions(options)
      const error = checkNames('setItem', item) ?? checkValue(value) ?? (isCacheError(given) ? given : checkOptions(given))
      if (error !== undefined) return this.#refuse('setMany', error)
      this.#doubt(key, value, given as SetOptions)
      own.push(this.#item(key, value, given as SetOptions, isQueued))
    }
    return this.#write(keys, () => this.#putMany(own))
  }

  del (key: string): Promise<Result<void>> {
    const error = checkKey(key)
    return error === undefined ? this.#del('del', [key], (registration) => registration.del(key)) : this.#refuse('del', error)
  }

  delMany (keys: string[]): Promise<Result<void>> {
    const error = checkKeys(keys)
    if (error !== undefined) return this.#refuse('delMany', error)
    return keys.length === 0 ? done : this.#del('delMany', keys, (registration) => registration.delMany(keys))
  }

  getOrSet<T> (key: string, loader: Loader<T>, options?: number | GetOrSetOptions<T>): Promise<T> {
    const given: GetOrSetOptions<T> = typeof options === 'number' ? { ttl: options } : options ?? NO_OPTIONS
    if (this.#onLoad !== undefined && typeof loader === 'function') loader = telling(key, loader, this.#onLoad)
    const { active, controlStats } = this.registry
    if (active.passThrough) return this.#getOrSet.observe(active.stats, key, loader, given)
    const registration = checkKey(key) === undefined ? this.#serving(key) : undefined
    if (registration === undefined) return this.#getOrSet.observe(controlStats, key, loader, given)
    return this.#getOrSet.run(registration, key, loader, given, this.#caller)
  }

  async lock (key: string, options: LockOptions): Promise<Result<Lock | null>> {
    const error = checkKey(key) ?? checkLockOptions(options)
    if (error !== undefined) return this.#refuse('lock', error)
    const { active } = this.registry
    return this.#told(active, 'lock', await active.lock(key, options))
  }

  async clear (): Promise<Result<void>> {
    const { flights } = this.registry
    flights.supersedeAll()
    await flights.allStored()
    const { active } = this.registry
    const result = await this.#time(active, 'clear', active.clear())
    flights.supersedeAll()
    if (hasTakenEffect(result)) this.registry.events.emit('cleared')
    return this.#told(active, 'clear', result)
  }

  async health (): Promise<Result<void>> {
    const { active } = this.registry
    return this.#told(active, 'health', await active.health())
  }

  namespace (name: string): FastifyCache {
    return new NamespacedCache(this, name)
  }

  warm (items: WarmItem[], options?: WarmOptions): Promise<WarmReport> {
    const error = checkNames('warm', options)
    if (error !== undefined) this.#fail(this.registry.active.stats, 'warm', error)
    const isKept = (key: string): boolean => !this.registry.active.passThrough && this.#serving(key) !== undefined
    return warm(this, items, options, this.#settings.log, isKept)
  }

  async #capture (tags: string[]): Promise<Result<TagSnapshot>> {
    const error = checkTags(tags) ?? checkReserved(tags)
    if (error !== undefined) return this.#refuse('tags.capture', error)
    const { active } = this.registry
    return this.#told(active, 'tags.capture', await this.#time(active, 'tags.capture', active.capture(tags)))
  }

  async #isCurrent (snapshot: TagSnapshot): Promise<Result<boolean>> {
    const { active } = this.registry
    const result = await this.#time(active, 'tags.isCurrent', active.areTagsCurrent(snapshot))
    // An implementation of one process has nothing to tell, which is no failure.
    return !result.ok && result.error.code === 'CACHE_ERR_UNSUPPORTED' ? result : this.#told(active, 'tags.isCurrent', result)
  }

  async #invalidate (tags: string[], options: { soft?: boolean } | undefined): Promise<Result<void>> {
    const error = checkTags(tags) ?? checkReserved(tags) ?? checkNames('invalidate', options)
    if (error !== undefined) return this.#refuse('tags.invalidate', error)
    const soft = options?.soft === true
    const { active, flights, events } = this.registry
    // Before, so that nobody joins a load that may have read what is invalidated; after, for what began in between.
    flights.supersedeTags(tags)
    const result = await this.#time(active, 'tags.invalidate', active.invalidate(tags, soft))
    flights.supersedeTags(tags)
    if (hasTakenEffect(result)) events.emit('invalidated', tags, soft)
    if (!result.ok) return this.#failed(active.stats, 'tags.invalidate', result)
    for (const tag of tags) active.stats.countInvalidation(tag)
    return result
  }

  async #del (operation: string, keys: string[], remove: (registration: Registration) => Promise<Result<void>>): Promise<Result<void>> {
    const { flights } = this.registry
    flights.supersede(keys)
    const storing = flights.storing(keys)
    // A store that is under way must not land behind the removal.
    if (storing !== undefined) await storing
    const { active } = this.registry
    const result = await this.#time(active, operation, remove(active))
    flights.supersede(keys)
    if (!result.ok) return this.#failed(active.stats, operation, result)
    for (const key of keys) active.stats.of(key).dels++
    return result
  }

  /** What is to be stored, as it is now: also if it has to wait for its turn. */
  #item (key: string, value: unknown, options: SetOptions, isQueued: boolean): Item {
    return { key, value: isQueued ? copyOf(value) : value, options: { ...options, ttl: this.#ttl(options.ttl) } }
  }

  #doubt (key: string, value: unknown, { ttl }: SetOptions): void {
    if (ttl !== 0) this.registry.doubts.look(this.registry.stats.patterns.of(key), key, value, ttl)
  }

  /** Writes behind the stores of these keys that are under way; later ones, and removals, wait for it. */
  #write (keys: string[], write: () => Promise<Result<void>>): Promise<Result<void>> {
    const { active, flights } = this.registry
    flights.supersede(keys)
    // In this process a write has taken effect when the call returns.
    return active.immediate !== undefined && flights.storing(keys) === undefined ? write() : flights.store(keys, write)
  }

  async #put ({ key, value, options }: Item): Promise<Result<void>> {
    const registration = this.#serving(key)
    if (registration === undefined) {
      this.registry.controlStats.of(key).sets++
      return DONE
    }
    const isStored = options.ttl !== 0
    const result = await this.#time(registration, 'set', isStored ? registration.set(key, value, options) : registration.del(key))
    this.registry.flights.supersede([key])
    if (!result.ok) return this.#failed(registration.stats, 'set', result)
    if (isStored) registration.stats.of(key).sets++
    return result
  }

  async #putMany (items: Item[]): Promise<Result<void>> {
    const { active, controlStats, flights } = this.registry
    const stored: Item[] = []
    const emptied: string[] = []
    for (const item of items) {
      if (this.#serving(item.key) === undefined) controlStats.of(item.key).sets++
      else if (item.options.ttl === 0) emptied.push(item.key)
      else stored.push(item)
    }
    let result: Result<void> = DONE
    if (emptied.length > 0) result = await active.delMany(emptied)
    if (result.ok && stored.length > 0) result = await this.#time(active, 'setMany', active.setMany(stored))
    flights.supersede(items.map(({ key }) => key))
    if (!result.ok) return this.#failed(active.stats, 'setMany', result)
    for (const { key } of stored) active.stats.of(key).sets++
    return result
  }

  #getLater<T> (registration: Registration, key: string): Promise<Result<T | null>> {
    return this.#time(registration, 'get', registration.get<T>(key)).then((result) => this.#countRead(registration, key, result))
  }

  #countRead<T> (registration: Registration, key: string, result: Result<T | null>): Result<T | null> {
    if (!result.ok) return this.#failed(registration.stats, 'get', result)
    const counters = registration.stats.of(key)
    if (result.value !== null || result === STORED_NULL) counters.hit(key)
    else counters.miss(key)
    return result
  }

  /** The registration that reads and stores of this key go to; `undefined`: the key is outside of the rollout. */
  #serving (key: string): Registration | undefined {
    const { active, rollout, stats } = this.registry
    if (this.#arm === 'control') return undefined
    if (rollout.isComplete) return active
    if (!rollout.allows(stats.patterns.of(key))) return undefined
    return this.#arm === 'cached' || rollout.includes(key) ? active : undefined
  }

  #ttl (ttl: number | undefined): number {
    return Math.min(ttl ?? this.#settings.defaultTtl ?? DEFAULT_TTL, MAX_TTL)
  }

  #time<T> (registration: Registration, operation: string, pending: Promise<Result<T>>): Promise<Result<T>> {
    return measured(this.registry, registration.stats, operation, pending)
  }

  #refuse (operation: string, error: CacheError): Promise<Result<never>> {
    this.#fail(this.registry.active.stats, operation, error)
    return Promise.resolve(err(error))
  }

  #failed<R extends Result<unknown>> (stats: ImplStats, operation: string, result: R): R {
    if (!result.ok) this.#fail(stats, operation, result.error)
    return result
  }

  #told<R extends Result<unknown>> (registration: Registration, operation: string, result: R): R {
    return this.#failed(registration.stats, operation, result)
  }

  #fail (stats: ImplStats, operation: string, error: CacheError): void {
    stats.countError(error)
    this.registry.events.emit('failed', stats.label, operation, error)
  }
}

/** Whether a removal holds in this process, so that whoever keeps copies must hear of it. */
function hasTakenEffect (result: Result<void>): boolean {
  return result.ok || result.error.queued === true
}

function telling<T> (key: string, loader: Loader<T>, onLoad: OnLoad): Loader<T> {
  return async function tellingLoader (context) {
    const value = await loader(context)
    onLoad(key, value)
    return value
  }
}

function toSetOptions (ttl: unknown): SetOptions | CacheError {
  if (ttl === undefined) return NO_OPTIONS
  if (typeof ttl === 'number') return { ttl }
  if (typeof ttl === 'object' && ttl !== null) return ttl
  return ttlInvalid('ttl', ttl === null ? 'null' : typeof ttl)
}

function checkOptions (options: SetOptions): CacheError | undefined {
  return checkSetOptions(options) ?? checkReserved(options.tags)
}

function isCacheError (options: SetOptions | CacheError): options is CacheError {
  return options instanceof Error
}
