import { createCache } from 'async-cache-dedupe'

interface Query { team: string; limit: number }

export function makeUsers (findUser: (id: string) => Promise<{ name: string }>, findTeam: (query: Query) => Promise<string[]>) {
  const cache = createCache({ ttl: 60, stale: 300, storage: { type: 'memory', options: { invalidation: true } } })
    .define('user', { references: (id: string) => [`user:${id}`] }, (id: string) => findUser(id))
    .define('team', (query: Query) => findTeam(query))
  return {
    get: (id: string) => cache.user(id),
    team: (query: Query) => cache.team(query),
    changed: (id: string) => cache.invalidateAll([`user:${id}`]),
    teamChanged: (query: Query) => cache.clear('team', query),
    clear: () => cache.clear()
  }
}
