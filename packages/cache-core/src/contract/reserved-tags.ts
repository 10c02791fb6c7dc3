import { tagInvalid, type CacheError } from './errors.js'

/** The first character of the tag that a namespace adds to its entries; the name of the namespace follows. */
export const RESERVED = ':'

/** Matches a reserved tag: a colon and a name. A colon alone is not the tag of a namespace, so the app may use it. */
const RESERVED_TAG = /^:[\w.-]/

/** The lists of tags that a namespace made. A list is recognised by its identity, since the app could imitate any other mark. */
const ofNamespaces = new WeakSet<readonly string[]>()

/** Marks a list of tags as one that a namespace made; returns it. */
export function ofNamespace (tags: string[]): string[] {
  ofNamespaces.add(tags)
  return tags
}

/**
 * The tags that the options of a key pattern added to a list of tags, by that list; the error about a list that is too long names these
 * tags.
 */
const ofPatterns = new WeakMap<readonly string[], readonly string[]>()

/** Returns a list of tags with those of the key's pattern; a list that a namespace made stays marked. */
export function withPatternTags (tags: string[], own: readonly string[]): string[] {
  const added = own.filter((tag) => !tags.includes(tag))
  const all = [...tags, ...added]
  ofPatterns.set(all, added)
  return ofNamespaces.has(tags) ? ofNamespace(all) : all
}

/**
 * Returns the tags of two lists, each of them once. The tags that a key pattern added to the list `from` are recorded as its tags in the
 * new list.
 */
export function joinedTags (tags: readonly string[], more: readonly string[], from: readonly string[] | undefined): string[] {
  const all = [...new Set([...tags, ...more])]
  const added = from === undefined ? undefined : ofPatterns.get(from)
  if (added !== undefined) ofPatterns.set(all, added)
  return all
}

/** Returns the number of tags in a list as text, with those that the options of a key pattern added. */
export function countText (tags: readonly string[]): string {
  const added = ofPatterns.get(tags) ?? []
  return added.length === 0
    ? `${tags.length} tags`
    : `${tags.length} tags, of which option "patterns" added ${added.length} (${added.map((tag) => JSON.stringify(tag)).join(', ')})`
}

/**
 * Returns the error in tags of the app that are reserved for namespaces, if any. The caller has checked number, type and length of the tags
 * before.
 */
export function checkReserved (tags: readonly string[] | undefined): CacheError | undefined {
  if (tags === undefined || ofNamespaces.has(tags) || !tags.some((tag) => RESERVED_TAG.test(tag))) return undefined
  return tagInvalid('a colon before a name, which is the tag of a namespace')
}
