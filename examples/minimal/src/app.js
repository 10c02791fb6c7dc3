import { cacheCore } from '@x/cache-core'
import { cacheMetrics } from '@x/cache-metrics'
import Fastify from 'fastify'

/** The smallest app with a cache and its metrics. */
export async function buildApp (options) {
  const app = Fastify(options)
  // Without option `implementation` nothing is stored, and the metrics estimate the effect of a cache, which is a good first step.
  await app.register(cacheCore, { implementation: 'memory' })
  await app.register(cacheMetrics)

  app.get('/products/:id', async (request) => {
    const { id } = request.params
    return await request.cache.getOrSet(`product:${id}`, () => loadProduct(id), { ttl: 60, tags: [`product:${id}`] })
  })
  return app
}

// Simulates a slow database query.
async function loadProduct (id) {
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  return { id, loadedAt: new Date().toISOString() }
}
