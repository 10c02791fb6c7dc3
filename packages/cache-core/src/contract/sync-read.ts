import type { Result } from './result.js'

/** Reads without a promise: what an implementation that keeps its values in this process may offer. */
export const readNow = Symbol.for('@x/cache-core.readNow')

/** The same for an entry, fresh or stale, whose bytes nobody copies. */
export const shareNow = Symbol.for('@x/cache-core.shareNow')

/** An entry whose value others hold, too: bytes in it are to be copied before anybody else sees them. */
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
