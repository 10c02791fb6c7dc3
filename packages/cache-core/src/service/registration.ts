import { hasOnlyTtl } from '../contract/arguments.js'
import type { Cache, Entry, ImplementationStatus, Lease, LeaseOptions, Lock, LockOptions, ReadHint, SetItem, SetOptions, TagSnapshot } from '../contract/cache.js'
import { Deadlines } from '../lib/deadlines.js'
import { implementationFailed, isCacheError, timeout, unsupported } from '../contract/errors.js'
import { serializerOf } from '../contract/guarded-serializer.js'
import type { Serializer, SerializerName } from '../contract/isolation.js'
import { readNear, readNow, shareNear, shareNow, type Immediate, type NearReads } from '../contract/sync-read.js'
import { DONE, err, MISS, ok, STORED_NULL, type Err, type Result } from '../contract/result.js'
import type { ImplStats } from '../telemetry/counters.js'
import { CheckedCache, type KeyedCalls } from './checked-cache.js'
import { NULL_MARKER, toMarked, toRead, toResult, toStatus } from './implementation-result.js'
import type { KeyRules } from './key-rule.js'

/**
 * One registered implementation, and the boundary around it: each call of it returns a `Result` in bounded time. If the implementation
 * throws, rejects, hangs, or returns a value that is no `Result`, the call returns a coded error. If the implementation has synchronous
 * reads, every call except `lock` has ended when it returns, so its result is neither checked nor limited in time.
 */
export class Registration {
  readonly registeredAt = new Date()
  readonly passThrough: boolean
  readonly isLocal: boolean
  /** The serializer of the implementation; `undefined`: it has none of its own. */
  readonly serializer: SerializerName | Serializer | undefined
  /** Resolves the promise of `drain`; set once this registration is out of service. */
  #drained: (() => void) | undefined
  readonly #immediate: Immediate | undefined
  readonly #near: NearReads | undefined
  readonly #rules: KeyRules
  readonly #checked: CheckedCache
  #pending = 0
  #forgetting: Promise<void> | undefined
  #isWithheld = false
  readonly #reads: Deadlines
  readonly #writes: Deadlines

  constructor (
    readonly impl: Cache,
    readonly implName: string,
    readonly stats: ImplStats,
    limits: { reads: Deadlines; writes: Deadlines },
    rules: KeyRules
  ) {
    this.#rules = rules
    this.#checked = new CheckedCache(impl, rules, stats)
    this.#immediate = readNow in impl && shareNow in impl ? impl as Cache & Immediate : undefined
    this.#near = readNear in impl && shareNear in impl ? impl as Cache & NearReads : undefined
    this.passThrough = impl.passThrough === true
    this.isLocal = impl.isLocal === true
    this.serializer = serializerOf(impl)
    this.#reads = limits.reads
    this.#writes = limits.writes
  }

