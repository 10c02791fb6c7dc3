import { createCache } from 'async-cache-dedupe'

export function makeUsers (findUser: (id: string) => Promise<{ name: string }>) {
  const cache = createCache({ ttl: 60, stale: 300, storage: { type: 'memory', options: { invalidation: true } } })
    .define('user', { references: (id: string) => [`user:${id}`] }, (id: string) => findUser(id))
  return {
    get: (id: string) => cache.user(id),
    changed: (id: string) => cache.invalidateAll([`user:${id}`]),
    clear: () => cache.clear('user')
  }
}
