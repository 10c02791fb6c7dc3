import { tagInvalid, type CacheError } from './errors.js'

/** Begins the tags that namespaces give their entries, before the name. */
export const RESERVED = ':'

/** A colon before a name; a colon alone is no namespace's. */
const RESERVED_TAG = /^:[\w.-]/

/** Lists of tags that a namespace made. By identity: whatever else tells them apart, the app could write, too. */
const ofNamespaces = new WeakSet<readonly string[]>()

/** Marks a list of tags as one that a namespace made; returns it. */
export function ofNamespace (tags: string[]): string[] {
  ofNamespaces.add(tags)
  return tags
}

/** The error in tags of the app's that are reserved for namespaces, if any. The tags are valid otherwise, or `undefined`. */
export function checkReserved (tags: readonly string[] | undefined): CacheError | undefined {
  if (tags === undefined || ofNamespaces.has(tags) || !tags.some((tag) => RESERVED_TAG.test(tag))) return undefined
  return tagInvalid('a colon before a name, which is the tag of a namespace')
}