  /** The synchronous reads of an implementation in the memory of this process; `undefined`: it has none. */
  get immediate (): Immediate | undefined { return this.#rules.hasRules && this.#immediate !== undefined ? this.#checked : this.#immediate }

  /**
   * The near cache of the implementation; `undefined`: it has none, or the implementation is being cleared, so that reads must be misses.
   */
  get near (): NearReads | undefined {
    if (this.#isWithheld || this.#near === undefined) return undefined
    return this.#rules.hasRules ? this.#checked : this.#near
  }

  /** The calls with keys and values: those of the implementation, behind the rules of key patterns if there are any. */
  get #calls (): KeyedCalls {
    return this.#rules.hasRules ? this.#checked : this.impl as Required<Cache>
  }

  /** Resolves when the pending calls of the implementation have ended. */
  drain (): Promise<void> {
    if (this.#pending === 0) return Promise.resolve()
    return new Promise((resolve) => { this.#drained = resolve })
  }

  /**
   * Clears an implementation that is put back into service. The clear waits for earlier calls, since one of them may store a value. Until
   * the clear is acknowledged, reads are misses and stores are dropped; each read repeats a clear that failed.
   */
  forget (drained: Promise<unknown> = Promise.resolve()): void {
    this.#isWithheld = this.immediate === undefined
    const clearing = this.immediate === undefined ? drained.then(() => this.clear()) : this.clear()
    this.#forgetting = clearing.then((result) => {
      this.#forgetting = undefined
      if (result.ok) this.#isWithheld = false
      else this.stats.countError(result.error)
    })
  }

  get<T> (key: string): Promise<Result<T | null>> {
    if (this.#isAway()) return Promise.resolve(MISS)
    return this.#call('get', this.#reads, () => this.#calls.get<T>(key), toRead<T>)
  }

  /** Reads an entry; from an implementation without `getEntry` it is a fresh entry with unknown lifetimes (`Infinity`). */
  async lookup<T> (key: string, hint: ReadHint): Promise<Result<Entry<T> | null>> {
    if (this.impl.getEntry !== undefined) return this.getEntry(key, hint)
    const result = await this.get<T>(key)
    if (!result.ok) return result
    if (result.value === null && result !== STORED_NULL) return MISS
    return { ok: true, value: { value: result.value as T, fresh: true, age: 0, ttlLeft: Infinity, staleLeft: Infinity, tags: [] } }
  }

  getEntry<T> (key: string, hint?: ReadHint): Promise<Result<Entry<T> | null>> {
    if (this.impl.getEntry === undefined) return this.#lacks('getEntry')
    if (this.#isAway()) return Promise.resolve(MISS)
    return this.#call('getEntry', this.#reads, () => this.#calls.getEntry<T>(key, hint), toRead<Entry<T>>)
  }

  async getMany<T> (keys: string[]): Promise<Result<(T | null)[]>> {
    if (this.impl.getMany === undefined) return this.#lacks('getMany')
    if (this.#isAway()) return { ok: true, value: keys.map(() => null) }
    const result = await this.#call('getMany', this.#reads, () => this.#calls.getMany<T>(keys))
    if (!result.ok) return result
    if (!Array.isArray(result.value) || result.value.length !== keys.length) {
      return err(implementationFailed('getMany', 'did not answer with one value for each key'))
    }
    return ok(result.value.map((value) => value === NULL_MARKER ? null : value ?? null))
  }

  set (key: string, value: unknown, options: SetOptions): Promise<Result<void>> {
    // An entry with tags is refused, since no invalidation could remove it from an implementation without `tags`.
    if (this.impl.tags === undefined && options.tags !== undefined && options.tags.length > 0) return this.#lacks('tags')
    if (this.#isAway()) return Promise.resolve(DONE)
    return this.#call('set', this.#writes, () => this.#calls.set(key, toMarked(this.impl, value), hasOnlyTtl(options) ? options.ttl : options))
  }

  setMany (items: SetItem[]): Promise<Result<void>> {
    if (this.impl.setMany === undefined) return this.#lacks('setMany')
    if (this.impl.tags === undefined && items.some(({ options }) => options?.tags !== undefined && options.tags.length > 0)) {
      return this.#lacks('tags')
    }
    if (this.#isAway()) return Promise.resolve(DONE)
    const marked = items.map((item) => ({ ...item, value: toMarked(this.impl, item.value) }))
    return this.#call('setMany', this.#writes, () => this.#calls.setMany(marked))
  }

  touch (key: string, ttl: number): Promise<Result<boolean>> {
    if (this.impl.touch === undefined) return this.#lacks('touch')
    if (this.#isAway()) return Promise.resolve(ok(false))
    return this.#call('touch', this.#writes, () => this.#calls.touch(key, ttl))
  }

  del (key: string): Promise<Result<void>> {
    return this.#call('del', this.#writes, () => this.#calls.del(key))
  }

  delMany (keys: string[]): Promise<Result<void>> {
    if (this.impl.delMany === undefined) return this.#lacks('delMany')
    return this.#call('delMany', this.#writes, () => this.#calls.delMany(keys))
  }

  capture (tags: string[]): Promise<Result<TagSnapshot>> {
    if (this.impl.tags === undefined) return this.#lacks('tags')
    return this.#call('tags.capture', this.#reads, () => this.impl.tags!.capture(tags))
  }

  areTagsCurrent (snapshot: TagSnapshot): Promise<Result<boolean>> {
    if (this.impl.tags?.isCurrent === undefined) return this.#lacks('tags.isCurrent')
    return this.#call('tags.isCurrent', this.#reads, () => this.impl.tags!.isCurrent!(snapshot))
  }

  invalidate (tags: string[], soft: boolean): Promise<Result<void>> {
    if (this.impl.tags === undefined) return this.#lacks('tags')
    return this.#call('tags.invalidate', this.#writes, () => this.impl.tags!.invalidate(tags, soft ? { soft } : undefined))
  }

  /** Takes a lease of the implementation; call it only if the implementation has `leases`. */
  takeLease (key: string, options: LeaseOptions): Promise<Result<Lease>> {
    return this.#call('leases.take', this.#reads, () => this.#rules.hasRules ? this.#checked.take(key, options) : this.impl.leases!.take(key, options))
  }

  isCurrent (lease: Lease): Promise<Result<boolean>> {
    return this.#call('leases.isCurrent', this.#reads, () => this.impl.leases!.isCurrent(lease))
  }

  releaseLease (lease: Lease): Promise<Result<void>> {
    return this.#call('leases.release', this.#writes, () => this.impl.leases!.release(lease))
  }

  async lock (key: string, options: LockOptions): Promise<Result<Lock | null>> {
    if (this.impl.lock === undefined) return this.#lacks('lock')
    // The time limit of a `lock` call is the usual one plus the time for which the caller is willing to wait for the lock.
    const limit = new Deadlines(this.#reads.ms + (options.waitMs ?? 0))
    const result = await this.#call('lock', limit, () => this.#calls.lock(key, options), toRead<Lock>)
    return result.ok && result.value !== null ? ok(this.#bounded(result.value)) : result
  }

  clear (): Promise<Result<void>> {
    if (this.impl.clear === undefined) return this.#lacks('clear')
    return this.#call('clear', this.#writes, () => this.impl.clear!())
  }

  /** Returns the status that the implementation reports; empty if its method `status` fails. */
  status (): ImplementationStatus {
    const status = toStatus(this.impl)
    if (!isCacheError(status)) return status
    this.stats.countError(status)
    return {}
  }

  health (): Promise<Result<void>> {
    if (this.impl.health === undefined) return this.#lacks('health')
    return this.#call('health', this.#reads, () => this.impl.health!())
  }

  #isAway (): boolean {
    if (this.#isWithheld && this.#forgetting === undefined) this.forget()
    return this.#isWithheld
  }

  /** Wraps a lock of the implementation, so that the calls of the lock are bounded in time and return a `Result`, too. */
  #bounded (lock: Lock): Lock {
    return {
      token: lock.token,
      release: (outcome) => this.#call('lock.release', this.#writes, () => lock.release(outcome)),
      extend: (ttl) => this.#call('lock.extend', this.#writes, () => lock.extend(ttl))
    }
  }

  #lacks (member: string): Promise<Err> {
    return Promise.resolve(err(unsupported(member, this.implName)))
  }

  #call<T> (
    operation: string, limit: Deadlines, start: () => Promise<Result<T>>,
    toAnswer: (operation: string, answer: unknown) => Result<T> = toResult
  ): Promise<Result<T>> {
    let pending: Promise<Result<T>>
    try {
      pending = start()
    } catch (cause) {
      return Promise.resolve(err(implementationFailed(operation, 'threw', { cause })))
    }
    if (this.immediate !== undefined && operation !== 'lock') return pending
    this.#pending++
    const end = (result: Result<T>): Result<T> => {
      if (--this.#pending === 0) this.#drained?.()
      return result
    }
    return limit.bound<unknown, Result<T>>(
      pending instanceof Promise ? pending : Promise.resolve(pending),
      (answer) => end(toAnswer(operation, answer)),
      (ms) => end(err(timeout(operation, ms))),
      (cause) => end(err(implementationFailed(operation, 'rejected', { cause })))
    )
  }
}
