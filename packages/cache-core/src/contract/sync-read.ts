import type { Result } from './result.js'

/** The name of the method that reads a value without a promise, in an implementation that stores its values in this process. */
export const readNow = Symbol.for('@x/cache-core.readNow')

/** The name of the method that reads an entry, fresh or stale, without a promise and without a copy of its bytes. */
export const shareNow = Symbol.for('@x/cache-core.shareNow')

/** An entry whose value other readers share: bytes in the value must be copied before they are given to the app. */
export interface SharedEntry {
  readonly value: unknown
  readonly fresh: boolean
  /** Seconds since the entry was stored. */
  readonly age: number
}

/** An implementation whose calls have taken effect when they return; their results may still be promises. */
export interface Immediate {
  [readNow]<T> (key: string): Result<T | null>
  [shareNow] (key: string): Result<SharedEntry | null>
}
