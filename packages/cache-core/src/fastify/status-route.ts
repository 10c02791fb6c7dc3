import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import type { CacheRegistry } from '../service/registry.js'

/** The path of the status. */
export const STATUS_PATH = '/internal/cache'

/** Access to the internal endpoints. */
export interface InternalAccess {
  readonly isOpen: boolean
  readonly guard: onRequestHookHandler | undefined
}

/** Adds `GET /internal/cache`, which answers the 404 of an unknown route where it is not open. */
export function addStatusRoute (fastify: FastifyInstance, registry: CacheRegistry, access: () => InternalAccess): void {
  fastify.get(STATUS_PATH, {
    onRequest: guardInternal(access),
    schema: { hide: true } as object
  }, async function showCacheStatus (_request, reply) {
    // The numbers change with each request, so no cache should store them.
    reply.header('cache-control', 'no-store')
    return registry.status()
  })
}

/** The onRequest hook in front of every internal endpoint. */
export function guardInternal (access: () => InternalAccess): onRequestHookHandler {
  return function guardInternalEndpoint (request, reply, done) {
    const { isOpen, guard } = access()
    if (!isOpen) {
      reply.callNotFound()
      return
    }
    if (guard === undefined) return done()
    // The guard may be async or call `done`: Fastify handles its return value as that of any hook.
    return guard.call(this, request, reply, done)
  }
}
