import { createCache } from 'cache-manager'

interface User { id: string; name: string }

export function makeUsers (findUser: (id: string) => Promise<User | null>, findUsers: (ids: string[]) => Promise<User[]>) {
  const cache = createCache({ ttl: 60_000 }) // the ttl in milliseconds
  return {
    get: (id: string) => cache.wrap(`user:${id}`, () => findUser(id)),
    getMany: (ids: string[]) => cache.mget<User>(ids.map((id) => `user:${id}`)),
    loadMany: async (ids: string[]) => {
      const found = await cache.mget<User>(ids.map((id) => `user:${id}`))
      const loaded = await findUsers(ids.filter((_id, at) => found[at] === undefined))
      await cache.mset(loaded.map((user) => ({ key: `user:${user.id}`, value: user })))
      return ids.map((id, at) => found[at] ?? loaded.find((user) => user.id === id))
    },
    put: (id: string, user: User) => cache.set(`user:${id}`, user, 30_000),
    changed: (id: string) => cache.del(`user:${id}`)
  }
}
