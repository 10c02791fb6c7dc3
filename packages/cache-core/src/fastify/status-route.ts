import type { FastifyInstance, FastifyReply, onRequestHookHandler } from 'fastify'
import { randomUUID } from 'node:crypto'
import { acceptWeight } from '../http/accept.js'
import { fieldText } from '../http/header-fields.js'
import { mergeVary } from '../http/vary.js'
import type { CacheRegistry } from '../service/registry.js'
import { cacheCounts } from '../telemetry/cache-counts.js'
import type { ConsolePage, RenderedPage } from './console/console-page.js'

/** The path of the route that returns the status of the cache, and to browsers the page of the console. */
export const STATUS_PATH = '/internal/cache'
/** The path of the endpoint with the counts that the console shows. */
const COUNTS_PATH = `${STATUS_PATH}/counts`

/** The access to the internal endpoints: whether they are open, and the app's `guard` hook in front of them. */
export interface InternalAccess {
  readonly isOpen: boolean
  readonly guard: onRequestHookHandler | undefined
}

/**
 * Adds `GET /internal/cache` and `GET /internal/cache/counts`, which respond with the 404 of an unknown route where the internal endpoints
 * are closed. The status is JSON, unless the client prefers `text/html`: then it is the page of the console.
 */
export function addStatusRoutes (fastify: FastifyInstance, registry: CacheRegistry, page: ConsolePage, access: () => InternalAccess): void {
  const options = { onRequest: guardInternal(access), schema: { hide: true } as object }
  // Requests to one address may reach several processes, whose counts the console must not subtract from one another.
  const processId = randomUUID()
  fastify.get(STATUS_PATH, options, async function showCacheStatus (request, reply) {
    // The status changes with each request, so no cache between app and client should store it.
    reply.header('cache-control', 'no-store').header('vary', mergeVary(fieldText(reply.getHeaders(), 'vary'), ['Accept']))
    const { accept } = request.headers
    if (acceptWeight(accept, 'text/html') <= acceptWeight(accept, 'application/json')) return registry.status()
    let rendered: RenderedPage
    try {
      rendered = await page.render()
    } catch (err) {
      request.log.warn({ err }, 'Cache: the files of the console cannot be read, so its page is not there; a bundler leaves them out')
      return registry.status()
    }
    return sendPage(reply, rendered)
  })
  fastify.get(COUNTS_PATH, options, async function showCacheCounts (_request, reply) {
    reply.header('cache-control', 'no-store')
    return { process: processId, status: registry.status(), ...cacheCounts(registry.stats, registry.active.stats) }
  })
}

/**
 * Sends the page of the console. The headers forbid other sites to frame or embed the page, since its buttons act on all processes of the
 * app.
 */
function sendPage (reply: FastifyReply, { html, policy }: RenderedPage): FastifyReply {
  return reply.headers({
    'content-security-policy': policy,
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY'
  }).type('text/html; charset=utf-8').send(html)
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
    // The app's `guard` hook may be async or call `done`, so its return value is returned: Fastify handles it like that of any hook.
    return guard.call(this, request, reply, done)
  }
}
