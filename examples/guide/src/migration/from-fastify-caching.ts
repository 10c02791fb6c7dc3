import { cacheCore } from '@x/cache-core'
import { cacheEdge } from '@x/cache-edge'
import Fastify, { type FastifyInstance } from 'fastify'

export async function buildApp (findUser: (id: string) => Promise<unknown>): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(cacheCore, { implementation: 'memory' })
  await app.register(cacheEdge, { rules: [{ prefix: '/', maxAge: 60 }] })

  app.get<{ Params: { id: string } }>('/users/:id', async (request) => {
    const { id } = request.params
    return request.cache.getOrSet(`user:${id}`, () => findUser(id), { ttl: 60 }) // the ttl in seconds
  })

  return app
}
