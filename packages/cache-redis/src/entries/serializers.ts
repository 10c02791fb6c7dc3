import type { SerializerName } from '@x/cache-core'
import type { Serializer } from '@x/cache-core/implementing'
import { fromRichText, guardedSerializer, toRichText } from '@x/cache-core/suite'

export type { Serializer }

/**
 * The first character of a text of `richSerializer` without rich parts: a blank, which JSON allows and `JSON.stringify` never writes at
 * that place.
 */
const PLAIN = ' '
const PLAIN_BYTE = PLAIN.charCodeAt(0)
/**
 * The beginning of a text with rich parts. The mark `~` is not JSON, so the JSON serializer refuses the text; the digit is the version of
 * the form.
 */
const RICH = '~1'

/** A codec that writes JSON: `serialize` throws for values without a JSON text, such as `undefined` and functions. */
export const jsonSerializer: Serializer = {
  serialize (value) {
    const text = JSON.stringify(value)
    if (text === undefined) throw new TypeError(`JSON has no form for ${typeof value}`)
    return text
  },
  deserialize: (bytes) => JSON.parse(bytes.toString())
}

/**
 * The serializer `'rich'`: JSON with dates, maps, sets, BigInts, typed arrays and further values. It refuses the texts of the JSON
 * serializer, which may have a text in place of a Date. The JSON serializer reads texts of the rich serializer that have no rich parts, and
 * refuses the others.
 */
export const richSerializer: Serializer = {
  serialize (value) {
    const { text, isRich } = toRichText(value)
    return (isRich ? RICH : PLAIN) + text
  },
  deserialize (bytes) {
    if (bytes[0] === PLAIN_BYTE) return JSON.parse(bytes.toString())
    if (bytes.toString('latin1', 0, RICH.length) === RICH) return fromRichText(bytes.toString('utf8', RICH.length))
    throw new TypeError('the value was stored by another serializer, or by another version of this one')
  }
}

/** Returns the name of a serializer of the suite, whichever way the app gave it; the app's own serializer as it is. */
export function nameOf (given: Serializer | SerializerName | undefined): Serializer | SerializerName {
  if (given === undefined || given === jsonSerializer) return 'json'
  return given === richSerializer ? 'rich' : given
}

/** Returns the serializer that an option names, or the guarded serializer of the app. */
export function serializerOf (given: Serializer | SerializerName | undefined): Serializer {
  const own = nameOf(given)
  if (typeof own === 'object') return guardedSerializer(own)
  return own === 'rich' ? richSerializer : jsonSerializer
}

/** Whether the texts of a serializer can be stored without a frame: no text begins with the first byte of a frame. */
export function isTextual (serializer: Serializer): boolean {
  return serializer === jsonSerializer || serializer === richSerializer
}

/** Whether a payload of a serializer is JSON text. */
export function isJsonText (serializer: Serializer, payload: Uint8Array): boolean {
  return serializer === jsonSerializer || (serializer === richSerializer && payload[0] === PLAIN_BYTE)
}
