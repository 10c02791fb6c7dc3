import type { FastifyCache } from '@x/cache-core'

interface User { id: string; name: { first: string; last: string } }

/** Raise this version when the shape of a cached user changes. */
const USER_VERSION = 2

/** The version is a part of the key and not of the tag, so a write by any version of the app removes the entries of all versions. */
export function findUser (cache: FastifyCache, id: string, load: () => Promise<User>): Promise<User> {
  return cache.getOrSet(`user:v${USER_VERSION}:${id}`, load, { ttl: 300, tags: [`user:${id}`] })
}
