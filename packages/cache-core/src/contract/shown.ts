/**
 * Returns the text for an invalid value in an error message. A long string, or one that may be a URL with a password, is shown by its kind
 * only.
 */
export function shown (value: unknown): string {
  if (typeof value === 'string') return value.length > 32 || /@|:\/\//.test(value) ? 'a string' : JSON.stringify(value)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`
}

/** Returns the kind of a value whose content an error must not show. */
export function kindOf (value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? `a ${typeof value}` : shown(value)
}
