import { fieldText, joinLines, listMembers, type HeaderFields } from './header-fields.js'

const NAME = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/

/**
 * The header names of `Vary` (RFC 9110 §12.5.5), in lower case, unique and sorted; `'*'`: no request selects it. What is
 * not a name makes it `'*'`: it is unknown what the answer depends on.
 */
export function parseVary (field: string | readonly string[] | undefined): '*' | string[] {
  const names = split(field).map((name) => name.toLowerCase())
  return names.every(isName) ? [...new Set(names)].sort() : '*'
}

/**
 * `Vary` with further names. Keeps the spelling and the place where a name stands first; `'*'` wins, and with it what
 * {@link parseVary} reads as such. `''`: there are no names.
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
 * The variant that a request selects by these headers (RFC 9111 §4.1), as JSON of sorted `[name, value]`. Values count
 * as the handler sees them, byte for byte; `null` is an absent header, which an empty one is not.
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
