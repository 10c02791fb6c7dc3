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

/** Returns a list of tags with further tags; a list that a namespace made stays marked as one. */
export function withTags (tags: string[], more: readonly string[]): string[] {
  const all = [...tags, ...more.filter((tag) => !tags.includes(tag))]
  return ofNamespaces.has(tags) ? ofNamespace(all) : all
}

/** Returns the error in tags of the app that are reserved for namespaces, if any. The form of the tags must have been checked before. */
export function checkReserved (tags: readonly string[] | undefined): CacheError | undefined {
  if (tags === undefined || ofNamespaces.has(tags) || !tags.some((tag) => RESERVED_TAG.test(tag))) return undefined
  return tagInvalid('a colon before a name, which is the tag of a namespace')
}
