import type { Result } from './result.js'

/** The method that reads a value without a promise, of an implementation that stores its values in this process. */
export const readNow = Symbol.for('@x/cache-core.readNow')

/** The method that reads an entry, fresh or stale, without a promise and without a copy of its bytes. */
export const shareNow = Symbol.for('@x/cache-core.shareNow')

/** An entry whose value other readers hold, too: bytes in it must be copied before they are handed on. */
export interface SharedEntry {
  readonly value: unknown
  readonly fresh: boolean
  /** Seconds since it was stored. */
  readonly age: number
}

/** An implementation whose calls have taken effect by the time they return; it may still answer with a promise. */
export interface Immediate {
  [readNow]<T> (key: string): Result<T | null>
  [shareNow] (key: string): Result<SharedEntry | null>
}
