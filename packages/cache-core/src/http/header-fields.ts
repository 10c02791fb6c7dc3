/** The value of a header field in Node and Fastify: one line, several lines, or absent. A number is a `Content-Length` or an `Age`. */
export type FieldValue = string | number | readonly string[] | undefined

/** Header fields by lower-case name. */
export type HeaderFields = Readonly<Record<string, FieldValue>>

/**
 * Returns the lines of a header field as one text (RFC 9110 §5.3); `undefined`: the field is absent, `''`: it is empty. Properties that the
 * object inherits, such as `constructor`, do not count as fields, since clients choose the names.
 */
export function fieldText (headers: HeaderFields, name: string): string | undefined {
  return Object.hasOwn(headers, name) ? joinLines(headers[name]) : undefined
}

/** Returns the value of a header field as one text, its lines joined by commas; `undefined`: the field is absent. */
export function joinLines (value: FieldValue): string | undefined {
  if (typeof value === 'string' || value === undefined) return value
  // A validator of `schema.headers` may have turned the value of the header into a number or a boolean.
  if (!Array.isArray(value)) return String(value)
  return value.length === 0 ? undefined : value.join(', ')
}

/** Splits a list at the commas outside of quoted strings (RFC 9110 §5.6.1); the members are trimmed, and empty members are included. */
export function listMembers (text: string): string[] {
  const members = ['']
  for (const [piece] of text.matchAll(/,|[^",]+|"(?:[^"\\]|\\.)*"?/gs)) {
    if (piece === ',') members.push('')
    else members[members.length - 1] += piece
  }
  return members.map(trimWhitespace)
}

/**
 * Trims the optional whitespace of HTTP, which is space and tab. A regular expression would take quadratic time on a text with many spaces
 * in its middle.
 */
export function trimWhitespace (text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isWhitespace(text[start])) start++
  while (end > start && isWhitespace(text[end - 1])) end--
  return text.slice(start, end)
}

function isWhitespace (character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}
