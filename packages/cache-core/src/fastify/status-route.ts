import type { FastifyInstance, onRequestHookHandler } from 'fastify'
import type { CacheRegistry } from '../service/registry.js'

/** Where the status is shown. */
export const STATUS_PATH = '/internal/cache'

/** Who may see the internal endpoints. */
export interface InternalAccess {
  readonly isOpen: boolean
  readonly guard: onRequestHookHandler | undefined
}

/** `GET /internal/cache`; a 404 like that of any unknown route where it is not open. */
export function addStatusRoute (fastify: FastifyInstance, registry: CacheRegistry, access: () => InternalAccess): void {
  fastify.get(STATUS_PATH, {
    onRequest: guardInternal(access),
    schema: { hide: true } as object
  }, async function showCacheStatus (_request, reply) {
    // Numbers of now: nobody should keep them.
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
    // With a promise or with done: Fastify takes what the guard returns as it takes it of any hook.
    return guard.call(this, request, reply, done)
  }
}
