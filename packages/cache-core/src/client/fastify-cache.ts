import type { Cache, Entry, Lock, LockOptions, ReadHint, SetItem, SetOptions, Tags } from '../contract/cache.js'
import type { CacheRegistry } from '../service/registry.js'
import type { GetOrSetOptions, LoadContext, Loader, ManyLoader } from '../contract/loader.js'
import type { Result } from '../contract/result.js'
import type { WarmOptions } from './warm-options.js'
import type { ArgumentsOf, WrapOptions, Wrapped } from './wrap-options.js'

export type { ArgumentsOf, WarmOptions, WrapOptions, Wrapped }

/** One critical key that `warm` loads before the first request. */
export interface WarmItem<T = any> { key: string; loader: Loader<T>; options?: GetOrSetOptions<T> }

/**
 * The result of `warm`. `skipped` counts keys that the rollout does not cache, every key in front of a pass-through implementation, and items
 * whose loader returned `undefined`, which is not stored.
 */
export interface WarmReport { warmed: number; failed: number; skipped: number }

/**
 * The defaults of a namespace for its calls of `getOrSet`. `ttl`, the stale windows and the tags also apply to `set` and `setMany`; a `ttl`
 * that is a number also applies to `touch`. Tags are added to those of a call; any other option of a call replaces the default. A namespace
 * within this one inherits the defaults, except functions and `coveringTags`.
 */
export type NamespaceOptions<V = any> = GetOrSetOptions<V>

/**
 * The type of `fastify.cache` and `request.cache`: it has every member of the contract `Cache`, even if the implementation in service lacks
 * the member.
 */
export interface FastifyCache extends Required<Omit<Cache, 'name' | 'passThrough' | 'isLocal' | 'lock' | 'status' | 'close' | 'set' | 'touch' | 'leases'>> {
  set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>>
  /**
   * Sets the ttl of a stored entry, in seconds from now, without a load; `false`: there is no valid entry, or the key is outside of the
   * rollout. Without `ttl` the default ttl applies.
   */
  touch (key: string, ttl?: number): Promise<Result<boolean>>
  readonly tags: Required<Tags>
  lock (key: string, options: LockOptions): Promise<Result<Lock | null>>
  /**
   * Returns the cached value, or the value that the loader returns. Rejects with the loader's own error, `CACHE_ERR_LOAD_TIMEOUT` or
   * `CACHE_ERR_LOAD_CYCLE`: a cache that fails or is slow never fails the caller.
   */
  getOrSet<T> (key: string, loader: Loader<T>, options?: number | GetOrSetOptions<T>): Promise<T>
  /**
   * Calls `getOrSet` for several keys, with one load for all keys that need one. Returns the values in the order of the keys. A key for
   * which the loader returned no value has `undefined`, which is not stored. Rejects as `getOrSet` does, with the error of the first key
   * that failed, with `CACHE_ERR_LOADED_MANY`, and with `CACHE_ERR_KEY_INVALID` if `keys` is no array.
   */
  getOrSetMany<T> (keys: readonly string[], loadMany: ManyLoader<T>, options?: number | GetOrSetOptions<T>): Promise<(T | undefined)[]>
  /**
   * Returns the cached form of a function: its results are cached by its arguments. The function is called without a `this`.
   * @throws `CACHE_ERR_OPTION_INVALID`
   */
  wrap<A extends unknown[], T> (fn: (this: void, ...args: A) => T | Promise<T>, options: WrapOptions<ArgumentsOf<A>, T>): Wrapped<A, T>
  /**
   * Returns the same cache with every key and tag prefixed by `name:`; `clear` clears the namespace alone.
   * @param defaults options for the calls of the namespace, where a call does not give the option itself
   * @throws `CACHE_ERR_OPTION_INVALID`
   */
  namespace (name: string, defaults?: NamespaceOptions): FastifyCache
  /** Returns a namespace whose values have one type: `namespace<User>('user', { ttl: 60 })`. */
  namespace<V> (name: string, defaults?: NamespaceOptions<V>): CacheNamespace<V>
  /** Loads the warm items whose keys have no entry, `concurrency` items at a time. Never rejects: failures are counted and logged. */
  warm (items: WarmItem[], options?: WarmOptions): Promise<WarmReport>
  /** The registry that holds the implementation in service; `register` of the registry replaces the implementation. */
  readonly registry: CacheRegistry
}

type Untyped = 'get' | 'getEntry' | 'getMany' | 'set' | 'setMany' | 'getOrSet' | 'getOrSetMany' | 'wrap' | 'warm'

/** A namespace whose values have one type, `V`. */
export interface CacheNamespace<V> extends Omit<FastifyCache, Untyped> {
  get (key: string): Promise<Result<V | null>>
  getEntry (key: string, hint?: ReadHint): Promise<Result<Entry<V> | null>>
  getMany (keys: string[]): Promise<Result<(V | null)[]>>
  set (key: string, value: V, ttl?: number | SetOptions): Promise<Result<void>>
  setMany (items: (SetItem & { value: V })[]): Promise<Result<void>>
  getOrSet (key: string, loader: (context: LoadContext<V>) => V | Promise<V>, options?: number | GetOrSetOptions<V>): Promise<V>
  getOrSetMany (keys: readonly string[], loadMany: ManyLoader<V>, options?: number | GetOrSetOptions<V>): Promise<(V | undefined)[]>
  wrap<A extends unknown[]> (fn: (this: void, ...args: A) => V | Promise<V>, options: WrapOptions<ArgumentsOf<A>, V>): Wrapped<A, V>
  warm (items: WarmItem<V>[], options?: WarmOptions): Promise<WarmReport>
}
