import { cacheCore } from '@x/cache-core'
import Fastify, { type FastifyInstance } from 'fastify'
import { CustomCache } from './custom-cache.js'

export async function buildApp (implementation = new CustomCache()): Promise<FastifyInstance> {
  const app = Fastify()
  await app.register(cacheCore, { implementation })
  return app
}
