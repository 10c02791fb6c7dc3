import { valueInvalid, type CacheError } from './errors.js'
import { fromRichText, toRichText } from './rich-text.js'

/** The name of a serializer: `json`, or `rich`, which also has dates, maps, sets, BigInts, typed arrays and further values. */
export type SerializerName = 'json' | 'rich'

/** Converts values to text or bytes, and back; neither method may return a promise. */
export interface Serializer {
  serialize (value: unknown): string | Uint8Array
  /** Converts stored bytes to a value, never `undefined`; throws if the bytes cannot be read as a value. */
  deserialize (bytes: Buffer): unknown
}

/**
 * The name of the property in which an implementation has, or names, a serializer of its own; without this property, the registry's
 * serializer converts the values.
 */
export const serializedBy = Symbol.for('@x/cache-core.serializedBy')

/** An implementation that has a serializer of its own: callers that share a load get copies that this serializer makes. */
export interface Serializes { readonly [serializedBy]: SerializerName | Serializer | undefined }

/**
 * A value isolated from the app's object: its JSON text, its text with rich parts, the bytes of a Buffer, or the bytes that the app's own
 * serializer made. `read` makes a copy that no other reader refers to.
 */
export type Isolated = IsolatedByName | { readonly kind: 'own'; readonly value: Uint8Array; readonly serializer: Serializer }

/** A value that a serializer of the suite has isolated. */
export type IsolatedByName =
  | { readonly kind: 'plain'; readonly value: string | number | boolean | null }
  | { readonly kind: 'json'; readonly text: string }
  | { readonly kind: 'rich'; readonly text: string }
  | { readonly kind: 'buffer'; readonly value: Uint8Array }

/** Isolates a value; returns an error with the reason if no cache can store the value. */
export function isolate (value: unknown, serializer?: SerializerName): IsolatedByName | { error: CacheError }
export function isolate (value: unknown, serializer?: SerializerName | Serializer): Isolated | { error: CacheError }
export function isolate (value: unknown, serializer: SerializerName | Serializer = 'json'): Isolated | { error: CacheError } {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return { kind: 'plain', value }
  if (typeof value === 'number' && Number.isFinite(value) && !(serializer !== 'json' && Object.is(value, -0))) return { kind: 'plain', value }
  if (typeof value === 'number' && serializer === 'json') return { error: valueInvalid(String(value)) }
  if (value === undefined) return { error: valueInvalid('undefined') }
  try {
    if (value instanceof Uint8Array) return { kind: 'buffer', value: new Uint8Array(value) }
    if (typeof serializer === 'object') return byOwn(value, serializer)
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

function byOwn (value: unknown, serializer: Serializer): Isolated {
  const stored = serializer.serialize(value)
  return { kind: 'own', value: typeof stored === 'string' ? Buffer.from(stored) : new Uint8Array(stored), serializer }
}

/** Makes a copy of an isolated value. Bytes are returned as a Buffer. Throws if the app's own serializer does. */
export function read (isolated: Isolated): unknown {
  switch (isolated.kind) {
    case 'plain': return isolated.value
    case 'json': return JSON.parse(isolated.text)
    case 'rich': return fromRichText(isolated.text)
    case 'buffer': return Buffer.from(isolated.value)
    // The serializer gets a copy of the bytes, since it may return parts of the bytes that it gets.
    case 'own': return isolated.serializer.deserialize(Buffer.from(isolated.value))
  }
}

/** Returns a copy of a value that shares no object with it; the value itself if no cache can store it. */
export function copyOf (value: unknown, serializer: SerializerName | Serializer = 'json'): unknown {
  const isolated = isolate(value, serializer)
  return 'error' in isolated ? value : readOr(value, isolated)
}

/**
 * Makes a copy of an isolated value; returns `original` if the app's own serializer cannot read what it wrote. Such an entry is a miss and
 * an error when the cache reads it, so the failure is reported there.
 */
export function readOr<T> (original: T, isolated: Isolated): T {
  try {
    return read(isolated) as T
  } catch {
    return original
  }
}
