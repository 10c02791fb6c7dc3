import type { Entry, Result } from '@x/cache-core'
import { MAX_TTL, MISS, ok, STORED_NULL } from '@x/cache-core/implementing'
import type { Found } from './entry-store.js'

/** The result of `get`: the value of a fresh entry, or a miss. */
export function toValueResult<T> (found: Found | null): Result<T | null> {
  if (found === null || found.isStale) return MISS
  const { value } = found.decoded
  return value === null ? STORED_NULL : ok(value as T)
}

/** The result of `getEntry`: the entry, fresh or stale, or a miss. */
export function toEntryResult<T> (found: Found | null): Result<Entry<T> | null> {
  return found === null ? MISS : ok(toEntry<T>(found))
}

function toEntry<T> ({ decoded, isStale, leftMs }: Found): Entry<T> {
  // Another program may have set a longer expiry than the entry was stored with, or removed it.
  const longestMs = decoded.ttlMs === undefined ? MAX_TTL * 1000 : decoded.ttlMs + decoded.windowMs
  const staleLeft = leftMs === undefined ? Infinity : (leftMs < 0 ? longestMs : Math.min(leftMs, longestMs)) / 1000
  const ttlLeft = staleLeft - decoded.windowMs / 1000
  return {
    value: decoded.value as T,
    fresh: !isStale,
    // Plain JSON does not contain the time of the store.
    age: decoded.ttlMs === undefined ? NaN : Math.max(0, decoded.ttlMs / 1000 - ttlLeft),
    ttlLeft: isStale ? Math.min(ttlLeft, 0) : ttlLeft,
    staleLeft,
    tags: decoded.tags.map(({ tag }) => tag)
  }
}
