import { valueInvalid, type CacheError } from './errors.js'
import { fromRichText, toRichText } from './rich-text.js'

/** The name of a serializer: `json`, or `rich`, which also has dates, maps, sets, BigInts, typed arrays and further values. */
export type SerializerName = 'json' | 'rich'

/**
 * A value isolated from the app's object: its JSON text, its text with rich parts, or the bytes of a Buffer. `read` makes a copy that no
 * other reader refers to.
 */
export type Isolated =
  | { readonly kind: 'plain'; readonly value: string | number | boolean | null }
  | { readonly kind: 'json'; readonly text: string }
  | { readonly kind: 'rich'; readonly text: string }
  | { readonly kind: 'buffer'; readonly value: Uint8Array }

/** Isolates a value; returns an error with the reason if no cache can store the value. */
export function isolate (value: unknown, serializer: SerializerName = 'json'): Isolated | { error: CacheError } {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return { kind: 'plain', value }
  if (typeof value === 'number' && Number.isFinite(value) && !(serializer === 'rich' && Object.is(value, -0))) return { kind: 'plain', value }
  if (typeof value === 'number' && serializer === 'json') return { error: valueInvalid(String(value)) }
  if (value === undefined) return { error: valueInvalid('undefined') }
  try {
    if (value instanceof Uint8Array) return { kind: 'buffer', value: new Uint8Array(value) }
    if (serializer === 'rich') {
      const { text, isRich } = toRichText(value)
      return { kind: isRich ? 'rich' : 'json', text }
    }
    const text = JSON.stringify(value) as string | undefined
    return text === undefined ? { error: valueInvalid(typeof value) } : { kind: 'json', text }
  } catch (cause) {
    return { error: valueInvalid('what cannot be serialised', { cause }) }
  }
}

/** Makes a copy of an isolated value. Bytes are returned as a Buffer. */
export function read (isolated: Isolated): unknown {
  switch (isolated.kind) {
    case 'plain': return isolated.value
    case 'json': return JSON.parse(isolated.text)
    case 'rich': return fromRichText(isolated.text)
    case 'buffer': return Buffer.from(isolated.value)
  }
}

/** Returns a copy of a value that shares no object with it; the value itself if no cache can store it. */
export function copyOf (value: unknown, serializer: SerializerName = 'json'): unknown {
  const isolated = isolate(value, serializer)
  return 'error' in isolated ? value : read(isolated)
}
