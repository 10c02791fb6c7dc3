import type { Cache, Lock, LockOptions, SetOptions, Tags } from '../contract/cache.js'
import type { CacheRegistry } from '../service/registry.js'
import type { GetOrSetOptions, Loader } from '../contract/loader.js'
import type { Result } from '../contract/result.js'

/** One critical key to load before traffic comes. */
export interface WarmItem<T = any> { key: string; loader: Loader<T>; options?: GetOrSetOptions<T> }

/** How `warm` went about it. */
export interface WarmOptions {
  /**
   * Loads at once.
   * @default 4
   */
  concurrency?: number | undefined
}

/** The result of `warm`. `skipped` counts keys outside of the rollout, and every key in front of a pass-through implementation. */
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
