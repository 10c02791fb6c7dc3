import type { CacheError } from '../contract/errors.js'
import type { GetOrSetOptions, Loader } from '../contract/loader.js'
import type { ImplStats } from '../telemetry/counters.js'
import type { Caller } from './caller.js'
import type { LoadScope } from './load-scope.js'
import type { LoadTarget } from './load-service.js'

/** One call of `getOrSet` in the cached arm. */
export interface Call<T> {
  readonly target: LoadTarget
  readonly key: string
  readonly loader: Loader<T>
  readonly options: GetOrSetOptions<T>
  /** The request that the call is made for. */
  readonly caller: Caller | undefined
  /** The loader run in whose synchronous part the call was made. */
  readonly entered: LoadScope | undefined
  /** The number of flights that had begun when the call was made: later flights saw all changes before the call. */
  readonly since: number
  /** The store did not answer, so this call asks it for no lock and no tags: the caller would wait again. */
  isStoreAway: boolean
}

/** Counts and emits a failure. */
export type Fail = (stats: ImplStats, operation: string, error: CacheError) => void

/**
 * The answer of the store whether a pending load would give the same value as a load that begins now; `unknown`: the store does not
 * answer.
 */
export type Proof = 'current' | 'changed' | 'unknown'
