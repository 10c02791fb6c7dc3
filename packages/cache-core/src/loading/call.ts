import type { CacheError } from '../contract/errors.js'
import type { GetOrSetOptions, Loader, StaleValue } from '../contract/loader.js'
import type { ImplStats } from '../telemetry/counters.js'
import type { Caller } from './caller.js'
import type { LoadBatch } from './load-batch.js'
import type { LoadScope } from './load-scope.js'
import type { LoadTarget } from './load-service.js'

/** One call of `getOrSet` in the cached arm, with the data that its steps need. */
export interface Call<T> {
  readonly target: LoadTarget
  readonly key: string
  readonly loader: Loader<T>
  readonly options: GetOrSetOptions<T>
  /** The request that the call of `getOrSet` is made for; `undefined`: the call is made outside of requests. */
  readonly caller: Caller | undefined
  /** The loader run during whose synchronous part, before its first `await`, this call of `getOrSet` was made; `undefined`: none. */
  readonly entered: LoadScope | undefined
  /**
   * The number of flights that had begun when the call was made. A flight with a higher number began after the call, so its load read all
   * data that had changed before the call.
   */
  readonly since: number
  /** The batch of `getOrSetMany` that this call is a part of; `undefined` for a call of `getOrSet`. */
  readonly batch: LoadBatch<T> | undefined
  /**
   * Whether the cache's store (such as Redis) did not answer an earlier operation of this call. The call then requests no lock and no
   * snapshot of tags, so that its caller waits for one timeout only.
   */
  isStoreAway: boolean
  /** The stored value that this call has read, and that its load will replace; `undefined`: none. */
  stale: StaleValue | undefined
  /**
   * Whether this process changed or removed a value, of any key, while `stale` was read: `stale` may have been removed, so the load reads it
   * again.
   */
  isStaleInDoubt: boolean
}

/** Counts a failure of the named operation, and emits it as an event. */
export type Fail = (stats: ImplStats, operation: string, error: CacheError, key?: string) => void

/**
 * The reply of the cache's store to the question whether a pending load reads the same data as a load that begins now; `unknown`: the store
 * does not reply.
 */
export type Proof = 'current' | 'changed' | 'unknown'
