import type { Cache, CacheError, Entry, Lock, LockOptions, ReadHint, Result, SerializerName, SetItem, SetOptions, Tags } from '@x/cache-core'
import {
  checkKey, checkKeys, checkLockOptions, checkSetOptions, checkTags, checkTtl, checkValue, DONE, err, MAX_TTL, ok, readNear, serializedBy,
  declineNear, shareNear, type CacheLeases, type NearReads, type Serializer, type Serializes
} from '@x/cache-core/implementing'
import { monotonicClock, type AdviceStore, type RolloutStore } from '@x/cache-core/suite'
import { compose, type RedisParts } from './compose.js'
import { toEntryResult, toValueResult } from './entries/entry-result.js'
import type { Entries, ReadOptions } from './entries/entry-store.js'
import type { FoundEntry } from './entries/found-entry.js'
import { redisLeases } from './entries/redis-leases.js'
import { nameOf } from './entries/serializers.js'
import type { RedisCacheOptions } from './options.js'
import type { Service } from './service/service.js'
import type { RedisCacheEvents, RedisStatus } from './status.js'
import { redisTags } from './tags/redis-tags.js'
import { RedisSnapshot } from './tags/snapshot.js'

export type { RedisCacheEvents, RedisStatus }

const NO_OPTIONS: ReadOptions = { tags: [], wantsTime: false, isDirect: false }

/** The cache contract on Redis 7 or newer: single server, Cluster or Sentinel. No method throws or rejects. */
export class RedisCache implements Cache, Partial<NearReads>, Serializes {
  readonly name = 'redis'
  readonly tags: Tags
  readonly leases: CacheLeases
  // The methods for near copies exist only with the option `near`, so that without this option no read looks for a copy.
  declare [readNear]?: NearReads[typeof readNear]
  declare [shareNear]?: NearReads[typeof shareNear]
  declare [declineNear]?: () => void
  readonly #parts: RedisParts
  // The service and the entries are private fields, so that a read needs fewer property accesses.
  readonly #service: Service
  readonly #entries: Entries

