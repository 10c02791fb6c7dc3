import type { FastifyCache, Result } from '@x/cache-core'

export function makeUsers (cache: FastifyCache, findUser: (id: string) => Promise<{ name: string } | null>) {
  return {
    get: (id: string) => cache.getOrSet(`user:${id}`, () => findUser(id), { ttl: 60 }), // the ttl in seconds
    getMany: async (ids: string[]) => valueOf(await cache.getMany<{ name: string }>(ids.map((id) => `user:${id}`))),
    put: (id: string, user: { name: string }) => cache.set(`user:${id}`, user, 30),
    changed: (id: string) => cache.del(`user:${id}`)
  }
}

/** Returns the value of a result, or throws its error, for code that expects a rejected promise. */
function valueOf<T> (result: Result<T>): T {
  if (!result.ok) throw result.error
  return result.value
}
