import { createCache } from 'cache-manager'

export function makeUsers (findUser: (id: string) => Promise<{ name: string } | null>) {
  const cache = createCache({ ttl: 60_000 }) // the ttl in milliseconds
  return {
    get: (id: string) => cache.wrap(`user:${id}`, () => findUser(id)),
    getMany: (ids: string[]) => cache.mget<{ name: string }>(ids.map((id) => `user:${id}`)),
    put: (id: string, user: { name: string }) => cache.set(`user:${id}`, user, 30_000),
    changed: (id: string) => cache.del(`user:${id}`)
  }
}
