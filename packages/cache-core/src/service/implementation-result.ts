import type { Cache, ImplementationStatus } from '../contract/cache.js'
import { implementationFailed, isCacheError, type CacheError } from '../contract/errors.js'
import { DONE, err, MISS, STORED_NULL, type Err, type Ok, type Result } from '../contract/result.js'
import { isPromise } from '../lib/harmless.js'

/**
 * The stored form of `null` in an implementation without `getEntry`, whose `null` is a miss. Every read turns this text back into `null`.
 */
export const NULL_MARKER = '\u0000@x/cache-core:null'

/**
 * Returns the value that an implementation stores in place of a value: if the implementation has no `getEntry`, `NULL_MARKER` stands for
 * `null`.
 */
export function toMarked ({ getEntry }: Pick<Cache, 'getEntry'>, value: unknown): unknown {
  return value === null && getEntry === undefined ? NULL_MARKER : value
}

/** Returns the result of a read by an implementation; a result whose value is `undefined` is a miss. */
export function toRead<T> (operation: string, answer: unknown): Result<T | null> {
  const result = toResult<T | null>(operation, answer)
  if (!result.ok) return result
  if (result.value === undefined) return MISS
  return result.value === NULL_MARKER ? STORED_NULL : result
}

/** Returns what a method of an implementation returned if it is a `Result`; otherwise the result is an error that names the operation. */
export function toResult<T> (operation: string, result: unknown): Result<T> {
  if (typeof result === 'object' && result !== null) {
    const { ok: isOk, error } = result as Partial<Ok<T> & Err>
    if (isOk === true) return 'value' in result ? result as Ok<T> : DONE as Ok<T>
    if (isOk === false && isCacheError(error)) return result as Err
    if (isOk === false) return err(implementationFailed(operation, 'failed', { cause: error }))
  }
  return err(implementationFailed(operation, 'answered with something that is no Result'))
}

/** Returns the status that an implementation reports, empty if it has no method `status`; an error if that method fails. */
export function toStatus (impl: Cache): ImplementationStatus | CacheError {
  try {
    const status: unknown = impl.status?.() ?? {}
    if (typeof status === 'object' && !isPromise(status)) return status as ImplementationStatus
    return implementationFailed('status', 'answered with something that is no status')
  } catch (cause) {
    return implementationFailed('status', 'threw', { cause })
  }
}
