import { cacheRedis } from '@x/cache-redis'
import Fastify, { type FastifyInstance } from 'fastify'

export async function buildApp (url: string, version: string): Promise<FastifyInstance> {
  const app = Fastify()
  // Entries, tags, locks and a canary's state of two versions are apart, also while both run.
  await app.register(cacheRedis, { url, keyPrefix: `shop:${version}:` })
  return app
}
