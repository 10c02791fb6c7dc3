import type { FastifyCache } from '@x/cache-core'

interface Query { team: string; limit: number }

export function makeUsers (cache: FastifyCache, findUser: (id: string) => Promise<{ name: string }>, findTeam: (query: Query) => Promise<string[]>) {
  const users = cache.namespace('users', { ttl: 60, staleWhileRevalidate: 300 })
  const user = users.wrap(findUser, { name: 'user', coveringTags: (id) => [`user:${id}`] })
  const team = users.wrap(findTeam, { name: 'team' })
  return {
    get: (id: string) => user(id),
    team: (query: Query) => team(query),
    changed: (id: string) => users.tags.invalidate(`user:${id}`),
    teamChanged: (query: Query) => users.del(team.keyOf(query)),
    clear: () => users.clear()
  }
}
