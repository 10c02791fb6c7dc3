/** The stored value that a load will replace. */
export interface StaleValue<T = any> {
  /** The stored value, as a copy that no other code refers to. */
  readonly value: T
  /** Seconds since the value was stored; `NaN` if the implementation does not record the time. */
  readonly age: number
}

/** The argument of a loader. */
export interface LoadContext<T = any> {
  readonly key: string
  /** The abort signal of the load, aborted when `timeoutMs` has passed. */
  readonly signal: AbortSignal
  /** Marks the value that the loader returns as not to be stored. */
  readonly skip: () => void
  /**
   * The stored value, which is stale or expires soon; `undefined`: there is none. It is only given to a load with a stale window or
   * `earlyRefresh`. The loader may ask its source whether the value is still current.
   */
  readonly stale: StaleValue<T> | undefined
  /**
   * Returns the value of `stale`, for the loader to return: the value is stored again, with a new lifetime. The declared return type is
   * `never`, so that `return unchanged()` does not change the inferred return type of the loader.
   * @throws `CACHE_ERR_NOTHING_STALE` if `stale` is `undefined`
   */
  readonly unchanged: () => never
}

/**
 * The app's function that reads a value from its source. Every waiter gets the value that it returns, or the error that it throws.
 * `undefined` is not stored, and neither is a value after `skip()`; `null` is stored.
 */
export type Loader<T> = (context: LoadContext) => T | Promise<T>

/** The values of one load for several keys: by key, or one for each key in the order of the keys. A key without a value is not stored. */
export type LoadedMany<T> = ReadonlyMap<string, T> | readonly (T | undefined)[]

/** The second argument of the loader that `getOrSetMany` calls. */
export interface LoadManyContext {
  /** The abort signal of the load, aborted when `timeoutMs` has passed. */
  readonly signal: AbortSignal
  /** Marks the value of a key as not to be stored. */
  readonly skip: (key: string) => void
}

/**
 * The app's function that reads the values of several keys from their source at once. If it throws, or the promise rejects, the load of
 * each of the keys has failed.
 */
export type ManyLoader<T> = (keys: string[], context: LoadManyContext) => LoadedMany<T> | Promise<LoadedMany<T>>

/** Options of `getOrSet`, for the load and for the store of its value. */
export interface GetOrSetOptions<T = unknown> {
  /**
   * Seconds that the value is fresh; `0`: do not store. A function gives each value a ttl of its own: `(user) => user === null ? 5 : 300`
   * stores a `null` for a shorter time. The function is not called for `undefined`, which is never stored.
   * @default `defaultTtl`
   */
  ttl?: number | ((value: Exclude<T, undefined>) => number) | undefined
  /**
   * The maximum fraction, 0 to 1, by which each ttl is shortened at random, so that entries stored together do not end together.
   * @default 0
   */
  jitter?: number | undefined
  /**
   * Seconds after the ttl in which the stale value is served at once, while one load refreshes it.
   * @default 0
   */
  staleWhileRevalidate?: number | undefined
  /**
   * Seconds after the ttl in which the stale value is served if loading fails. Both windows begin where the ttl ends.
   * @default 0
   */
  staleIfError?: number | undefined
  /**
   * Milliseconds after which a caller that waits for a load gets the stale value, if it is within `staleIfError`. The load continues, and
   * its value is stored. Without such a value the caller waits.
   * @default off
   */
  softTimeoutMs?: number | undefined
  /**
   * Milliseconds after a failed load in which no new load of the key starts, if a stale value can be served.
   * @default 1000
   */
  retryAfterMs?: number | undefined
  /**
   * Tags of the entry. A function of the value needs `coveringTags` as well.
   * @default none
   */
  tags?: string[] | ((value: Exclude<T, undefined>) => string[]) | undefined
  /**
   * Tags known before the load, which cover the tags of a `tags` function: the app invalidates a covering tag whenever it invalidates a
   * tag that it covers. Without covering tags, an entry with a `tags` function is not stored.
   * @default none
   */
  coveringTags?: string[] | undefined
  /**
   * Milliseconds after which the load fails with `CACHE_ERR_LOAD_TIMEOUT`, and the loader's `signal` is aborted. A caller that joined a
   * load waits no longer than its own limit.
   * @default none: the load is not aborted; after 30 s the next caller begins another load
   */
  timeoutMs?: number | undefined
  /**
   * Whether only one process at a time loads the key, by the lock of the implementation.
   * @default `false`
   */
  lock?: boolean | undefined
  /**
   * Refreshes the entry before its ttl ends; the chance grows towards the end of the ttl and with the duration of a load. The number is the
   * beta of XFetch (Vattani et al., "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015); `1` is the usual value.
   * @default off
   */
  earlyRefresh?: number | undefined
}
