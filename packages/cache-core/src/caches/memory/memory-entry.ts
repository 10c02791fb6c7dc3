import { isOneByte } from '../../lib/own-text.js'
import { MapSize, textBytes } from './heap-size.js'
import { isResponse } from '../../contract/response-keys.js'
import { statesBytes, type EntryTags } from './memory-tags.js'

/** The form of a stored value that is read as it is. */
export const AS_IS = 0
/** The form of a stored value that is read by parsing its JSON text. */
export const JSON_TEXT = 1
/** The form of a stored value that is read by copying its bytes. */
export const BYTES = 2

/** Bytes of a value are rounded up to a multiple of this number, so that the remainder can hold the form of the value. */
export const KINDS = 8
/** Bytes per slot in the lists of a table, without the lists that are made only when they are needed. */
export const SLOT_BYTES = 56
export const OPTIONAL_BYTES = { tags: 16, windows: 8, room: 16 }
export const MIN_SLOTS = 4

/** An entry to be stored. */
export interface NewEntry extends EntryTags {
  readonly kind: number
  readonly value: unknown
  /** Bytes of the value, a multiple of 8. */
  readonly bytes: number
  readonly storedAt: number
  /** The ttl in milliseconds. */
  readonly ttl: number
  /** The stale window in milliseconds, which begins at the end of the ttl. */
  readonly window: number
}

/** Returns the bytes of a cache that contains only this entry. */
export function entryBytes (key: string, { bytes, states, window }: NewEntry): number {
  const slot = SLOT_BYTES + (states.length === 0 ? 0 : OPTIONAL_BYTES.tags) + (window === 0 ? 0 : OPTIONAL_BYTES.windows) +
    (isResponse(key) ? OPTIONAL_BYTES.room : 0)
  const map = new MapSize()
  map.add()
  return keyBytes(key) + bytes + statesBytes(states) + map.bytes + slot * 2 * MIN_SLOTS
}

/** Returns the bytes of a key on the heap. */
export function keyBytes (key: string): number {
  return textBytes(key.length, isOneByte(key))
}
