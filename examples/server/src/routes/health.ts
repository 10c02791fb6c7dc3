import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { RouteOptions } from './parameters.js'

const Health = Type.Object({
  status: Type.Unsafe<'ok' | 'degraded' | 'down'>({ type: 'string', enum: ['ok', 'degraded', 'down'] }),
  database: Type.Unsafe<'ok' | 'down'>({ type: 'string', enum: ['ok', 'down'] }),
  /** `ok`, or the error code of the cache's problem. */
  cache: Type.String()
})

/**
 * The health check for a load balancer. If only the cache fails, the status is 200, since the server is slower but usable. If the database
 * fails, the status is an error.
 */
export const healthRoutes: FastifyPluginAsyncTypebox<RouteOptions> = async function healthRoutes (app, { database }) {
  app.get('/health', {
    schema: { response: { 200: Health, 503: Health } }
  }, async function getHealth (request, reply) {
    const [isUp, health] = await Promise.all([
      database.query('SELECT 1').then(() => true, () => false),
      app.cache.health()
    ])
    reply.header('cache-control', 'no-store')
    const cache = health.ok ? 'ok' : health.error.code
    if (!isUp) return reply.code(503).send({ status: 'down', database: 'down', cache })
    return { status: health.ok ? 'ok' as const : 'degraded' as const, database: 'ok' as const, cache }
  })
}
