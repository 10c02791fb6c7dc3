/** The text for a wrong value in an error: only the kind of a long string, or of one that may be a URL with a password. */
export function shown (value: unknown): string {
  if (typeof value === 'string') return value.length > 32 || /@|:\/\//.test(value) ? 'a string' : JSON.stringify(value)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`
}

/** The kind of a value that an error must not show. */
export function kindOf (value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? `a ${typeof value}` : shown(value)
}
