import type { Cache, Lock, LockOptions, SetOptions, Tags } from './cache.js'
import type { CacheRegistry } from '../service/registry.js'
import type { Result } from './result.js'

/** What a loader is given. */
export interface LoadContext {
  readonly key: string
  /** Aborted when `timeoutMs` has passed. */
  readonly signal: AbortSignal
  /** "Do not store what I return." */
  readonly skip: () => void
}

/**
 * Reads the source of truth. What it returns is handed to every waiter; what it throws, too. `undefined` is not stored, as after
 * `skip()`; `null` is.
 */
export type Loader<T> = (context: LoadContext) => T | Promise<T>

/** How `getOrSet` keeps what it loaded, and what it does while it loads. */
export interface GetOrSetOptions<T = unknown> {
  /**
   * Seconds; default 3600; `0`: do not store. A function gives each value its own: `(user) => user === null ? 5 : 300` keeps
   * "there is none" for a shorter time. It is not called for `undefined`, which is never stored.
   */
  ttl?: number | ((value: Exclude<T, undefined>) => number) | undefined
  /** Takes up to this fraction (0 to 1) off each ttl, at random, so that entries stored together do not end together. */
  jitter?: number | undefined
  /** Seconds after the ttl in which the stale value is served at once while one load refreshes it. */
  staleWhileRevalidate?: number | undefined
  /** Seconds after the ttl in which the stale value is served if loading fails. Counted from the same instant. */
  staleIfError?: number | undefined
  /** After a failed load with a stale value at hand no new load starts for so long. Default 1000. */
  retryAfterMs?: number | undefined
  /** Tags of the entry. Tags that only the value tells need `coveringTags`. */
  tags?: string[] | ((value: Exclude<T, undefined>) => string[]) | undefined
  /**
   * Tags known beforehand that cover those of a `tags` function: whoever invalidates one of those invalidates one of these
   * too. Without any, an entry with a `tags` function is not stored.
   */
  coveringTags?: string[] | undefined
  /**
   * The load ends with `CACHE_ERR_LOAD_TIMEOUT` after so long, and its signal is aborted. Default: the load is not aborted, but
   * after 30 s its key is free for another load, and what it still gives is not stored.
   */
  timeoutMs?: number | undefined
  /** One load per key across all processes, through the lock of the implementation. */
  lock?: boolean | undefined
  /**
   * Refreshes before the ttl ends, the likelier the nearer the end and the slower the load: the beta of XFetch (Vattani et
   * al., "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015). `1` is the usual value. Default: off.
   */
  earlyRefresh?: number | undefined
}

/** One critical key to load before traffic comes. */
export interface WarmItem<T = any> { key: string; loader: Loader<T>; options?: GetOrSetOptions<T> }

/** How `warm` went about it. */
export interface WarmOptions {
  /** Loads at once. Default 4. */
  concurrency?: number | undefined
}

/** What came of `warm`. `skipped` are keys outside of the rollout, and all in front of a pass-through implementation. */
export interface WarmReport { warmed: number; failed: number; skipped: number }

/** `fastify.cache` and `request.cache`: every member of the contract, whatever the implementation has. */
export interface FastifyCache extends Required<Omit<Cache, 'name' | 'passThrough' | 'lock' | 'status' | 'close' | 'set' | 'leases'>> {
  set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>>
  readonly tags: Required<Tags>
  lock (key: string, options: LockOptions): Promise<Result<Lock | null>>
  /**
   * The cached value, or what the loader returns. Rejects with the loader's own error, `CACHE_ERR_LOAD_TIMEOUT` or
   * `CACHE_ERR_LOAD_CYCLE`: a cache that fails or is slow never fails the caller.
   */
  getOrSet<T> (key: string, loader: Loader<T>, options?: number | GetOrSetOptions<T>): Promise<T>
  /** The same cache with every key and tag prefixed by `name:`; `clear` clears the namespace alone. */
  namespace (name: string): FastifyCache
  /** Loads what is missing, a few at a time. Never rejects: failures are counted and logged. */
  warm (items: WarmItem[], options?: WarmOptions): Promise<WarmReport>
  /** Which implementation is in service: `register` swaps it. */
  readonly registry: CacheRegistry
}
