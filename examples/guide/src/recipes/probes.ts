import { cacheCore } from '@x/cache-core'
import Fastify, { type FastifyInstance } from 'fastify'

export async function buildApp (ping: () => Promise<unknown>): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(cacheCore, { implementation: 'memory' })

  let isClosing = false
  app.addHook('preClose', async () => { isClosing = true })

  // The process is alive if the event loop answers. The database and Redis are not checked, since a restart would repair neither.
  app.get('/livez', async () => ({ status: 'ok' }))

  // The process is ready if the database answers. A cache that fails makes the app slower but still usable, so it is only reported, and the
  // pod stays in service.
  app.get('/readyz', async (_request, reply) => {
    if (isClosing) return reply.code(503).send({ status: 'closing' })
    const [database, cache] = await Promise.all([ping().then(() => 'ok', () => 'down'), app.cache.health()])
    reply.code(database === 'ok' ? 200 : 503)
    return { status: database, cache: cache.ok ? 'ok' : cache.error.code }
  })

  return app
}