  /**
   * Makes a cache on Redis, which begins to connect.
   * @throws `CACHE_ERR_OPTION_INVALID` for options that are wrong or contradict each other
   */
  constructor (options: RedisCacheOptions = {}, events: RedisCacheEvents = {}) {
    this.#parts = compose(options, events)
    this.#service = this.#parts.service
    this.#entries = this.#parts.entries
    this.tags = redisTags(this.#parts)
    this.leases = redisLeases(this.#parts)
    const { near } = this.#parts
    if (near === undefined) return
    this[readNear] = (key) => this.#service.isUp ? near.read(key) : undefined
    this[shareNear] = (key) => this.#service.isUp ? near.share(key) : undefined
    this[declineNear] = () => near.decline()
  }

  /** Waits until Redis is in service, for `ms` milliseconds at most; resolves with `true` if Redis is in service. */
  async ready (ms = this.#parts.settings.connectTimeoutMs): Promise<boolean> {
    const end = performance.now() + ms
    while (!this.#service.isUp && performance.now() < end) {
      this.#service.probeNow()
      await new Promise((resolve) => { setTimeout(resolve, 10) })
    }
    return this.#service.isUp
  }

  get [serializedBy] (): SerializerName | Serializer { return nameOf(this.#parts.settings.serializer) }

  status (): RedisStatus {
    return this.#parts.status()
  }

  /**
   * The rollout store in Redis, below the `keyPrefix`, with the documents and counts that the processes of one app share. `clear` does not
   * remove them. Its calls reject once the cache is closed.
   */
  get rolloutStore (): RolloutStore { return this.#parts.rolloutStore }

  /**
   * The store in Redis of the advisors' states of `@x/cache-metrics`, below the `keyPrefix`. `clear` does not remove them. Its calls reject
   * once the cache is closed.
   */
  get adviceStore (): AdviceStore { return this.#parts.adviceStore }

  get<T> (key: string): Promise<Result<T | null>> {
    const error = checkKey(key)
    if (error !== undefined) return Promise.resolve(err(error))
    const copy = this[readNear]?.<T>(key)
    if (copy !== undefined) return Promise.resolve(copy)
    return this.#service.run<FoundEntry | null, Result<T | null>>('get', () => this.#entries.find(key, NO_OPTIONS), toValueResult<T>)
  }

  async getEntry<T> (key: string, hint: ReadHint = {}): Promise<Result<Entry<T> | null>> {
    const error = checkKey(key) ?? (hint.tags === undefined ? undefined : checkTags(hint.tags))
    if (error !== undefined) return err(error)
    const options = { tags: hint.tags ?? [], wantsTime: hint.stale !== false, isDirect: hint.near === false }
    return this.#service.run('getEntry', () => this.#entries.find(key, options), toEntryResult<T>)
  }

  async getMany<T> (keys: string[]): Promise<Result<(T | null)[]>> {
    const error = checkKeys(keys)
    if (error !== undefined) return err(error)
    const result = await this.#service.run('getMany', () => this.#entries.findMany(keys))
    if (!result.ok) return result
    const values: (T | null)[] = []
    for (const found of result.value) {
      // An entry that cannot be read counts as a miss, so that the other keys of the call do not fail.
      if (found instanceof Error) this.#parts.onCorrupt(found)
      values.push(found === null || found instanceof Error || found.isStale ? null : found.decoded.value as T)
    }
    return ok(values)
  }

  async set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>> {
    const options: SetOptions = typeof ttl === 'object' ? ttl : { ttl }
    const error = this.#checkSet(key, value, options)
    if (error !== undefined) return err(error)
    if (options.ttl === 0) return this.del(key)
    const serialised = this.#parts.codec.serialise(value)
    if (serialised instanceof Error) return err(serialised)
    // A value with the snapshot of another cache is not stored: that snapshot has no tokens of this cache.
    // Such a snapshot occurs if this cache came into service during a load.
    if (options.snapshot !== undefined && !(options.snapshot instanceof RedisSnapshot)) return DONE
    const calledAt = monotonicClock.now()
    return this.#service.run('set', () => this.#parts.writer.store(key, serialised, options, calledAt))
  }

  async setMany (items: SetItem[]): Promise<Result<void>> {
    if (!Array.isArray(items)) return err(checkKeys(items)!)
    // Of several items with the same key only the last is sent, since in a Cluster commands may arrive in a different order.
    const last = new Map(items.map((item) => [item?.key, item]))
    const results = await Promise.all(items.map((item) => {
      if (last.get(item?.key) === item) return this.set(item?.key, item?.value, item?.options)
      const error = this.#checkSet(item?.key, item?.value, item?.options ?? {})
      return Promise.resolve(error === undefined ? DONE : err(error))
    }))
    return results.find((result) => !result.ok) ?? DONE
  }

  async touch (key: string, ttl: number): Promise<Result<boolean>> {
    const error = checkKey(key) ?? checkTtl(ttl)
    if (error !== undefined) return err(error)
    return this.#service.run('touch', () => this.#parts.writer.touch(key, Math.min(ttl, MAX_TTL) * 1000))
  }

  async del (key: string): Promise<Result<void>> {
    const error = checkKey(key)
    return error === undefined ? this.#service.remove('del', [{ kind: 'del', name: key }]) : err(error)
  }

  async delMany (keys: string[]): Promise<Result<void>> {
    const error = checkKeys(keys)
    return error === undefined ? this.#service.remove('delMany', keys.map((name) => ({ kind: 'del', name }))) : err(error)
  }

  async lock (key: string, options: LockOptions): Promise<Result<Lock | null>> {
    const error = checkKey(key) ?? checkLockOptions(options)
    return error === undefined ? this.#parts.locks.acquire(key, options) : err(error)
  }

  async clear (): Promise<Result<void>> {
    return this.#service.remove('clear', [{ kind: 'clear' }])
  }

  async health (): Promise<Result<void>> {
    return this.#service.check()
  }

  /**
   * Closes the connections that the cache opened. Waiting removals are sent once more; `onLost` receives the number of removals that
   * Redis has still not acknowledged.
   */
  async close (onLost: (removals: number) => void = () => {}): Promise<void> {
    await this.#parts.close(onLost)
  }

  #checkSet (key: string, value: unknown, options: SetOptions): CacheError | undefined {
    return checkKey(key) ?? checkValue(value, this[serializedBy]) ?? checkSetOptions(options)
  }
}
