import type { SerializerName } from '@x/cache-core'
import { isWithinBytes, toRichText } from '@x/cache-core/suite'
import { crc32 } from 'node:zlib'

/** The default maximum size of a value that gets a fingerprint, in bytes. */
const MAX_BYTES = 1 << 20

/** The fingerprint of a value: two values with different fingerprints differ. */
export interface Fingerprint {
  /** The CRC-32 of the value, 0 to 2³² − 1. Two different values have the same hash with a probability of 2⁻³². */
  readonly hash: number
  /** The size of the value: UTF-8 bytes of its JSON text or string, or its number of bytes. */
  readonly bytes: number
}

// The initial value of the CRC for each type of value. The text '1' and the number 1 therefore have different hashes.
const JSON_TEXT = 0
const STRING = 1
const BYTES = 2

/**
 * Computes the fingerprint of a string, of the bytes of a `Buffer` or `Uint8Array`, or else of a value's JSON text, in the order of its
 * members. Three cases give `undefined`. First, the value has no JSON text (a cycle, a BigInt, `undefined`, a function, a `toJSON` that
 * throws). Second, JSON changes the value (a `Map`, a `Set`, bytes inside an object). Third, the value is larger than `maxBytes`. Never
 * throws. A value that is too large is not serialised, unless its `toJSON` makes it large.
 * @param serializer with `rich`, values that JSON changes also have a fingerprint
 */
export function fingerprint (value: unknown, maxBytes = MAX_BYTES, serializer: SerializerName = 'json'): Fingerprint | undefined {
  try {
    if (typeof value === 'string') return ofText(value, STRING, maxBytes)
    if (value instanceof Uint8Array) {
      const bytes = value.byteLength
      return bytes > maxBytes ? undefined : { hash: crc32(value, BYTES), bytes }
    }
    const isRich = serializer === 'rich'
    if (!isWithinBytes(value, maxBytes, isRich)) return undefined
    const text = isRich ? toRichText(value).text : JSON.stringify(value) as string | undefined
    return text === undefined ? undefined : ofText(text, JSON_TEXT, maxBytes)
  } catch {
    return undefined
  }
}

function ofText (text: string, start: number, maxBytes: number): Fingerprint | undefined {
  // A text has at least as many UTF-8 bytes as UTF-16 units. A text with too many units can therefore be refused without counting its
  // bytes.
  if (text.length > maxBytes) return undefined
  const bytes = Buffer.byteLength(text)
  return bytes > maxBytes ? undefined : { hash: crc32(text, start), bytes }
}
