import type { Result } from './result.js'

/** The state of tags before a load; only the implementation that captured it can read it. */
export type TagSnapshot = object & { readonly __tagSnapshot?: never }

/** Options of `set`. Every lifetime is in seconds, fractions allowed. */
export interface SetOptions {
  /**
   * Seconds that the value is fresh. `0` stores nothing and removes the stored value; `Infinity` and each number above 30 days mean 30
   * days.
   * @default 3600
   */
  ttl?: number | undefined
  /** Seconds after the ttl in which the value may be served stale, while one caller refreshes it (RFC 5861 §3). */
  staleWhileRevalidate?: number | undefined
  /** Seconds after the ttl in which the value may be served stale if loading fails (RFC 5861 §4). */
  staleIfError?: number | undefined
  /** Tags of the entry, at most 64. An invalidation of any of them removes the entry. */
  tags?: string[] | undefined
  /**
   * The snapshot of the tags before the load. Tags of option `tags` that are not in the snapshot are captured when the value is stored.
   * Without option `tags` the entry has the tags of the snapshot. Nothing is stored with an outdated snapshot, a snapshot of another cache,
   * or a lease that has ended.
   */
  snapshot?: TagSnapshot | undefined
}

/** One stored value with its lifetimes, in seconds. */
export interface Entry<T> {
  value: T
  fresh: boolean
  /** Seconds since the value was stored; `NaN` if the implementation does not record the time. */
  age: number
  /** Seconds until the entry is stale, negative afterwards; `0` if the entry was invalidated softly. */
  ttlLeft: number
  /** Seconds until the stale windows of the entry end; equals `ttlLeft` for an entry that has no stale window and was not invalidated. */
  staleLeft: number
  tags: string[]
}

/** Facts about an entry that the caller of a read knows before it, so that an implementation can fetch the entry in one round trip. */
export interface ReadHint {
  tags?: string[]
  /** Whether the entry may have a stale window; if so, the remaining lifetime is read in the same round trip as the value. */
  stale?: boolean
  /** `false`: the entry is read from the shared store, such as Redis, even if this process holds a copy of it. */
  near?: boolean
}

/** Options of a lock around the load of a key. */
export interface LockOptions {
  /** Seconds after which the lock ends if its holder has not released it, for example because its process died. */
  ttl: number
  /** Milliseconds for which the call of `lock` waits while another caller holds the lock; `0`: the call does not wait. */
  waitMs?: number
}

/** The lock of a key, from its acquisition to its release. */
export interface Lock {
  /** The fencing token, a number that grows with each holder of the key's lock. */
  readonly token: number
  /**
   * Releases the lock. Without an outcome the next waiter acquires it. With an outcome all waiters get `null`: after `'stored'` they can
   * read the value, after `'not-stored'` each waiter should load it.
   */
  release (outcome?: 'stored' | 'not-stored'): Promise<Result<void>>
  /** Extends the lock to `ttl` seconds from now; the result is `CACHE_ERR_UNAVAILABLE` if the lock was lost. */
  extend (ttl: number): Promise<Result<void>>
}

/**
 * A lease: the right to store the value of one load. It is also a snapshot of the tags, and is given to `set` as `snapshot`. Only the
 * implementation that gave the lease can read it.
 */
export type Lease = TagSnapshot

/** Options of a lease for the load of a key. */
export interface LeaseOptions {
  /** Tags whose state is captured with the lease, at most 64. */
  tags?: string[]
  /** Seconds for which the lease lasts; longer than the load may take. */
  ttl: number
}

/**
 * Leases of loads, for an implementation that several processes share ("Scaling Memcache at Facebook", NSDI 2013, §3.2.1). Once `del` of a
 * key has resolved `ok`, or `set` without a lease has stored its value, no process stores a value with an older lease. The values of loads
 * that take their leases one after the other, without a removal in between, may all be stored.
 */
export interface CacheLeases {
  /** Takes a lease; the load of `key` may begin once the result is `ok`. */
  take (key: string, options: LeaseOptions): Promise<Result<Lease>>
  /**
   * Whether a load that begins now would read the same data as the load of the lease: neither the key nor one of the tags was changed
   * since the lease was taken. `false` also if the implementation does not know.
   */
  isCurrent (lease: Lease): Promise<Result<boolean>>
  /** Ends a lease whose loaded value is not stored. */
  release (lease: Lease): Promise<Result<void>>
}

