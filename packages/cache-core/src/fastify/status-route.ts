import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import type { CacheRegistry } from '../service/registry.js'

/** The path of the route that returns the status of the cache. */
export const STATUS_PATH = '/internal/cache'

/** The access to the internal endpoints: whether they are open, and the app's `guard` hook in front of them. */
export interface InternalAccess {
  readonly isOpen: boolean
  readonly guard: onRequestHookHandler | undefined
}

/** Adds `GET /internal/cache`, which responds with the 404 of an unknown route where the internal endpoints are closed. */
export function addStatusRoute (fastify: FastifyInstance, registry: CacheRegistry, access: () => InternalAccess): void {
  fastify.get(STATUS_PATH, {
    onRequest: guardInternal(access),
    schema: { hide: true } as object
  }, async function showCacheStatus (_request, reply) {
    // The status changes with each request, so no cache on the way should store it.
    reply.header('cache-control', 'no-store')
    return registry.status()
  })
}

/** Returns the onRequest hook in front of every internal endpoint. */
export function guardInternal (access: () => InternalAccess): onRequestHookHandler {
  return function guardInternalEndpoint (request, reply, done) {
    const { isOpen, guard } = access()
    if (!isOpen) {
      reply.callNotFound()
      return
    }
    if (guard === undefined) return done()
    // The app's `guard` hook may be async or call `done`: Fastify handles its return value like that of any hook.
    return guard.call(this, request, reply, done)
  }
}
