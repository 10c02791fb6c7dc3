/** The length in UTF-16 units from which V8 makes a slice or a concatenation that refers to the original text; V8 copies shorter texts. */
const MIN_REFERRING = 13
/** The UTF-16 units of a text that are copied per step: Node would place a longer text, decoded from bytes, outside of V8's heap. */
const STEP = 2 ** 19
/** The length of a text, in UTF-16 units, above which a native search for a unit above U+00FF is faster than a loop. */
const MAX_LOOP = 64
/** A shared buffer for copies of texts: allocating one buffer per text would take longer than the copy. */
const workspace = Buffer.allocUnsafeSlow(4096)

/** Whether V8 can store a text in one byte per UTF-16 unit: no unit is above U+00FF. */
export function isOneByte (text: string): boolean {
  if (text.length > MAX_LOOP) return Buffer.byteLength(text) === text.length || !/[^\0-\xff]/.test(text)
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 0xff) return false
  }
  return true
}

/**
 * Copies a text into memory of its own, in the fewest bytes that V8 needs. A slice of a longer text holds the longer text in memory. A
 * cache with such slices as keys or values would hold far more bytes than it counts.
 */
export function ownText (text: string, isNarrow: boolean = isOneByte(text)): string {
  if (text.length < MIN_REFERRING) return text
  if (text.length <= STEP) return copyOf(text, isNarrow)
  const parts: string[] = []
  for (let at = 0; at < text.length; at += STEP) parts.push(copyOf(text.slice(at, at + STEP), isNarrow))
  return parts.join('')
}

function copyOf (text: string, isNarrow: boolean): string {
  const encoding = isNarrow ? 'latin1' : 'utf16le'
  if ((isNarrow ? 1 : 2) * text.length > workspace.length) return Buffer.from(text, encoding).toString(encoding)
  return workspace.toString(encoding, 0, workspace.write(text, encoding))
}
