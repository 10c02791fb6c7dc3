import type { FastifyCache } from '@x/cache-core'

export function makeUsers (cache: FastifyCache, findUser: (id: string) => Promise<{ name: string }>) {
  const users = cache.namespace('user')
  return {
    get: (id: string) => users.getOrSet(id, () => findUser(id), { ttl: 60, staleWhileRevalidate: 300, staleIfError: 300, tags: [id] }),
    // softly: stale, as BentoCache's deleteByTag leaves entries with a grace period
    changed: (id: string) => users.tags.invalidate(id, { soft: true }),
    clear: () => users.clear()
  }
}
