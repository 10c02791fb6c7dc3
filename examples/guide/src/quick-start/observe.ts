import { cacheCore } from '@x/cache-core'
import { cacheMetrics } from '@x/cache-metrics'
import Fastify, { type FastifyInstance } from 'fastify'
import { findArticle, saveArticle } from './articles.js'

export async function buildApp (): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(cacheCore) // uses NullCache: calls are counted, nothing is cached
  await app.register(cacheMetrics) // adds GET /metrics/prom and GET /internal/cache/advice

  app.get<{ Params: { id: string } }>('/articles/:id', async (request, reply) => {
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
