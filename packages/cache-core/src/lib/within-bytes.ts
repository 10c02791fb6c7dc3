/**
 * Whether the JSON text of a value may fit into `maxBytes`; `false` also for a value with parts that JSON changes, such as a `Map`, a `Set`
 * or bytes. With `isRich` such parts are allowed and count with their contents. The check visits at most `maxBytes` parts of the value.
 * Throws if a getter or a proxy of the value throws.
 */
export function isWithinBytes (value: unknown, maxBytes: number, isRich = false): boolean {
  let left = maxBytes
  const open: unknown[] = [value]
  while (open.length > 0) {
    const part = open.pop()
    // Each part of a value takes at least one byte of JSON text (a bracket, a comma or a digit), so each visited part uses one byte of the
    // limit.
    left--
    if (typeof part === 'string') left -= part.length
    else if (typeof part === 'object' && part !== null) {
      const isRichPart = part instanceof Map || part instanceof Set
      const isView = ArrayBuffer.isView(part)
      if ((isRichPart || isView) && !isRich) return false
      if (isView) {
        // Bytes in a value become a text in base64, which has four characters for three bytes.
        left -= part.byteLength * 4 / 3
        continue
      }
      if (isRichPart && part.size > left) return false
      const inRich = isRichPart ? [...part.values(), ...part instanceof Map ? part.keys() : []] : undefined
      const parts = inRich ?? (Array.isArray(part) ? part : Object.values(part))
      // The number of parts of an object or array is checked before the loop, so that an array with millions of items is not visited.
      if (parts.length > left) return false
      for (const each of parts) open.push(each)
    }
    if (left < 0) return false
  }
  return true
}
