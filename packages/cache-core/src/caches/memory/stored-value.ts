import type { IsolatedByName } from '../../contract/isolation.js'
import { fromRichText } from '../../contract/rich-text.js'
import { isOneByte, ownText } from '../../lib/own-text.js'
import type { Freezer } from './freezer.js'
import { numberBytes, textBytes, typedArrayBytes } from './heap-size.js'
import { AS_IS, BYTES, JSON_TEXT, RICH_TEXT, type NewEntry } from './memory-entry.js'

/** A value in the form in which a `MemoryCache` stores it, and the bytes of that form. */
export type StoredValue = Pick<NewEntry, 'kind' | 'value' | 'bytes'>

/**
 * Returns the stored form of a value, which shares no memory with the value. With a `freezer`, JSON is stored parsed and frozen. A value
 * with rich parts is stored as text in any case, since a frozen Date or Map can be changed by its methods.
 */
export function toStored (isolated: IsolatedByName, freezer: Freezer | undefined): StoredValue {
  switch (isolated.kind) {
    case 'buffer': return { kind: BYTES, value: isolated.value, bytes: typedArrayBytes(isolated.value.byteLength) }
    case 'json': case 'rich': {
      const isNarrow = isOneByte(isolated.text)
      if (freezer === undefined || isolated.kind === 'rich') {
        return { kind: isolated.kind === 'rich' ? RICH_TEXT : JSON_TEXT, value: ownText(isolated.text, isNarrow), bytes: textBytes(isolated.text.length, isNarrow) }
      }
      const value: unknown = JSON.parse(isolated.text)
      return { kind: AS_IS, value, bytes: freezer.freeze(value, isNarrow) }
    }
    case 'plain': {
      const { value } = isolated
      if (typeof value !== 'string') return { kind: AS_IS, value, bytes: typeof value === 'number' ? numberBytes(value) : 0 }
      const isNarrow = isOneByte(value)
      return { kind: AS_IS, value: ownText(value, isNarrow), bytes: textBytes(value.length, isNarrow) }
    }
  }
}

/** Returns the value that a reader receives of a stored form: a copy, unless the value is frozen or is no object. */
export function toRead (kind: NewEntry['kind'], stored: unknown): unknown {
  switch (kind) {
    case JSON_TEXT: return JSON.parse(stored as string)
    case RICH_TEXT: return fromRichText(stored as string)
    case BYTES: return Buffer.from(stored as Uint8Array)
    default: return stored
  }
}
