/** The argument of a loader. */
export interface LoadContext {
  readonly key: string
  /** Aborted when `timeoutMs` has passed. */
  readonly signal: AbortSignal
  /** Marks the value that the loader returns as not to be stored. */
  readonly skip: () => void
}

/**
 * Reads the source of truth. Every waiter gets the value that it returns, or the error that it throws. `undefined` is not stored, as after
 * `skip()`; `null` is stored.
 */
export type Loader<T> = (context: LoadContext) => T | Promise<T>

/** Options of `getOrSet`: of the store, and of the load. */
export interface GetOrSetOptions<T = unknown> {
  /**
   * Seconds that the value is fresh; `0`: do not store. A function gives each value a ttl of its own: `(user) => user === null ? 5 : 300`
   * stores a `null` for a shorter time. It is not called for `undefined`, which is never stored.
   * @default `defaultTtl`
   */
  ttl?: number | ((value: Exclude<T, undefined>) => number) | undefined
  /**
   * The fraction, 0 to 1, that is taken at most off each ttl, at random, so that entries stored together do not end together.
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
   * Milliseconds in which no new load of the key starts after a failed one with a stale value at hand, counted from the failure.
   * @default 1000
   */
  retryAfterMs?: number | undefined
  /**
   * Tags of the entry. A function of the value only together with `coveringTags`.
   * @default none
   */
  tags?: string[] | ((value: Exclude<T, undefined>) => string[]) | undefined
  /**
   * Tags known before the load that cover those of a `tags` function: the app invalidates one of these whenever it invalidates one of those.
   * Without any, an entry with a `tags` function is not stored.
   * @default none
   */
  coveringTags?: string[] | undefined
  /**
   * Milliseconds after which the load fails with `CACHE_ERR_LOAD_TIMEOUT`, and the loader's `signal` is aborted. A caller that joined a load
   * waits no longer than its own limit.
   * @default none: the load is not aborted, and closes its key for 30 s at most
   */
  timeoutMs?: number | undefined
  /**
   * One load per key across all processes, through the lock of the implementation.
   * @default `false`
   */
  lock?: boolean | undefined
  /**
   * Refreshes before the ttl ends, the likelier the nearer the end and the slower the load: the beta of XFetch (Vattani et al., "Optimal
   * Probabilistic Cache Stampede Prevention", VLDB 2015). `1` is the usual value.
   * @default off
   */
  earlyRefresh?: number | undefined
}
