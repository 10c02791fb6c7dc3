import { checkKey, checkKeys, checkLockOptions, checkSetOptions, checkTtl, MAX_TTL } from '../../contract/arguments.js'
import type { Cache, Entry, ImplementationStatus, Lock, LockOptions, SetItem, SetOptions, Tags } from '../../contract/cache.js'
import { DEFAULT_TTL } from '../../contract/default-ttl.js'
import { tooLarge } from '../../contract/errors.js'
import { Freezer } from './freezer.js'
import { isolate, serializedBy, type SerializerName, type Serializes } from '../../contract/isolation.js'
import { joinRegistry, type JoinsRegistry, type RegistrySettings } from '../../contract/join-registry.js'
import { MemoryBounds } from './memory-bounds.js'
import { BYTES, entryBytes, type NewEntry } from './memory-entry.js'
import { MemoryEntries } from './memory-entries.js'
import { MemoryLocks } from './memory-lock.js'
import { resolveMemoryOptions, type MemoryCacheOptions } from './memory-options.js'
import { memoryTagCalls } from './memory-tag-calls.js'
import { MemoryTags, type EntryTags } from './memory-tags.js'
import { readNow, shareNow, type Immediate, type SharedEntry } from '../../contract/sync-read.js'
import { DONE, err, MISS, ok, STORED_NULL, type Result } from '../../contract/result.js'
import { toRead, toStored } from './stored-value.js'

export type { MemoryCacheOptions }

const NO_TAGS: EntryTags = { states: [], version: 0 }
/** The fraction of `maxBytes` that tags without an entry may use; such tags are remembered for loads in progress. */
const IDLE_TAGS_SHARE = 1 / 8

/** The cache in the memory of this process. Entries and bytes are bounded; values are stored as JSON text, as bytes, or frozen. */
export class MemoryCache implements Cache, Immediate, JoinsRegistry, Serializes {
  readonly name = 'memory'
  readonly isLocal = true
  readonly tags: Tags
  readonly #entries: MemoryEntries
  readonly #tags: MemoryTags
  readonly #locks = new MemoryLocks()
  readonly #now: () => number
  readonly #bounds: MemoryBounds
  /** The serializer that the option or a registry names; `undefined`: neither has named one, so that values are stored as JSON. */
  #serializer: SerializerName | undefined
  /** Freezes stored values; `undefined` unless `isolation` is `'freeze'`. */
  readonly #freezer: Freezer | undefined

