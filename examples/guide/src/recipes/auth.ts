import { cacheCore } from '@x/cache-core'
import { cacheEdge } from '@x/cache-edge'
import Fastify, { type FastifyInstance } from 'fastify'

declare module 'fastify' {
  interface FastifyRequest { user: { id: number } | null }
}

export type Verify = (token: string) => Promise<{ id: number } | null>

export async function buildApp (verify: Verify, findOrders: (userId: number) => Promise<string[]>): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(cacheCore, { implementation: 'memory', personal: ['/me'] })
  await app.register(cacheEdge, { rules: [{ prefix: '/', maxAge: 60, store: true }], personal: ['/me'] })

  // Authentication runs in a hook before the handler. Stored responses are looked up after all hooks, so a refused request gets none of
  // them.
  app.decorateRequest('user', null)
  app.addHook('onRequest', async (request, reply) => {
    const token = request.headers.authorization?.replace(/^Bearer /, '')
    if (token === undefined) return
    request.user = await verify(token)
    if (request.user === null) return reply.code(401).send({ error: 'Unknown token' })
  })

  app.get('/news', async () => ({ news: ['for everybody'] }))

  app.get('/me/orders', async (request, reply) => {
    const { user } = request
    if (user === null) return reply.code(401).send({ error: 'Sign in' })
    // The key contains the id of the verified user, never a part of the request that the client chooses.
    return request.cache.getOrSet(`orders:${user.id}`, () => findOrders(user.id), { ttl: 60, tags: [`orders:${user.id}`] })
  })

  return app
}
