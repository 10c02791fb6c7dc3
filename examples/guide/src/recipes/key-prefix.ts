import { cacheRedis } from '@x/cache-redis'
import Fastify, { type FastifyInstance } from 'fastify'

export async function buildApp (url: string, version: string): Promise<FastifyInstance> {
  const app = Fastify()
  // Each version has its own entries, tags, locks and canary state, also while two versions run at the same time.
  await app.register(cacheRedis, { url, keyPrefix: `shop:${version}:` })
  return app
}
