import { joinLines, parseStringList } from '@x/cache-core/suite'

type FieldLines = Parameters<typeof joinLines>[0]

/**
 * The cache groups in `Cache-Groups` or `Cache-Group-Invalidation`, without repetitions (RFC 9875 §2, §3). A field that is no list of
 * strings has no groups. Groups have no maximum length, since the store has a hash of each.
 */
export function groupsIn (field: FieldLines): string[] {
  const text = joinLines(field)
  return text === undefined ? [] : [...new Set(parseStringList(text))]
}

/** The text of `Cache-Groups` for groups whose characters need no escaping, as is true of tags. */
export function cacheGroupsField (groups: readonly string[]): string {
  return groups.map((group) => `"${group}"`).join(', ')
}
