import type { EventEmitter } from 'node:events'
import { cacheCore } from '@x/cache-core'
import { cacheRedis, type CacheRedisOptions } from '@x/cache-redis'
import Fastify, { type FastifyInstance } from 'fastify'

export async function buildApp (database: { end (): Promise<void> }, redis: CacheRedisOptions): Promise<FastifyInstance> {
  const app = Fastify()
  // Fastify closes in the reverse order of registration, so the cache is closed while the database is still open for its loads.
  app.addHook('onClose', () => database.end())
  await app.register(cacheCore)
  await app.register(cacheRedis, redis)
  return app
}

/** Closes an app `waitMs` milliseconds after the first signal: a load balancer needs that time to send requests to other processes. */
export function closeOnSignal (app: FastifyInstance, { waitMs = 5000, source = process as EventEmitter } = {}): void {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    source.once(signal, () => {
      setTimeout(() => {
        app.close().catch((error: unknown) => {
          app.log.error({ err: error }, 'The app did not close')
          process.exitCode = 1
        })
      }, waitMs)
    })
  }
}
