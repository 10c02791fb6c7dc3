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
  /**
   * After a failed load with a stale value at hand no new load starts for so long.
   * @default 1000
   */
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
