import { valueInvalid, type CacheError } from './errors.js'

/** A value isolated from the app's object: its JSON text, or the bytes of a Buffer. `read` makes a copy that no other reader refers to. */
export type Isolated =
  | { readonly kind: 'plain'; readonly value: string | number | boolean | null }
  | { readonly kind: 'json'; readonly text: string }
  | { readonly kind: 'buffer'; readonly value: Uint8Array }

/** Isolates a value; returns an error with the reason if no cache can store the value. */
export function isolate (value: unknown): Isolated | { error: CacheError } {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') {
    if (typeof value === 'number' && !Number.isFinite(value)) return { error: valueInvalid(String(value)) }
    return { kind: 'plain', value }
  }
  if (typeof value === 'string') return { kind: 'plain', value }
  let text: string | undefined
  try {
    if (value instanceof Uint8Array) return { kind: 'buffer', value: new Uint8Array(value) }
    text = JSON.stringify(value)
  } catch (cause) {
    return { error: valueInvalid('what cannot be serialised', { cause }) }
  }
  if (text === undefined) return { error: valueInvalid(typeof value) }
  return { kind: 'json', text }
}

/** Makes a copy of an isolated value. Bytes are returned as a Buffer. */
export function read (isolated: Isolated): unknown {
  switch (isolated.kind) {
    case 'plain': return isolated.value
    case 'json': return JSON.parse(isolated.text)
    case 'buffer': return Buffer.from(isolated.value)
  }
}

/** Returns a copy of a value that no other caller refers to; the value itself if no cache can store it. */
export function copyOf (value: unknown): unknown {
  const isolated = isolate(value)
  return 'error' in isolated ? value : read(isolated)
}
