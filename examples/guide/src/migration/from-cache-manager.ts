import type { FastifyCache, Result } from '@x/cache-core'

interface User { id: string; name: string }

export function makeUsers (cache: FastifyCache, findUser: (id: string) => Promise<User | null>, findUsers: (ids: string[]) => Promise<User[]>) {
  return {
    get: (id: string) => cache.getOrSet(`user:${id}`, () => findUser(id), { ttl: 60 }), // the ttl in seconds
    getMany: async (ids: string[]) => valueOf(await cache.getMany<User>(ids.map((id) => `user:${id}`))),
    loadMany: (ids: string[]) => cache.getOrSetMany(ids.map((id) => `user:${id}`), async (missing) => {
      const loaded = await findUsers(missing.map((key) => key.slice('user:'.length)))
      return new Map(loaded.map((user) => [`user:${user.id}`, user]))
    }, { ttl: 60 }),
    put: (id: string, user: User) => cache.set(`user:${id}`, user, 30),
    changed: (id: string) => cache.del(`user:${id}`)
  }
}

/** Returns the value of a result, or throws its error, for code that expects a rejected promise. */
function valueOf<T> (result: Result<T>): T {
  if (!result.ok) throw result.error
  return result.value
}
