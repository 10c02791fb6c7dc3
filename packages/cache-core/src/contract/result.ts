import type { CacheError } from './errors.js'

/** A call that the cache carried out. */
export interface Ok<T> { readonly ok: true; readonly value: T }

/** A call that the cache could not carry out, and why. */
export interface Err { readonly ok: false; readonly error: CacheError }

/** What every cache call resolves to: a cache never throws and never rejects. */
export type Result<T> = Ok<T> | Err

/** Wraps a value as a success; without a value, the success of a write. */
export function ok (): Ok<void>
export function ok<T> (value: T): Ok<T>
export function ok (value?: unknown): Ok<unknown> {
  return { ok: true, value }
}

/** Wraps a coded error as a failure. */
export function err (error: CacheError): Err {
  return { ok: false, error }
}

/** The one success without a value: spares an allocation for each write. */
export const DONE: Ok<void> = Object.freeze({ ok: true, value: undefined })

/** Nothing is stored under the key. */
export const MISS: Ok<null> = Object.freeze({ ok: true, value: null })

const storedNull = Symbol.for('@x/cache-core.storedNull')
// On globalThis since a process may hold two copies of this package.
const shared = globalThis as { [storedNull]?: Ok<null> }

/**
 * `null` itself is stored under the key: an implementation answers `get` with
 * this very object so that a stored `null` counts as a hit.
 */
export const STORED_NULL: Ok<null> = shared[storedNull] ??= Object.freeze({ ok: true, value: null })
