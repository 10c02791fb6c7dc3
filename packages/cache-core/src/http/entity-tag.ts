const OPAQUE = '[!#-~\\x80-\\uffff]*'
const TAG = new RegExp(`^(W/)?"(${OPAQUE})"$`)
// One tag of the list, or none, and the comma or the end behind it. A tag itself may contain commas.
const MEMBER = new RegExp(`[\\t ]*(?:(W/)?"(${OPAQUE})"[\\t ]*)?(?:,|$)`, 'y')

/** An entity tag (RFC 9110 §8.8.3): the text between the quotes, which has no escapes, and whether `W/` stands before. */
export interface EntityTag { readonly weak: boolean; readonly opaque: string }

/**
 * The tags of `If-Match` or `If-None-Match`; `'*'`: any. Never throws: what is not a tag is skipped up to the next comma,
 * a tag without quotes as well. `'*'` in a list is not a tag either.
 */
export function parseEntityTags (field: string | readonly string[] | undefined): '*' | EntityTag[] {
  const lines = typeof field === 'string' ? [field] : field ?? []
  if (lines.length === 1 && /^[\t ]*\*[\t ]*$/.test(lines[0]!)) return '*'
  const tags: EntityTag[] = []
  for (const line of lines) {
    let at = 0
    while (at < line.length) {
      MEMBER.lastIndex = at
      const member = MEMBER.exec(line)
      if (member?.[2] !== undefined) tags.push({ weak: member[1] !== undefined, opaque: member[2] })
      const comma = line.indexOf(',', at)
      at = member !== null ? MEMBER.lastIndex : comma < 0 ? line.length : comma + 1
    }
  }
  return tags
}

/** The tag of an `ETag` field; `undefined`: it is none. */
export function parseEntityTag (text: string): EntityTag | undefined {
  const parts = TAG.exec(text)
  return parts === null ? undefined : { weak: parts[1] !== undefined, opaque: parts[2]! }
}

/** Whether a text is an entity tag as it stands in a field. */
export function isEntityTag (text: string): boolean {
  return TAG.test(text)
}

/**
 * An entity tag of any text, such as a version; different texts have different tags. What a tag cannot contain is
 * percent-encoded. A text that is a tag already stays as it is, but for becoming weak.
 */
export function toEntityTag (text: string, weak = false): string {
  const tag = parseEntityTag(text) ?? { weak, opaque: encodeOpaque(text) }
  return `${weak || tag.weak ? 'W/' : ''}"${tag.opaque}"`
}

/** The comparison of `If-None-Match` (RFC 9110 §8.8.3.2): whether the texts are equal, `W/` or not. */
export function weakMatch (one: EntityTag, other: EntityTag): boolean {
  return one.opaque === other.opaque
}

/** The comparison of `If-Match`: whether the texts are equal and neither tag is weak. */
export function strongMatch (one: EntityTag, other: EntityTag): boolean {
  return !one.weak && !other.weak && one.opaque === other.opaque
}

function encodeOpaque (text: string): string {
  // Code units, as encodeURIComponent throws on half a surrogate pair.
  return text.replace(/[^!#$&-~]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
