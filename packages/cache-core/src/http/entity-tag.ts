const OPAQUE = '[!#-~\\x80-\\uffff]*'
const TAG = new RegExp(`^(W/)?"(${OPAQUE})"$`)
// Matches one entity tag of `If-None-Match` or `If-Match`, or an empty member, with the comma or the end behind it. An entity tag itself
// may contain commas.
const MEMBER = new RegExp(`[\\t ]*(?:(W/)?"(${OPAQUE})"[\\t ]*)?(?:,|$)`, 'y')

/** An entity tag (RFC 9110 §8.8.3). `opaque`: the text between the quotes, which has no escapes. `weak`: the prefix `W/` is present. */
export interface EntityTag { readonly weak: boolean; readonly opaque: string }

/**
 * Parses the entity tags of `If-Match` or `If-None-Match`; `'*'`: any tag. Never throws. Text that is not an entity tag, such as a tag
 * without quotes or a `*` in a list, is skipped up to the next comma.
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

/** Parses the entity tag of an `ETag` field; `undefined`: the text is not an entity tag. */
export function parseEntityTag (text: string): EntityTag | undefined {
  const parts = TAG.exec(text)
  return parts === null ? undefined : { weak: parts[1] !== undefined, opaque: parts[2]! }
}

/** Whether a text is an entity tag in the syntax of a header field. */
export function isEntityTag (text: string): boolean {
  return TAG.test(text)
}

/**
 * Makes an entity tag of any text, such as a version number. A text that already is an entity tag is unchanged, except that `weak` adds
 * `W/`. Of all other texts, different ones have different entity tags: `%`, and each character that an entity tag cannot contain, is
 * written as `%` with four hexadecimal digits.
 */
export function toEntityTag (text: string, weak = false): string {
  const tag = parseEntityTag(text) ?? { weak, opaque: encodeOpaque(text) }
  return `${weak || tag.weak ? 'W/' : ''}"${tag.opaque}"`
}

/** The weak comparison, for `If-None-Match` (RFC 9110 §8.8.3.2): whether the opaque texts are equal, with or without `W/`. */
export function weakMatch (one: EntityTag, other: EntityTag): boolean {
  return one.opaque === other.opaque
}

/** The strong comparison, for `If-Match`: whether the opaque texts are equal and neither tag is weak. */
export function strongMatch (one: EntityTag, other: EntityTag): boolean {
  return !one.weak && !other.weak && one.opaque === other.opaque
}

function encodeOpaque (text: string): string {
  // Single UTF-16 units are encoded, since `encodeURIComponent` throws on half of a surrogate pair.
  return text.replace(/[^!#$&-~]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
