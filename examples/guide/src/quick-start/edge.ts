import { cacheCore } from '@x/cache-core'
import { cacheEdge } from '@x/cache-edge'
import { cacheMetrics } from '@x/cache-metrics'
import Fastify, { type FastifyInstance } from 'fastify'
import { findArticle, saveArticle } from './articles.js'

export async function buildApp (): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(cacheCore, { implementation: 'memory' })
  await app.register(cacheMetrics)
  await app.register(cacheEdge, { rules: [{ prefix: '/articles', maxAge: 60, store: true }] })

  app.get<{ Params: { id: string } }>('/articles/:id', {
    // The response has the same tag as the value from which it is made, so both are invalidated together.
    config: { cache: { tags: (request) => [`article:${(request.params as { id: string }).id}`] } }
  }, async (request, reply) => {
    const { id } = request.params
    const article = await request.cache.getOrSet(`article:${id}`, () => findArticle(id), { ttl: 60, tags: [`article:${id}`] })
    return article ?? reply.code(404).send({ error: 'Not found' })
  })

  app.put<{ Params: { id: string }; Body: { title: string } }>('/articles/:id', async (request) => {
    const { id } = request.params
    const article = await saveArticle({ id, title: request.body.title })
    await request.cache.tags.invalidate(`article:${id}`) // invalidate after the write, never before it
    return article
  })

  return app
}
