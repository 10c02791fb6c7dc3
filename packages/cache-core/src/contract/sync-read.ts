import type { Result } from './result.js'

/** The name of the method that reads a value without a promise, in an implementation that stores its values in this process. */
export const readNow = Symbol.for('@x/cache-core.readNow')

/** The name of the method that reads an entry, fresh or stale, without a promise and without a copy of its bytes. */
export const shareNow = Symbol.for('@x/cache-core.shareNow')

/**
 * The name of the method of `fastify.cache` that gives an entry to the caller without a promise, and counts the read only if the caller
 * used the entry.
 */
export const useNow = Symbol.for('@x/cache-core.useNow')

/** The caller of a cache read that gets the entry before the read is counted, and decides whether to use the entry. */
export interface EntryUser {
  /** Receives the entry, and returns whether the caller uses it: an entry that is not used is not counted as read. */
  use (entry: SharedEntry): boolean
}

/** An entry whose value other readers share: bytes in the value must be copied before they are given to the app. */
export interface SharedEntry {
  readonly value: unknown
  readonly fresh: boolean
  /** Seconds since the entry was stored; `NaN` if they are not known. */
  readonly age: number
}

/**
 * The name of the method that reads a value without a promise, in an implementation that holds copies of some entries in this process. The
 * method returns `undefined` if it has no copy to serve: read asynchronously then.
 */
export const readNear = Symbol.for('@x/cache-core.readNear')

/**
 * The name of the method that reads an entry, fresh or stale, from the near cache, without a promise and without copying its bytes. The
 * method returns `undefined` if there is no copy to serve.
 */
export const shareNear = Symbol.for('@x/cache-core.shareNear')

/**
 * The name of the method by which the caller of `shareNear` gives an entry back that it did not use, so that the near cache does not count
 * the read: the caller reads the key again, on another path. Call it in the turn of the event loop in which `shareNear` was called.
 */
export const declineNear = Symbol.for('@x/cache-core.declineNear')

/** An implementation that holds copies of some of its entries in this process. */
export interface NearReads {
  [readNear]<T> (key: string): Result<T | null> | undefined
  [shareNear] (key: string): Result<SharedEntry | null> | undefined
  /** Absent: the implementation counts no reads of its copies. */
  [declineNear]? (): void
}

/** An implementation whose calls have taken effect when they return; their results may still be promises. */
export interface Immediate {
  [readNow]<T> (key: string): Result<T | null>
  [shareNow] (key: string): Result<SharedEntry | null>
}