/** Groups of entries that are invalidated together. */
export interface Tags {
  /** Captures the state of tags; call it before a load begins. */
  capture (tags: string[]): Promise<Result<TagSnapshot>>
  /**
   * Whether none of the captured tags was invalidated since the capture, softly or not, by any process. Only implementations whose store
   * processes share have this member; without it `fastify.cache` returns `CACHE_ERR_UNSUPPORTED`.
   */
  isCurrent? (snapshot: TagSnapshot): Promise<Result<boolean>>
  /**
   * Invalidates tags: once the result is `ok`, no entry with one of the tags whose load began before the call is served. `soft` leaves such
   * entries as stale, until their stale windows end.
   */
  invalidate (tags: string | string[], options?: { soft?: boolean }): Promise<Result<void>>
}

/**
 * The part of `GET /internal/cache` that the implementation returns. Sibling packages add their members by declaration merging on
 * `@x/cache-core/implementing`.
 */
export interface ImplementationStatus {
  /** Whether the implementation is degraded, that is, cannot do its work now: every read is a miss, and invalidations are queued. */
  degraded?: boolean
  /** The result of the last check whether the implementation's store can be reached; its form depends on the implementation. */
  health?: unknown
  /**
   * The number and bytes of the entries in the memory of this process, with their bounds; absent if the implementation holds none there.
   */
  memory?: { entries: number; bytes: number; maxEntries: number; maxBytes: number }
}

/**
 * The contract of a cache. `get`, `set` and `del` are required; the other members are optional, and their presence is checked. A cache
 * never throws and never rejects: a failure is returned as a `Result`.
 */
export interface Cache {
  /** The metric label `impl`: `null`, `memory` or `redis`; for other caches the name under which they are registered. */
  readonly name?: string
  /** Whether the cache stores nothing by design, so that no call is coalesced or delayed in front of it. */
  readonly passThrough?: boolean
  /** Whether values and invalidations exist in this process alone, so that other processes of the app do not get them. Default `false`. */
  readonly isLocal?: boolean
  /** Reads the fresh value; `null` is a miss or a stored `null` (the counters use `STORED_NULL` to distinguish them). */
  get<T = unknown> (key: string): Promise<Result<T | null>>
  /** Stores the value as it is at the time of the call: later changes to the object have no effect. */
  set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>>
  /**
   * Sets the ttl of a stored entry, counted from now; its value, its tags and the length of its stale window stay. `false`, and nothing is
   * changed, if there is no entry, or if it was invalidated, softly or not. An entry that is stale by its time becomes fresh. A `ttl` of 0
   * makes the entry stale, or removes it if it has no stale window. A lease that was taken earlier remains valid, so the value of its load
   * is still stored.
   */
  touch? (key: string, ttl: number): Promise<Result<boolean>>
  /** Removes the value of a key; the result is `ok` even if the key had no value. */
  del (key: string): Promise<Result<void>>
  /** Reads an entry, fresh or stale. A stored `null` is an entry; a miss is `null`. */
  getEntry?<T = unknown> (key: string, hint?: ReadHint): Promise<Result<Entry<T> | null>>
  /** Reads the fresh values of several keys, in the order of the keys. */
  getMany?<T = unknown> (keys: string[]): Promise<Result<(T | null)[]>>
  /** Stores all items, or returns the first error after each item was tried; `fastify.cache` stores none if one item is invalid. */
  setMany? (items: SetItem[]): Promise<Result<void>>
  delMany? (keys: string[]): Promise<Result<void>>
  readonly tags?: Tags
  /** Leases, in an implementation whose store other processes share: `getOrSet` takes a lease before each load. */
  readonly leases?: CacheLeases
  /** Acquires a lock; `null`: the lock was not acquired within `waitMs`, or its holder released it with an outcome. */
  lock? (key: string, options: LockOptions): Promise<Result<Lock | null>>
  /** Removes all entries: once the result is `ok`, no earlier value is served. */
  clear? (): Promise<Result<void>>
  health? (): Promise<Result<void>>
  status? (): ImplementationStatus
  close? (): Promise<void>
}

/** One key and value for `setMany`, with the options of the entry. */
export interface SetItem { key: string; value: unknown; options?: SetOptions }