  constructor (options: MemoryCacheOptions = {}) {
    const { maxEntries, maxBytes, maxTags, isolation, responseShare, clock } = resolveMemoryOptions(options)
    this.#serializer = options.serializer
    this.#freezer = isolation === 'freeze' ? new Freezer() : undefined
    this.#now = clock.coarse === undefined ? () => clock.now() : () => clock.coarse!()
    this.#entries = new MemoryEntries(maxEntries)
    this.#tags = new MemoryTags({ maxIdle: maxTags, maxIdleBytes: maxBytes * IDLE_TAGS_SHARE })
    this.#bounds = new MemoryBounds(this.#entries, this.#tags, { maxEntries, maxBytes, responseShare })
    this.tags = memoryTagCalls(this.#tags, this.#bounds)
  }

  /** The number of entries in the cache, including expired ones that were neither read nor evicted. */
  get size (): number { return this.#entries.size }
  /**
   * The bytes of the cache in the heap and in the contents of Buffers: entries, their tags, and the arrays and maps of both. The number is
   * within 15 % of V8's own count if there are some thousand entries or more.
   */
  get bytes (): number { return this.#bounds.bytes }

  /**
   * Uses the limits of the registry that last put the cache into service. Without option `serializer` the cache uses the serializer of the
   * first such registry.
   */
  [joinRegistry] ({ limits, serializer }: RegistrySettings): void {
    this.#bounds.limits = limits
    this.#serializer ??= serializer
  }

  get [serializedBy] (): SerializerName | undefined { return this.#serializer }

  [readNow]<T> (key: string): Result<T | null> {
    const entries = this.#entries
    const slot = entries.slotOf(key)
    if (slot === 0) return MISS
    const now = this.#now()
    // A fresh entry needs no further check: an entry counts as fresh only if no invalidation has removed it.
    if (now - entries.storedAt[slot]! < entries.ttl[slot]! && entries.hasFreshTags(slot)) {
      entries.use(slot)
      const value = this.#valueOf<T>(slot)
      return value === null ? STORED_NULL : { ok: true, value }
    }
    this.#find(key, now)
    return MISS
  }

  [shareNow] (key: string): Result<SharedEntry | null> {
    const now = this.#now()
    const slot = this.#find(key, now)
    if (slot === 0) return MISS
    const entries = this.#entries
    const value = entries.kindOf(slot) === BYTES ? entries.values[slot] : this.#valueOf(slot)
    return { ok: true, value: { value, fresh: this.#ttlLeft(slot, now) > 0, age: (now - entries.storedAt[slot]!) / 1000 } }
  }

  async get<T> (key: string): Promise<Result<T | null>> {
    const error = checkKey(key)
    return error === undefined ? this[readNow]<T>(key) : err(error)
  }

  async getEntry<T> (key: string): Promise<Result<Entry<T> | null>> {
    const error = checkKey(key)
    if (error !== undefined) return err(error)
    const now = this.#now()
    const slot = this.#find(key, now)
    if (slot === 0) return MISS
    const entries = this.#entries
    const age = now - entries.storedAt[slot]!
    const ttlLeft = this.#ttlLeft(slot, now)
    return ok({
      value: this.#valueOf<T>(slot),
      fresh: ttlLeft > 0,
      age: age / 1000,
      ttlLeft,
      staleLeft: (entries.ttl[slot]! + entries.windowOf(slot) - age) / 1000,
      tags: entries.tagsOf(slot)?.map(({ tag }) => tag) ?? []
    })
  }

  async getMany<T> (keys: string[]): Promise<Result<(T | null)[]>> {
    const error = checkKeys(keys)
    if (error !== undefined) return err(error)
    return ok(keys.map((key) => {
      const result = this[readNow]<T>(key)
      return result.ok ? result.value : null
    }))
  }

  set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>> {
    return Promise.resolve(this.#store(key, value, typeof ttl === 'object' ? ttl : { ttl }))
  }

  async setMany (items: SetItem[]): Promise<Result<void>> {
    if (!Array.isArray(items)) return err(checkKeys(items)!)
    let failure: Result<void> = DONE
    for (const item of items) {
      const result = this.#store(item?.key, item?.value, item?.options ?? {})
      if (!result.ok && failure.ok) failure = result
    }
    return failure
  }

  async touch (key: string, ttl: number): Promise<Result<boolean>> {
    const error = checkKey(key) ?? checkTtl(ttl)
    if (error !== undefined) return err(error)
    const now = this.#now()
    const slot = this.#find(key, now)
    if (slot === 0 || !this.#entries.hasFreshTags(slot)) return ok(false)
    this.#entries.ttl[slot] = now - this.#entries.storedAt[slot]! + Math.min(ttl, MAX_TTL) * 1000
    return ok(true)
  }

  del (key: string): Promise<Result<void>> {
    return this.delMany([key])
  }

  async delMany (keys: string[]): Promise<Result<void>> {
    const error = checkKeys(keys)
    if (error !== undefined) return err(error)
    for (const key of keys) this.#bounds.remove(this.#entries.slotOf(key))
    return DONE
  }

  async lock (key: string, options: LockOptions): Promise<Result<Lock | null>> {
    const error = checkKey(key) ?? checkLockOptions(options)
    return error === undefined ? ok(await this.#locks.acquire(key, options)) : err(error)
  }

  async clear (): Promise<Result<void>> {
    this.#entries.clear()
    this.#tags.clear()
    this.#freezer?.clear()
    return DONE
  }

  async health (): Promise<Result<void>> { return DONE }

  status (): ImplementationStatus {
    const { maxEntries, maxBytes } = this.#bounds
    return { memory: { entries: this.size, bytes: this.bytes, maxEntries, maxBytes } }
  }

  async close (): Promise<void> {
    this.#locks.close()
    await this.clear()
  }

  #store (key: string, value: unknown, options: SetOptions): Result<void> {
    const error = checkKey(key) ?? checkSetOptions(options)
    if (error !== undefined) return err(error)
    const isolated = isolate(value, this.#serializer)
    if ('error' in isolated) return err(isolated.error)
    const entries = this.#entries
    const slot = entries.slotOf(key)
    const ttl = Math.min(options.ttl ?? DEFAULT_TTL, MAX_TTL)
    const tags = ttl === 0 ? undefined : this.#tagsFor(options)
    // The earlier value of the key is removed even if the new value is not stored: since the call of `set` it is outdated.
    if (tags === undefined) {
      this.#bounds.remove(slot)
      return DONE
    }
    const window = Math.min(Math.max(options.staleWhileRevalidate ?? 0, options.staleIfError ?? 0), MAX_TTL)
    const { kind, value: stored, bytes } = toStored(isolated, this.#freezer)
    const { states, version } = tags
    const entry: NewEntry = { kind, value: stored, bytes, storedAt: this.#now(), ttl: ttl * 1000, window: window * 1000, states, version }
    this.#tags.hold(states)
    const before = slot === 0 ? undefined : entries.tagsOf(slot)
    this.#bounds.store(key, slot, entry)
    if (before !== undefined) this.#tags.release(before)
    if (!this.#bounds.isExceeded) return DONE
    const least = entryBytes(key, entry) + MemoryTags.bytesOf(states)
    const limit = this.#bounds.limitOf(key)
    if (least <= limit) this.#bounds.makeRoom()
    // Making room may have evicted the new entry itself if it is a stored response, since responses have a limit of their own.
    if (!this.#bounds.isExceeded && (limit === this.#bounds.maxBytes || entries.slotOf(key) !== 0)) return DONE
    this.#bounds.remove(entries.slotOf(key))
    return err(tooLarge(least, limit))
  }

  /** Returns the tags of an entry to be stored; `undefined`: a tag was invalidated since the snapshot of the tags. */
  #tagsFor ({ tags, snapshot }: SetOptions): EntryTags | undefined {
    return tags === undefined && snapshot === undefined ? NO_TAGS : this.#tags.resolve(tags, snapshot)
  }

  /** Returns the slot of an entry; `0` if the key has no entry, or the entry is invalidated, or its stale window has ended. */
  #find (key: string, now: number): number {
    const entries = this.#entries
    const slot = entries.slotOf(key)
    if (slot === 0) return 0
    if (now - entries.storedAt[slot]! < entries.ttl[slot]! + entries.windowOf(slot) && entries.hasValidTags(slot)) {
      entries.use(slot)
      return slot
    }
    this.#bounds.remove(slot)
    return 0
  }

  #ttlLeft (slot: number, now: number): number {
    const entries = this.#entries
    const left = (entries.ttl[slot]! - (now - entries.storedAt[slot]!)) / 1000
    return left <= 0 || entries.hasFreshTags(slot) ? left : 0
  }

  #valueOf<T> (slot: number): T {
    return toRead(this.#entries.kindOf(slot), this.#entries.values[slot]) as T
  }
}
