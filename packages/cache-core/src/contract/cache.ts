import type { Result } from './result.js'

/** What is known about tags at one moment: opaque to everyone but the implementation that captured it. */
export type TagSnapshot = object & { readonly __tagSnapshot?: never }

/** How a value is kept. Every lifetime is in seconds, fractions allowed. */
export interface SetOptions {
  /** Fresh for so long. Default 3600; `0` stores nothing and removes what was stored; `Infinity` and all above 30 days mean 30 days. */
  ttl?: number | undefined
  /** May be served stale for so long after the ttl, while one caller refreshes it (RFC 5861 §3). */
  staleWhileRevalidate?: number | undefined
  /** May be served stale for so long after the ttl when loading fails (RFC 5861 §4). Counted from the same instant. */
  staleIfError?: number | undefined
  /** Invalidating any of these makes the entry gone. At most 64. */
  tags?: string[] | undefined
  /**
   * The tags as they were before the value was loaded; tags it does not cover are captured as the value is stored. Without
   * `tags` the entry has those of the snapshot. With one that is outdated, or another cache's, nothing is stored; the same
   * holds for a lease that has ended.
   */
  snapshot?: TagSnapshot | undefined
}

/** One stored value with its lifetime. All in seconds. */
export interface Entry<T> {
  value: T
  fresh: boolean
  /** Since it was stored; `NaN` where the store does not tell. */
  age: number
  /** Until it is no longer fresh; negative since it became stale. `0` if it was invalidated softly. */
  ttlLeft: number
  /** Until its stale windows are over; equals `ttlLeft` when it has none and was not invalidated. */
  staleLeft: number
  tags: string[]
}

/** What the caller knows of an entry before it reads it: lets an implementation fetch all in one round trip. */
export interface ReadHint {
  tags?: string[]
  /** The entry may have a stale window. */
  stale?: boolean
}

/** Options of a lock. */
export interface LockOptions {
  /** Seconds after which the lock frees itself if its holder died. */
  ttl: number
  /** Milliseconds to wait for it. `0`: do not wait. */
  waitMs?: number
}

/** A lock that is held. */
export interface Lock {
  /** The fencing token: grows with each holder of the key. */
  readonly token: number
  /**
   * Frees the lock. Without an outcome the next waiter gets it. With one, all who wait now stop waiting and get
   * `null`: `'stored'` says that the value can be read, `'not-stored'` that each should load it.
   */
  release (outcome?: 'stored' | 'not-stored'): Promise<Result<void>>
  /** Holds it for so many seconds from now; `CACHE_ERR_UNAVAILABLE` if it was lost. */
  extend (ttl: number): Promise<Result<void>>
}

/**
 * A lease: the right to store what one load gives. It is a snapshot of the tags, too, and goes to `set` as `snapshot`. Opaque to
 * everyone but the implementation that gave it.
 */
export type Lease = TagSnapshot

/** Options of a lease. */
export interface LeaseOptions {
  /** Captured with the lease. At most 64. */
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
  /** Taken before the load of `key` begins; the load may begin once it has resolved `ok`. */
  take (key: string, options: LeaseOptions): Promise<Result<Lease>>
  /**
   * Whether a load that begins now would see what the load of the lease sees: neither the key nor one of the tags was changed since
   * the lease was taken. `false` also when that cannot be known.
   */
  isCurrent (lease: Lease): Promise<Result<boolean>>
  /** The load ended and stores nothing. */
  release (lease: Lease): Promise<Result<void>>
}

/** Groups of entries that are invalidated together. */
export interface Tags {
  /** What is known about the tags now; taken before a load begins. */
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
  /** Out of service: every read is a miss, invalidations are queued. */
  degraded?: boolean
  /** The last health check. */
  health?: unknown
}

/**
 * What a cache is. `get`, `set` and `del` are the whole obligation; the other members are found by presence.
 * A cache never throws and never rejects: what the world does comes back as a `Result`.
 */
export interface Cache {
  /** The metric label `impl`: `null`, `memory`, `redis`; else the name it is registered under. */
  readonly name?: string
  /** Stores nothing by design: nothing is coalesced or delayed in front of it. */
  readonly passThrough?: boolean
  /** Values and invalidations exist in this process alone; other processes of the app do not see them. Default `false`. */
  readonly isLocal?: boolean
  /** The fresh value; `null` is a miss or a stored `null` (`STORED_NULL` tells them apart for the counters). */
  get<T = unknown> (key: string): Promise<Result<T | null>>
  /** Stores the value as it is when the call is made: later changes to it are not seen. */
  set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>>
  /** Removes the value; `ok` if there was none. */
  del (key: string): Promise<Result<void>>
  /** Fresh or stale; tells a stored `null` (an entry) from a miss (`null`). */
  getEntry?<T = unknown> (key: string, hint?: ReadHint): Promise<Result<Entry<T> | null>>
  /** Fresh values, in the order of the keys. */
  getMany?<T = unknown> (keys: string[]): Promise<Result<(T | null)[]>>
  /** Stores all of them, or answers with the first error after having tried each; `fastify.cache` refuses all if one is invalid. */
  setMany? (items: SetItem[]): Promise<Result<void>>
  delMany? (keys: string[]): Promise<Result<void>>
  readonly tags?: Tags
  /** Its presence says that other processes share the store: `getOrSet` then takes a lease before each load. */
  readonly leases?: CacheLeases
  /** `null`: not got within `waitMs`, or the holder released it with an outcome. */
  lock? (key: string, options: LockOptions): Promise<Result<Lock | null>>
  /** Once this has resolved `ok`, nothing stored before is served. */
  clear? (): Promise<Result<void>>
  health? (): Promise<Result<void>>
  status? (): ImplementationStatus
  close? (): Promise<void>
}

/** One entry of `setMany`. */
export interface SetItem { key: string; value: unknown; options?: SetOptions }
