import type { FastifyCache } from '@x/cache-core'

interface User { id: string; team: string }

export function cachedUsers (cache: FastifyCache, findUser: (id: string) => Promise<User>) {
  const users = cache.namespace<User>('user', {
    ttl: 300, staleWhileRevalidate: 60, tags: (user) => [`team:${user.team}`], coveringTags: ['users']
  })
  return {
    get: (id: string) => users.getOrSet(id, () => findUser(id)), // Promise<User>
    // with the tag of a team the one that covers it
    teamChanged: (team: string) => users.tags.invalidate([`team:${team}`, 'users'])
  }
}
