import type { FastifyCache } from '@x/cache-core'

export function makeUsers (cache: FastifyCache, findUser: (id: string) => Promise<{ name: string }>) {
  const users = cache.namespace('user')
  return {
    // 240: BentoCache counts the grace period from the store, the windows here begin where the ttl ends
    get: (id: string) => users.getOrSet(id, () => findUser(id), { ttl: 60, staleWhileRevalidate: 240, staleIfError: 240, tags: [id] }),
    getSoon: (id: string) => users.getOrSet(id, () => findUser(id), { ttl: 60, staleIfError: 240, softTimeoutMs: 200, tags: [id] }),
    outdated: (id: string) => users.touch(id, 0),
    // softly: stale, as BentoCache's deleteByTag leaves entries with a grace period
    changed: (id: string) => users.tags.invalidate(id, { soft: true }),
    clear: () => users.clear()
  }
}
