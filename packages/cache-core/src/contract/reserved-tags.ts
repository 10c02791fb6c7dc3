import { tagInvalid, type CacheError } from './errors.js'

/** The first character of the tag of a namespace; the name follows. */
export const RESERVED = ':'

/** A colon and a name; a colon alone is the tag of no namespace. */
const RESERVED_TAG = /^:[\w.-]/

/** Lists of tags that a namespace made. By identity: the app could imitate any other mark. */
const ofNamespaces = new WeakSet<readonly string[]>()

/** Marks a list of tags as one that a namespace made; returns it. */
export function ofNamespace (tags: string[]): string[] {
  ofNamespaces.add(tags)
  return tags
}

/** The error in tags of the app that are reserved for namespaces, if any. The tags are valid otherwise, or `undefined`. */
export function checkReserved (tags: readonly string[] | undefined): CacheError | undefined {
  if (tags === undefined || ofNamespaces.has(tags) || !tags.some((tag) => RESERVED_TAG.test(tag))) return undefined
  return tagInvalid('a colon before a name, which is the tag of a namespace')
}
