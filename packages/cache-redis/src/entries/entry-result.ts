import type { Entry, Result } from '@x/cache-core'
import { MAX_TTL, MISS, ok, STORED_NULL } from '@x/cache-core/implementing'
import type { Decoded } from './codec.js'
import type { FoundEntry } from './entry-store.js'

/** The result of `get`: the value of a fresh entry, or a miss. */
export function toValueResult<T> (found: FoundEntry | null): Result<T | null> {
  if (found === null || found.isStale) return MISS
  const { value } = found.decoded
  return value === null ? STORED_NULL : ok(value as T)
}

/** The result of `getEntry`: the entry, fresh or stale, or a miss. */
export function toEntryResult<T> (found: FoundEntry | null): Result<Entry<T> | null> {
  return found === null ? MISS : ok(toEntry<T>(found))
}

/** The longest lifetime of an entry in milliseconds, stale window included; another program may have extended the expiry of its key. */
export function longestMs ({ ttlMs, windowMs }: Pick<Decoded, 'ttlMs' | 'windowMs'>): number {
  return ttlMs === undefined ? MAX_TTL * 1000 : ttlMs + windowMs
}

/** The age of an entry in seconds. Without the ttl of the store, as in plain JSON, the age is not known. */
export function ageOf (ttlMs: number | undefined, ttlLeft: number): number {
  return ttlMs === undefined ? NaN : Math.max(0, ttlMs / 1000 - ttlLeft)
}

function toEntry<T> ({ decoded, isStale, leftMs }: FoundEntry): Entry<T> {
  const longest = longestMs(decoded)
  const staleLeft = leftMs === undefined ? Infinity : (leftMs < 0 ? longest : Math.min(leftMs, longest)) / 1000
  const ttlLeft = staleLeft - decoded.windowMs / 1000
  return {
    value: decoded.value as T,
    fresh: !isStale,
    age: ageOf(decoded.ttlMs, ttlLeft),
    ttlLeft: isStale ? Math.min(ttlLeft, 0) : ttlLeft,
    staleLeft,
    tags: decoded.tags.map(({ tag }) => tag)
  }
}
