import { MAX_TTL } from '@x/cache-core/implementing'
import type { Decoded, DecodedPayload } from './codec.js'
import type { Place } from './validity.js'

/** An entry in Redis or the near cache that may be served. `leftMs`: the reply of PTTL; `undefined`: PTTL was not sent. */
export interface FoundEntry { readonly decoded: Decoded; readonly isStale: boolean; readonly leftMs: number | undefined }

/** An entry that was read from Redis and may be served. */
export interface StoredEntry extends FoundEntry { readonly decoded: DecodedPayload; readonly place: Place }

/**
 * The longest lifetime of an entry in milliseconds, stale window included; foreign software may have extended the expiry of the Redis key
 * beyond it.
 */
export function longestMs ({ ttlMs, windowMs }: Pick<Decoded, 'ttlMs' | 'windowMs'>): number {
  return ttlMs === undefined ? MAX_TTL * 1000 : ttlMs + windowMs
}

/** Returns the age of an entry in seconds; `NaN` if the entry has no stored ttl, as is the case for plain JSON. */
export function ageOf (ttlMs: number | undefined, ttlLeft: number): number {
  return ttlMs === undefined ? NaN : Math.max(0, ttlMs / 1000 - ttlLeft)
}
