import type { Result } from './result.js'

/** The state of tags at one moment; opaque to all but the implementation that captured it. */
export type TagSnapshot = object & { readonly __tagSnapshot?: never }

/** Options of `set`. Every lifetime is in seconds, fractions allowed. */
export interface SetOptions {
  /**
   * Seconds that the value is fresh. `0` stores nothing and removes the stored value; `Infinity` and all above 30 days mean 30 days.
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
   * The snapshot of the tags before the load. Tags that it does not cover are captured when the value is stored. Without `tags` the entry
   * has those of the snapshot. Nothing is stored with an outdated snapshot, one of another cache, or a lease that has ended.
   */
  snapshot?: TagSnapshot | undefined
}

/** One stored value with its lifetimes, in seconds. */
export interface Entry<T> {
  value: T
  fresh: boolean
  /** Seconds since the value was stored; `NaN` where the store does not know. */
  age: number
  /** Seconds until the entry is stale; negative afterwards. `0` if it was invalidated softly. */
  ttlLeft: number
  /** Seconds until the stale windows end; equals `ttlLeft` for an entry that has none and was not invalidated. */
  staleLeft: number
  tags: string[]
}

/** Facts that the caller knows about an entry before the read, so that an implementation can fetch all in one round trip. */
export interface ReadHint {
  tags?: string[]
  /** The entry may have a stale window. */
  stale?: boolean
}

/** Options of a lock. */
export interface LockOptions {
  /** Seconds after which the lock frees itself if its holder died. */
  ttl: number
  /** Milliseconds to wait for the lock. `0`: do not wait. */
  waitMs?: number
}

/** A lock, from its acquisition to its release. */
export interface Lock {
  /** The fencing token: grows with each holder of the key. */
  readonly token: number
  /**
   * Releases the lock. Without an outcome the next waiter acquires it. With an outcome all waiters get `null`: after `'stored'` they can read
   * the value, after `'not-stored'` each should load it.
   */
  release (outcome?: 'stored' | 'not-stored'): Promise<Result<void>>
  /** Extends the lock to `ttl` seconds from now; `CACHE_ERR_UNAVAILABLE` if it was lost. */
  extend (ttl: number): Promise<Result<void>>
}

/**
 * A lease: the right to store the value of one load. It is also a snapshot of the tags, and goes to `set` as `snapshot`. Opaque to all but
 * the implementation that gave it.
 */
export type Lease = TagSnapshot

/** Options of a lease. */
export interface LeaseOptions {
  /** Tags that are captured with the lease, at most 64. */
  tags?: string[]
  /** Seconds for which the lease lasts; longer than the load may take. */
  ttl: number
}

/**
 * Leases of loads, for an implementation that several processes share ("Scaling Memcache at Facebook", NSDI 2013, §3.2.1): once
 * `del` of a key has resolved `ok`, or `set` without a lease has stored it, no value is stored whose lease is older, by any process.
 * Loads that take their leases one after the other, with nothing removed in between, may all be stored.
 */
export interface CacheLeases {
  /** Takes a lease; the load of `key` may begin once the result is `ok`. */
  take (key: string, options: LeaseOptions): Promise<Result<Lease>>
  /**
   * Whether a load that begins now would see what the load of the lease sees: neither the key nor one of the tags was changed since
   * the lease was taken. `false` also when that cannot be known.
   */
  isCurrent (lease: Lease): Promise<Result<boolean>>
  /** Ends a lease whose load stores nothing. */
  release (lease: Lease): Promise<Result<void>>
}

/** Groups of entries that are invalidated together. */
export interface Tags {
  /** Captures the state of tags; called before a load begins. */
  capture (tags: string[]): Promise<Result<TagSnapshot>>
  /**
   * Whether none of the captured tags was invalidated since, softly or not, by whichever process. Only where processes share the
   * store; `fastify.cache` answers `CACHE_ERR_UNSUPPORTED` elsewhere.
   */
  isCurrent? (snapshot: TagSnapshot): Promise<Result<boolean>>
  /**
   * Once this has resolved `ok`, no entry with one of the tags whose load began before is served.
   * `soft` leaves such entries as stale, to their stale end.
   */
  invalidate (tags: string | string[], options?: { soft?: boolean }): Promise<Result<void>>
}

/**
 * The part of `GET /internal/cache` that the implementation gives. Sibling packages add their members by declaration merging on
 * `@x/cache-core/implementing`.
 */
export interface ImplementationStatus {
  /** The implementation is out of service: every read is a miss, invalidations are queued. */
  degraded?: boolean
  /** The last health check. */
  health?: unknown
}

/**
 * The contract of a cache. `get`, `set` and `del` are required; the other members are found by presence. A cache never throws and never
 * rejects: a failure comes back as a `Result`.
 */
export interface Cache {
  /** The metric label `impl`: `null`, `memory`, `redis`; else the name it is registered under. */
  readonly name?: string
  /** The cache stores nothing by design, so no call is coalesced or delayed in front of it. */
  readonly passThrough?: boolean
  /** Values and invalidations exist in this process alone; other processes of the app do not see them. Default `false`. */
  readonly isLocal?: boolean
  /** Reads the fresh value; `null` is a miss or a stored `null` (the counters use `STORED_NULL` to distinguish them). */
  get<T = unknown> (key: string): Promise<Result<T | null>>
  /** Stores the value as it is when the call is made: later changes to it are not seen. */
  set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>>
  /** Removes the value; `ok` if there was none. */
  del (key: string): Promise<Result<void>>
  /** Reads an entry, fresh or stale. A stored `null` is an entry; a miss is `null`. */
  getEntry?<T = unknown> (key: string, hint?: ReadHint): Promise<Result<Entry<T> | null>>
  /** Reads fresh values, in the order of the keys. */
  getMany?<T = unknown> (keys: string[]): Promise<Result<(T | null)[]>>
  /** Stores all of them, or answers with the first error after having tried each; `fastify.cache` refuses all if one is invalid. */
  setMany? (items: SetItem[]): Promise<Result<void>>
  delMany? (keys: string[]): Promise<Result<void>>
  readonly tags?: Tags
  /** Leases, of an implementation whose store other processes share: `getOrSet` takes one before each load. */
  readonly leases?: CacheLeases
  /** Acquires a lock. `null`: not acquired within `waitMs`, or the holder released it with an outcome. */
  lock? (key: string, options: LockOptions): Promise<Result<Lock | null>>
  /** Removes all entries: after the result `ok` no earlier value is served. */
  clear? (): Promise<Result<void>>
  health? (): Promise<Result<void>>
  status? (): ImplementationStatus
  close? (): Promise<void>
}

/** One entry of `setMany`. */
export interface SetItem { key: string; value: unknown; options?: SetOptions }
