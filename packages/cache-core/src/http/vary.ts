import { fieldText, joinLines, listMembers, type HeaderFields } from './header-fields.js'

const NAME = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/

/**
 * Parses the header names of `Vary` (RFC 9110 §12.5.5), in lower case, unique and sorted; `'*'`: no request selects the response. A member
 * that is not a header name also gives `'*'`, since the headers that the response depends on are unknown.
 */
export function parseVary (field: string | readonly string[] | undefined): '*' | string[] {
  const names = split(field).map((name) => name.toLowerCase())
  return names.every(isName) ? [...new Set(names)].sort() : '*'
}

/**
 * Adds header names to a `Vary`. Each name keeps its first spelling and position. The result is `'*'` if {@link parseVary} reads either
 * part as `'*'`, and `''` if there are no names.
 */
export function mergeVary (current: string | readonly string[] | undefined, names: readonly string[]): string {
  const merged = new Map<string, string>()
  for (const name of [...split(current), ...split(names)]) {
    if (!isName(name)) return '*'
    const key = name.toLowerCase()
    if (!merged.has(key)) merged.set(key, name)
  }
  return [...merged.values()].join(', ')
}

/**
 * Returns the text that identifies the variant selected by a request's headers (RFC 9111 §4.1), as JSON of sorted `[name, value]`. Header
 * values are compared byte for byte, as the handler receives them; `null` is an absent header, which differs from an empty one.
 */
export function variantOf (names: readonly string[], headers: HeaderFields): string {
  const keys = [...new Set(names.map((name) => name.toLowerCase()))].sort()
  return JSON.stringify(keys.map((name) => [name, fieldText(headers, name) ?? null]))
}

function split (field: string | readonly string[] | undefined): string[] {
  return listMembers(joinLines(field) ?? '').filter((member) => member !== '')
}

function isName (name: string): boolean {
  return name !== '*' && NAME.test(name)
}
