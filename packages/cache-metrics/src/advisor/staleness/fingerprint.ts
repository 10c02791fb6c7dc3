import { crc32 } from 'node:zlib'

/** The default limit of a value, in bytes; larger values have no fingerprint. */
const MAX_BYTES = 1 << 20

/** The fingerprint of a value: two values with different fingerprints differ. */
export interface Fingerprint {
  /** CRC-32, 0 to 2³² − 1. Two values that differ have the same one by chance once in 2³². */
  readonly hash: number
  /** UTF-8 bytes of the JSON text or of the string, or the length of the bytes. */
  readonly bytes: number
}

// Where a CRC starts, so that the text '1' and the number 1 are two values.
const JSON_TEXT = 0
const STRING = 1
const BYTES = 2

/**
 * Computes the fingerprint of a string, of the bytes of a `Buffer` or `Uint8Array`, or else of a value's JSON text, in the order of its keys.
 * `undefined`: JSON has no text for it (a cycle, a BigInt, `undefined`, a function, a `toJSON` that throws), JSON would make
 * something else of it (a `Map`, a `Set`, bytes within), or it is larger than `maxBytes`. Never throws; what is too large is not
 * written out to see that, unless a `toJSON` makes it so.
 */
export function fingerprint (value: unknown, maxBytes = MAX_BYTES): Fingerprint | undefined {
  try {
    if (typeof value === 'string') return ofText(value, STRING, maxBytes)
    if (value instanceof Uint8Array) {
      const bytes = value.byteLength
      return bytes > maxBytes ? undefined : { hash: crc32(value, BYTES), bytes }
    }
    if (!isWithin(value, maxBytes)) return undefined
    const text = JSON.stringify(value) as string | undefined
    return text === undefined ? undefined : ofText(text, JSON_TEXT, maxBytes)
  } catch {
    return undefined
  }
}

/** Whether the JSON text of a value is not longer for certain, looking at no more of it than that. */
function isWithin (value: unknown, maxBytes: number): boolean {
  let left = maxBytes
  const open: unknown[] = [value]
  while (open.length > 0) {
    const part = open.pop()
    // A bracket, a comma, a digit.
    left--
    if (typeof part === 'string') left -= part.length
    else if (typeof part === 'object' && part !== null) {
      if (ArrayBuffer.isView(part) || part instanceof Map || part instanceof Set) return false
      const parts = Array.isArray(part) ? part : Object.values(part)
      // So that an array of millions is not walked.
      if (parts.length > left) return false
      for (const each of parts) open.push(each)
    }
    if (left < 0) return false
  }
  return true
}

function ofText (text: string, start: number, maxBytes: number): Fingerprint | undefined {
  // No text has fewer bytes than characters.
  if (text.length > maxBytes) return undefined
  const bytes = Buffer.byteLength(text)
  return bytes > maxBytes ? undefined : { hash: crc32(text, start), bytes }
}
