import { isOneByte } from '../../lib/own-text.js'
import { MapSize, textBytes } from './heap-size.js'
import { isResponse } from '../../contract/response-keys.js'
import { statesBytes, type EntryTags } from './memory-tags.js'
import { SlotTags } from './slot-tags.js'

/** The code of a stored form that a read returns as it is. */
export const AS_IS = 0
/** The code of a stored form that is JSON text, which a read parses. */
export const JSON_TEXT = 1
/** The code of a stored form that is bytes, which a read copies. */
export const BYTES = 2
/** The code of a stored form that is text of the serializer `rich`, which a read parses. The near cache of `@x/cache-redis` has code 3. */
export const RICH_TEXT = 4

/**
 * The sizes of entries in bytes are multiples of this number. So one number per entry can hold its size plus the code of its stored form,
 * which is the remainder of a division by this number.
 */
export const KINDS = 8
/** Bytes that each entry uses in the arrays of entry properties, without the arrays that are made only when they are needed. */
export const SLOT_BYTES = 56
export const OPTIONAL_BYTES = { windows: 8, rooms: 24 }
export const MIN_SLOTS = 4

/** An entry as a `MemoryCache` receives it for storing. */
export interface NewEntry extends EntryTags {
  readonly kind: number
  readonly value: unknown
  /** Bytes of the stored value, a multiple of 8. */
  readonly bytes: number
  readonly storedAt: number
  /** The ttl of the entry in milliseconds. */
  readonly ttl: number
  /** The stale window in milliseconds, which begins at the end of the ttl. */
  readonly window: number
}

/** Returns the bytes of a `MemoryCache` that contains only this entry. */
export function entryBytes (key: string, { bytes, states, version, window }: NewEntry): number {
  const tags = states.length === 0 ? 0 : SlotTags.slotBytesOf(states, version)
  const slot = SLOT_BYTES + tags + (window === 0 ? 0 : OPTIONAL_BYTES.windows) + (isResponse(key) ? OPTIONAL_BYTES.rooms : 0)
  const map = new MapSize()
  map.add()
  return keyBytes(key) + bytes + statesBytes(states) + map.bytes + slot * 2 * MIN_SLOTS
}

/** Returns the bytes that V8 uses for a key. */
export function keyBytes (key: string): number {
  return textBytes(key.length, isOneByte(key))
}
