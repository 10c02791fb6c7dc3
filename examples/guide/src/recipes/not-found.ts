import { cacheCore } from '@x/cache-core'
import Fastify, { type FastifyInstance } from 'fastify'

interface User { id: string; name: string }

export async function buildApp (findUser: (id: string) => Promise<User | null>): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(cacheCore, { implementation: 'memory' })

  app.get<{ Params: { id: string } }>('/users/:id', async (request, reply) => {
    const { id } = request.params
    const user = await request.cache.getOrSet(`user:${id}`, () => findUser(id), {
      ttl: (user) => user === null ? 5 : 300, // null is a value: "not found" is cached for five seconds
      tags: [`user:${id}`]
    })
    return user ?? reply.code(404).send({ error: 'Not found' })
  })

  return app
}
