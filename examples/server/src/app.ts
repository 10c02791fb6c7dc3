import { cacheCore, type CacheCoreOptions } from '@x/cache-core'
import { cacheEdge, type CacheEdgeOptions } from '@x/cache-edge'
import { cacheMetrics, type CacheMetricsOptions } from '@x/cache-metrics'
import { cacheRedis, type CacheRedisOptions } from '@x/cache-redis'
import Fastify, { LogController, type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Database } from './database/open.js'
import { sendError, sendRouteNotFound } from './errors.js'
import { addIdentity } from './identity.js'
import { approvalRoutes } from './routes/approvals.js'
import { healthRoutes } from './routes/health.js'
import { PERSONAL_PATHS, personalRoutes } from './routes/personal.js'
import { EDGE_RULES, publicRoutes } from './routes/public.js'
import { recordRoutes } from './routes/records.js'
import { tableRoutes } from './routes/tables.js'
import { userRoutes } from './routes/users.js'

/** The parts that the app is built from. */
export interface AppOptions {
  /** The creator of the database closes it, after the app. */
  database: Database
  cache?: CacheCoreOptions
  /** Default: not on Redis. */
  redis?: CacheRedisOptions
  metrics?: CacheMetricsOptions
  /** Beside the rules of the app, such as the proxies to purge. */
  edge?: Pick<CacheEdgeOptions, 'purge'>
  logger?: FastifyServerOptions['logger']
}

/** The whole app, not yet listening. The routes know `request.cache` and nothing of what is behind it. */
export async function buildApp ({ database, cache, redis, metrics, edge, logger = false }: AppOptions): Promise<FastifyInstance> {
  // Two log lines for each request would be most of the time of a request that hits.
  const logController = new LogController({ disableRequestLogging: true })
  // Texts of a path or query become numbers, but an array of one does not become its content.
  const ajv = { customOptions: { coerceTypes: true, allowUnionTypes: true } } as const
  const app = Fastify({ logger, logController, ajv })
  app.setErrorHandler(sendError)
  app.setNotFoundHandler(sendRouteNotFound)
  await app.register(cacheCore, { personal: PERSONAL_PATHS, ...cache })
  await app.register(cacheMetrics, metrics ?? {})
  await app.register(cacheEdge, { rules: EDGE_RULES, personal: PERSONAL_PATHS, ...edge })
  // After the others: it connects, and nothing may be left connected if one of them refuses its options.
  await app.register(cacheRedis, redis ?? { enabled: false })
  addIdentity(app)

  const routes = [tableRoutes, recordRoutes, userRoutes, personalRoutes, publicRoutes, approvalRoutes, healthRoutes]
  for (const group of routes) await app.register(group, { database })
  return app
}
