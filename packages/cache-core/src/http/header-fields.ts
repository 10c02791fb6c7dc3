/** A field as Node and Fastify hold it: one line, several lines, or absent. A number is a `Content-Length` or an `Age`. */
export type FieldValue = string | number | readonly string[] | undefined

/** Header fields by lower-case name. */
export type HeaderFields = Readonly<Record<string, FieldValue>>

/**
 * A field's lines as one text (RFC 9110 §5.3); `undefined`: the field is absent, `''`: it is empty. Names come from
 * clients, so that what an object inherits is no field.
 */
export function fieldText (headers: HeaderFields, name: string): string | undefined {
  return Object.hasOwn(headers, name) ? joinLines(headers[name]) : undefined
}

/** One text of a value; `undefined`: there is no line. */
export function joinLines (value: FieldValue): string | undefined {
  if (typeof value === 'string' || value === undefined) return value
  // A validator of `schema.headers` may have made a number or a boolean of it.
  if (!Array.isArray(value)) return String(value)
  return value.length === 0 ? undefined : value.join(', ')
}

/** The members between commas that stand outside quoted strings (RFC 9110 §5.6.1), trimmed, empty ones included. */
export function listMembers (text: string): string[] {
  const members = ['']
  for (const [piece] of text.matchAll(/,|[^",]+|"(?:[^"\\]|\\.)*"?/gs)) {
    if (piece === ',') members.push('')
    else members[members.length - 1] += piece
  }
  return members.map(trimWhitespace)
}

/** Without the optional whitespace of HTTP, which is space and tab. A regex would be quadratic on spaces within. */
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
