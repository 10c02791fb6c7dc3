import type { Entry, Result } from '@x/cache-core'
import { MISS, ok, STORED_NULL } from '@x/cache-core/implementing'
import { ageOf, longestMs, type FoundEntry } from './found-entry.js'

/** The result of `get` for an entry found in Redis: the value of a fresh entry, or a miss. */
export function toValueResult<T> (found: FoundEntry | null): Result<T | null> {
  if (found === null || found.isStale) return MISS
  const { value } = found.decoded
  return value === null ? STORED_NULL : ok(value as T)
}

/** The result of `getEntry` for an entry found in Redis: the entry, fresh or stale, or a miss. */
export function toEntryResult<T> (found: FoundEntry | null): Result<Entry<T> | null> {
  return found === null ? MISS : ok(toEntry<T>(found))
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
