import type { CacheError } from './errors.js'

/** The result of a successful cache call, with its value. */
export interface Ok<T> { readonly ok: true; readonly value: T }

/** The result of a call that the cache could not carry out, with the error. */
export interface Err { readonly ok: false; readonly error: CacheError }

/** The result of every cache call: a cache never throws and never rejects. */
export type Result<T> = Ok<T> | Err

/** Returns the result of a successful call with this value; without a value, the result of a successful write. */
export function ok (): Ok<void>
export function ok<T> (value: T): Ok<T>
export function ok (value?: unknown): Ok<unknown> {
  return { ok: true, value }
}

/** Returns the result of a failed call with this error. */
export function err (error: CacheError): Err {
  return { ok: false, error }
}

/** The result of every successful write: one object, to save an allocation per call. */
export const DONE: Ok<void> = Object.freeze({ ok: true, value: undefined })

/** The result of a read that found no entry. */
export const MISS: Ok<null> = Object.freeze({ ok: true, value: null })

const storedNull = Symbol.for('@x/cache-core.storedNull')
// `STORED_NULL` is stored on globalThis, since a process may load two copies of this package.
const shared = globalThis as { [storedNull]?: Ok<null> }

/**
 * The result of a read that found a stored `null`. An implementation returns this object itself from `get`, so that the read counts as a
 * hit.
 */
export const STORED_NULL: Ok<null> = shared[storedNull] ??= Object.freeze({ ok: true, value: null })
