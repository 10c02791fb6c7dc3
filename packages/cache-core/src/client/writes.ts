import { checkKey, checkKeys, checkSetOptions, checkTime, checkValue } from '../contract/arguments.js'
import type { SetItem, SetOptions } from '../contract/cache.js'
import { ttlInvalid, type CacheError } from '../contract/errors.js'
import { copyOf } from '../contract/isolation.js'
import { checkNames } from '../contract/option-names.js'
import { checkReserved } from '../contract/reserved-tags.js'
import { DONE, ok, type Result } from '../contract/result.js'
import { lifetimeOf } from '../loading/store-options.js'
import type { Registration } from '../service/registration.js'
import { serving, type ArmOfCall } from './arm.js'
import { hasTakenEffect, type ClientCalls } from './client-calls.js'

const NO_OPTIONS = Object.freeze({})
const done = Promise.resolve(DONE)
const NOT_TOUCHED = Object.freeze(ok(false))

/** An entry to store, with the checked options of its call. */
type Item = Required<SetItem>

/** The calls of `fastify.cache` that store and remove. Each of them, except `touch`, supersedes the pending loads of its keys. */
export class Writes {
  readonly #calls: ClientCalls

  constructor (calls: ClientCalls) {
    this.#calls = calls
  }

  async set (of: ArmOfCall, key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>> {
    const options = toSetOptions(ttl)
    const { valueSerializer } = this.#calls.registry
    const keyError = checkKey(key)
    if (keyError !== undefined) return this.#calls.refuse('set', keyError)
    const error = checkValue(value, valueSerializer) ?? (isCacheError(options) ? options : checkOptions(options))
    if (error !== undefined) return this.#calls.refuse('set', error, key)
    const own = this.#calls.registry.patterns.forSet(key, options as SetOptions)
    this.#doubt(key, value, own)
    const item = this.#item(key, value, own, this.#calls.registry.flights.storing([key]) !== undefined)
    return this.#write([key], () => this.#put(of, item))
  }

  async setMany (of: ArmOfCall, items: SetItem[]): Promise<Result<void>> {
    const keys = Array.isArray(items) ? items.map((item) => item?.key) : items
    const error = checkKeys(keys)
    if (error !== undefined) return this.#calls.refuse('setMany', error)
    const { flights, valueSerializer } = this.#calls.registry
    const isQueued = flights.storing(keys) !== undefined
    const own: Item[] = []
    for (const item of items) {
      const { key, value, options } = item
      const given = toSetOptions(options)
      const error = checkNames('setItem', item) ?? checkValue(value, valueSerializer) ?? (isCacheError(given) ? given : checkOptions(given))
      if (error !== undefined) return this.#calls.refuse('setMany', error, key)
      const stored = this.#calls.registry.patterns.forSet(key, given as SetOptions)
      this.#doubt(key, value, stored)
      own.push(this.#item(key, value, stored, isQueued))
    }
    // The last item of a key takes effect, also if its ttl is 0: the removals of a call are carried out before its stores.
    const last = [...new Map(own.map((item) => [item.key, item])).values()]
    return this.#write(keys, () => this.#putMany(of, last))
  }

  async touch (of: ArmOfCall, key: string, ttl?: number): Promise<Result<boolean>> {
    const error = checkKey(key) ?? checkTime('ttl', ttl)
    if (error !== undefined) return this.#calls.refuse('touch', error)
    const registration = serving(this.#calls.registry, of.arm, key, of.bucket)
    if (registration === undefined) return NOT_TOUCHED
    const { flights, patterns, doubts, stats } = this.#calls.registry
    const { ttl: lifetime } = patterns.forSet(key, { ttl })
    doubts.lookAtCall(stats.patterns.of(key), key, { ttl: lifetime })
    const touch = (): Promise<Result<boolean>> => this.#calls.timed(registration, 'touch', registration.touch(key, this.#calls.ttl(lifetime)), key)
    // A `touch` does not supersede the pending load of its key: the value is unchanged, and the loaded value will have a lifetime of its
    // own.
    const isQueued = registration.immediate === undefined || flights.storing([key]) !== undefined
    return this.#calls.failed(registration.stats, 'touch', await (isQueued ? flights.store([key], touch) : touch()))
  }

  del (key: string): Promise<Result<void>> {
    const error = checkKey(key)
    return error === undefined ? this.#del('del', [key], (registration) => registration.del(key)) : this.#calls.refuse('del', error)
  }

  delMany (keys: string[]): Promise<Result<void>> {
    const error = checkKeys(keys)
    if (error !== undefined) return this.#calls.refuse('delMany', error)
    // The app may change its array of keys before the removal ends, so the array is copied.
    const own = [...keys]
    return own.length === 0 ? done : this.#del('delMany', own, (registration) => registration.delMany(own))
  }

  async clear (): Promise<Result<void>> {
    const { flights } = this.#calls.registry
    flights.supersedeAll()
    await flights.allStored()
    const { active } = this.#calls.registry
    const result = await this.#calls.timed(active, 'clear', active.clear())
    flights.supersedeAll()
    if (hasTakenEffect(result)) this.#calls.registry.events.emit('cleared')
    return this.#calls.failed(active.stats, 'clear', result)
  }

  async #del (operation: string, keys: string[], remove: (registration: Registration) => Promise<Result<void>>): Promise<Result<void>> {
    const { flights, doubts, stats } = this.#calls.registry
    doubts.lookAtRemoval('key', keys, (key) => stats.patterns.of(key))
    flights.supersede(keys)
    const storing = flights.storing(keys)
    // A removal waits for a pending store of the same key, which would otherwise overwrite the removal.
    if (storing !== undefined) await storing
    const { active } = this.#calls.registry
    const result = await this.#calls.timed(active, operation, remove(active), keys)
    flights.supersede(keys)
    if (hasTakenEffect(result)) this.#calls.registry.events.emit('removed', keys)
    if (!result.ok) return this.#calls.failed(active.stats, operation, result)
    for (const key of keys) active.stats.of(key).dels++
    return result
  }

  /** Makes the item to store. If the write must wait for an earlier write, the item holds a copy of the value as it is now. */
  #item (key: string, value: unknown, options: SetOptions, isQueued: boolean): Item {
    const own = isQueued ? copyOf(value, this.#calls.registry.valueSerializer) : value
    return { key, value: own, options: { ...options, ttl: this.#calls.ttl(options.ttl) } }
  }

  #doubt (key: string, value: unknown, options: SetOptions): void {
    if (options.ttl !== 0) this.#calls.registry.doubts.look(this.#calls.registry.stats.patterns.of(key), key, value, options)
  }

  /** Carries out a write after the pending stores of these keys have ended; later writes and removals of the keys wait for this write. */
  #write (keys: string[], write: () => Promise<Result<void>>): Promise<Result<void>> {
    const { active, flights } = this.#calls.registry
    flights.supersede(keys)
    // An implementation in the memory of this process has carried out a write when the call returns, so its writes need no queue.
    return active.immediate !== undefined && flights.storing(keys) === undefined ? write() : flights.store(keys, write)
  }

  async #put (of: ArmOfCall, { key, value, options }: Item): Promise<Result<void>> {
    const registration = serving(this.#calls.registry, of.arm, key, of.bucket)
    if (registration === undefined) {
      this.#noteObserved({ key, value, options })
      return DONE
    }
    const isStored = options.ttl !== 0
    const result = await this.#calls.timedStore(registration, 'set', key, () => isStored ? registration.set(key, value, options) : registration.del(key))
    this.#calls.registry.flights.supersede([key])
    if (!result.ok) return this.#calls.failed(registration.stats, 'set', result, key)
    if (isStored) registration.stats.of(key).sets++
    this.#emit({ key, value, options }, lifetimeOf(options))
    return result
  }

  async #putMany (of: ArmOfCall, items: Item[]): Promise<Result<void>> {
    const { active, flights } = this.#calls.registry
    const stored: Item[] = []
    const emptied: string[] = []
    for (const item of items) {
      if (serving(this.#calls.registry, of.arm, item.key, of.bucket) === undefined) {
        this.#noteObserved(item)
      } else if (item.options.ttl === 0) emptied.push(item.key)
      else stored.push(item)
    }
    let result: Result<void> = DONE
    if (emptied.length > 0) result = await active.delMany(emptied)
    if (result.ok && stored.length > 0) result = await this.#calls.timedStore(active, 'setMany', stored.map(({ key }) => key), () => active.setMany(stored))
    flights.supersede(items.map(({ key }) => key))
    if (!result.ok) return this.#calls.failed(active.stats, 'setMany', result)
    for (const item of stored) {
      active.stats.of(item.key).sets++
      this.#emit(item, lifetimeOf(item.options))
    }
    if (emptied.length > 0) this.#calls.registry.events.emit('removed', emptied)
    return result
  }

  /** Counts a write of the control arm, which is not stored. */
  #noteObserved (item: Item): void {
    this.#calls.registry.controlStats.of(item.key).sets++
    this.#removeShadow(item.key)
    this.#emit(item, 0)
  }

  /** Emits a write that has taken effect: `stored` with the lifetime of the entry, or `removed` for a ttl of 0. */
  #emit ({ key, value, options }: Item, lifetime: number): void {
    const { events, stats } = this.#calls.registry
    if (options.ttl === 0) events.emit('removed', [key])
    else if (events.has('stored')) events.emit('stored', key, stats.patterns.of(key), value, options.tags, lifetime)
  }

  /**
   * Removes the entry that shadow reads compare with the key's loaded values; called for a write of the control arm. The written value is
   * not stored in the control arm, so the old entry would count as stale, although the cached arm would have replaced it. Storing the value
   * instead could overwrite a newer one; removing the entry too late does no harm.
   */
  #removeShadow (key: string): void {
    const { active, flights, shadow } = this.#calls.registry
    if (active.passThrough || shadow.groupOf(key) === undefined) return
    void flights.store([key], async () => {
      const result = await active.del(key)
      if (!result.ok) this.#calls.fail(active.stats, 'shadow del', result.error)
    })
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
