import { crc32 } from 'node:zlib'
import { copyOf, isolate, read, type IsolatedByName, type Serializer, type SerializerName } from '../../contract/isolation.js'
import { isWithinBytes } from '../../lib/within-bytes.js'

/** The largest value that shadow reads compare, in characters of its JSON text or in bytes. */
export const MAX_VALUE_BYTES = 256 * 1024

/** The form of a value as a reader would get it after it was stored: JSON, text with rich parts, or bytes. */
export type Form = IsolatedByName

/**
 * Returns the stored form of a value; `too large` if it exceeds `MAX_VALUE_BYTES`, or if it has parts such as a `Map` that JSON changes and
 * `serializer` is `json`; `none` if no cache can store the value, or if its getter or proxy throws.
 */
export function formOf (value: unknown, serializer: SerializerName | Serializer): Form | 'too large' | 'none' {
  try {
    return measuredForm(value, serializer)
  } catch {
    // An error that the app's value throws when it is read must not fail its load; the caller counts the value as not comparable.
    return 'none'
  }
}

function measuredForm (value: unknown, serializer: SerializerName | Serializer): Form | 'too large' | 'none' {
  if (typeof value === 'string' ? value.length > MAX_VALUE_BYTES : value instanceof Uint8Array && value.byteLength > MAX_VALUE_BYTES) return 'too large'
  if (typeof value === 'object' && !(value instanceof Uint8Array) && !isWithinBytes(value, MAX_VALUE_BYTES, serializer !== 'json')) return 'too large'
  // A value that has passed the app's own serializer is compared as a rich value, since its bytes may differ for equal values.
  const isolated = typeof serializer === 'object' ? isolate(copyOf(value, serializer), 'rich') : isolate(value, serializer)
  if ('error' in isolated) return 'none'
  // The size is checked again, since a `toJSON` may have made the value larger.
  return sizeOf(isolated) > MAX_VALUE_BYTES ? 'too large' : isolated
}

/** The size of a value's stored form: characters of JSON text, or bytes. */
export function sizeOf (form: Form): number {
  if (form.kind === 'json' || form.kind === 'rich') return form.text.length
  if (form.kind === 'buffer') return form.value.byteLength
  return typeof form.value === 'string' ? form.value.length : 8
}

/** Whether the stored forms of two values are the same, member for member in the same order. */
export function isSame (one: Form, other: Form): boolean {
  if (one.kind === 'json' || one.kind === 'rich') return other.kind === one.kind && one.text === other.text
  if (one.kind === 'buffer') return other.kind === 'buffer' && Buffer.compare(one.value, other.value) === 0
  return other.kind === 'plain' && one.value === other.value
}

/**
 * A fingerprint of a value's stored form: two forms with different fingerprints differ; two different forms share one with a probability
 * of 2⁻³².
 */
export function printOf (form: Form): string {
  const content = form.kind === 'json' || form.kind === 'rich' ? form.text : form.kind === 'buffer' ? form.value : String(form.value)
  return `${form.kind}${typeof (form as { value?: unknown }).value} ${sizeOf(form)} ${crc32(content)}`
}

/**
 * Returns a stored form as a value that `differences` can compare: JSON or bytes. Rich parts are the JSON objects that stand for them in
 * the text.
 */
export function comparable (form: Form): unknown {
  return form.kind === 'rich' ? JSON.parse(form.text) : read(form)
}

export { read }
