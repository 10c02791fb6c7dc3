import { LRUCache } from 'lru-cache'
import { checkKey, checkKeys, checkLockOptions, checkSetOptions, checkTags, MAX_TTL } from './arguments.js'
import type { Cache, Entry, Lock, LockOptions, SetItem, SetOptions, TagSnapshot, Tags } from './cache.js'
import { monotonicClock, type Clock } from './clock.js'
import { OptionInvalid, tooLarge } from './errors.js'
import { deepFreeze, keep, read, type Kept } from './isolation.js'
import { MemoryLocks } from './memory-lock.js'
import { MemoryTags, type CapturedTag } from './memory-tags.js'
import { readNow, shareNow, type Immediate, type SharedEntry } from './read-now.js'
import { DONE, err, MISS, ok, STORED_NULL, type Result } from './result.js'

/** Bounds and behaviour of a `MemoryCache`. */
export interface MemoryCacheOptions {
  /** Default 10 000, at most 2^24. The least recently used entry makes room. */
  maxEntries?: number
  /** Sum of keys, tags and serialised values; default 64 MiB. One value may take all of it. */
  maxBytes?: number
  /**
   * `'clone'`: each reader gets a copy of its own, as from Redis. `'freeze'`: all readers share one deeply frozen value,
   * which costs nothing to read (Buffers are copied all the same). Default `'clone'`.
   */
  isolation?: 'clone' | 'freeze'
  /**
   * Tags that are remembered for loads under way while no entry has them; default 10 × maxEntries, at most 2^24. What is
   * loaded under a forgotten one is not stored. The tags of entries are always known.
   */
  maxTags?: number
  /** What time it is; for tests. */
  clock?: Clock
}

interface Stored {
  readonly kept: Kept | undefined
  readonly frozen: unknown
  readonly storedAt: number
  readonly freshUntil: number
  readonly staleUntil: number
  readonly tags: readonly CapturedTag[]
}

const NO_TAGS: readonly CapturedTag[] = []
/** What the tables of an entry take beside its key and value. */
const ENTRY_BYTES = 128
/** The same for each tag of an entry. */
const TAG_BYTES = 64
/** What a `Map` holds in V8. */
const MAX_MAP_SIZE = 2 ** 24

/** The contract within this process: entries and bytes are bounded, values are what JSON keeps of them, or bytes. */
export class MemoryCache implements Cache, Immediate {
  readonly name = 'memory'
  readonly tags: Tags
  readonly #entries: LRUCache<string, Stored>
  readonly #tags: MemoryTags
  readonly #locks = new MemoryLocks()
  readonly #clock: Clock
  readonly #maxBytes: number
  readonly #isFrozen: boolean

