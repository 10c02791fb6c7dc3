import type { Entry, Result } from '@x/cache-core'
import { MAX_TTL, MISS, ok, STORED_NULL } from '@x/cache-core/implementing'
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

function toEntry<T> ({ decoded, isStale, leftMs }: FoundEntry): Entry<T> {
  // The time left is at most the ttl of the entry: another program may have extended or removed the expiry of its key.
  const longestMs = decoded.ttlMs === undefined ? MAX_TTL * 1000 : decoded.ttlMs + decoded.windowMs
  const staleLeft = leftMs === undefined ? Infinity : (leftMs < 0 ? longestMs : Math.min(leftMs, longestMs)) / 1000
  const ttlLeft = staleLeft - decoded.windowMs / 1000
  return {
    value: decoded.value as T,
    fresh: !isStale,
    // Without the ttl of the store, as in plain JSON, the age is not known.
    age: decoded.ttlMs === undefined ? NaN : Math.max(0, decoded.ttlMs / 1000 - ttlLeft),
    ttlLeft: isStale ? Math.min(ttlLeft, 0) : ttlLeft,
    staleLeft,
    tags: decoded.tags.map(({ tag }) => tag)
  }
}
