/** V8 copies a shorter part of a text, or a shorter sum of texts; a longer one refers to the texts that it was made of. */
const MIN_REFERRING = 13
/** UTF-16 units per step. Node makes a longer text from bytes a resource outside of the heap. */
const STEP = 2 ** 19
/** Beyond so many units a native search beats a loop. */
const MAX_LOOP = 64
/** A workspace: allocating one per text would take longer than copying the text. */
const workspace = Buffer.allocUnsafeSlow(4096)

/** Whether V8 can hold the text in one byte per UTF-16 unit: none is above U+00FF. */
export function isOneByte (text: string): boolean {
  if (text.length > MAX_LOOP) return Buffer.byteLength(text) === text.length || !/[^\0-\xff]/.test(text)
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) > 0xff) return false
  }
  return true
}

/**
 * The same text in memory of its own, in as few bytes as V8 can hold it. A text that was cut from a longer one keeps the
 * longer one alive: a cache that stores such a text, or has it for a key, would hold far more than it counts.
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