  constructor (options: MemoryCacheOptions = {}) {
    const { maxEntries = 10_000, maxBytes = 64 * 1024 * 1024, isolation = 'clone', clock = monotonicClock } = options
    checkWhole('maxEntries', maxEntries, MAX_MAP_SIZE)
    checkWhole('maxBytes', maxBytes, Number.MAX_SAFE_INTEGER)
    const { maxTags = Math.min(10 * maxEntries, MAX_MAP_SIZE) } = options
    checkWhole('maxTags', maxTags, MAX_MAP_SIZE)
    if (isolation !== 'clone' && isolation !== 'freeze') throw new OptionInvalid('isolation', String(isolation), "'clone' or 'freeze'")
    this.#maxBytes = maxBytes
    this.#isFrozen = isolation === 'freeze'
    this.#clock = clock
    this.#entries = new LRUCache({ max: maxEntries, maxSize: maxBytes, dispose: ({ tags }) => this.#tags.release(tags) })
    this.#tags = new MemoryTags(maxTags)
    this.tags = {
      capture: async (tags) => {
        const error = checkTags(tags)
        return error === undefined ? ok<TagSnapshot>(this.#tags.capture(tags)) : err(error)
      },
      invalidate: async (tags, options) => {
        const list = typeof tags === 'string' ? [tags] : tags
        const error = checkTags(list)
        if (error !== undefined) return err(error)
        this.#tags.invalidate(list, options?.soft === true)
        return DONE
      }
    }
  }

  /** Entries that are held, expired ones among them until they are read or make room. */
  get size (): number { return this.#entries.size }
  /** Bytes that are held, as `maxBytes` counts them. */
  get bytes (): number { return this.#entries.calculatedSize }

  [readNow]<T> (key: string): Result<T | null> {
    const now = this.#clock.now()
    const stored = this.#find(key, now)
    if (stored === undefined || this.#ttlLeft(stored, now) <= 0) return MISS
    const value = this.#valueOf<T>(stored)
    return value === null ? STORED_NULL : { ok: true, value }
  }

  [shareNow] (key: string): Result<SharedEntry | null> {
    const now = this.#clock.now()
    const stored = this.#find(key, now)
    if (stored === undefined) return MISS
    const value = stored.kept?.kind === 'buffer' ? stored.kept.value : this.#valueOf(stored)
    return { ok: true, value: { value, fresh: this.#ttlLeft(stored, now) > 0 } }
  }

  async get<T> (key: string): Promise<Result<T | null>> {
    const error = checkKey(key)
    return error === undefined ? this[readNow]<T>(key) : err(error)
  }

  async getEntry<T> (key: string): Promise<Result<Entry<T> | null>> {
    const error = checkKey(key)
    if (error !== undefined) return err(error)
    const now = this.#clock.now()
    const stored = this.#find(key, now)
    if (stored === undefined) return MISS
    const ttlLeft = this.#ttlLeft(stored, now)
    return ok({
      value: this.#valueOf<T>(stored),
      fresh: ttlLeft > 0,
      age: (now - stored.storedAt) / 1000,
      ttlLeft,
      staleLeft: (stored.staleUntil - now) / 1000,
      tags: stored.tags.map(({ tag }) => tag)
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

  del (key: string): Promise<Result<void>> {
    return this.delMany([key])
  }

  async delMany (keys: string[]): Promise<Result<void>> {
    const error = checkKeys(keys)
    if (error !== undefined) return err(error)
    for (const key of keys) this.#entries.delete(key)
    return DONE
  }

  async lock (key: string, options: LockOptions): Promise<Result<Lock | null>> {
    const error = checkKey(key) ?? checkLockOptions(options)
    return error === undefined ? ok(await this.#locks.acquire(key, options)) : err(error)
  }

  async clear (): Promise<Result<void>> {
    this.#entries.clear()
    this.#tags.clear()
    return DONE
  }

  async health (): Promise<Result<void>> { return DONE }

  async close (): Promise<void> {
    this.#locks.close()
    await this.clear()
  }

  #store (key: string, value: unknown, options: SetOptions): Result<void> {
    const error = checkKey(key) ?? checkSetOptions(options)
    if (error !== undefined) return err(error)
    const kept = keep(value)
    if ('error' in kept) return err(kept.error)
    // What was stored is superseded from here on, also when the new value finds no room.
    this.#entries.delete(key)
    const ttl = Math.min(options.ttl ?? 3600, MAX_TTL)
    if (ttl === 0) return DONE
    const tags = options.tags === undefined && options.snapshot === undefined
      ? NO_TAGS
      : this.#tags.resolve(options.tags, options.snapshot)
    if (tags === undefined) return DONE
    const size = ENTRY_BYTES + key.length * 2 + kept.bytes + bytesOf(tags)
    if (size > this.#maxBytes) return err(tooLarge(size, this.#maxBytes))
    const now = this.#clock.now()
    const window = Math.min(Math.max(options.staleWhileRevalidate ?? 0, options.staleIfError ?? 0), MAX_TTL)
    const isShared = this.#isFrozen && kept.kind === 'json'
    this.#tags.hold(tags)
    this.#entries.set(key, {
      kept: isShared ? undefined : kept,
      frozen: isShared ? deepFreeze(read(kept)) : undefined,
      storedAt: now,
      freshUntil: now + ttl * 1000,
      staleUntil: now + (ttl + window) * 1000,
      tags
    }, { size })
    return DONE
  }

  /** The entry, unless it is invalidated or past its stale end. */
  #find (key: string, now: number): Stored | undefined {
    const stored = this.#entries.get(key)
    if (stored === undefined) return undefined
    if (stored.staleUntil > now && (stored.tags === NO_TAGS || this.#tags.isValid(stored.tags))) return stored
    this.#entries.delete(key)
    return undefined
  }

  #ttlLeft (stored: Stored, now: number): number {
    const left = (stored.freshUntil - now) / 1000
    return left > 0 && !this.#tags.isFresh(stored.tags) ? 0 : left
  }

  #valueOf<T> (stored: Stored): T {
    return (stored.kept === undefined ? stored.frozen : read(stored.kept)) as T
  }
}

function bytesOf (tags: readonly CapturedTag[]): number {
  let bytes = 0
  for (const { tag } of tags) bytes += TAG_BYTES + tag.length * 2
  return bytes
}

function checkWhole (name: string, value: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return
  throw new OptionInvalid(name, String(value), `a whole number from 1 to ${max}`)
}
