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
import { homeRoutes } from './routes/home.js'
import { PERSONAL_PATHS, personalRoutes } from './routes/personal.js'
import { EDGE_RULES, publicRoutes } from './routes/public.js'
import { recordRoutes } from './routes/records.js'
import { tableRoutes } from './routes/tables.js'
import { userRoutes } from './routes/users.js'

/** The parts from which the app is built. */
export interface AppOptions {
  /** The database. The code that opened it closes it, after the app has closed. */
  database: Database
  cache?: CacheCoreOptions
  /** The options of Redis; default: the app does not use Redis. */
  redis?: CacheRedisOptions
  metrics?: CacheMetricsOptions
  /** Options of `cacheEdge` in addition to the app's own rules, such as the proxies to purge. */
  edge?: Pick<CacheEdgeOptions, 'purge'>
  logger?: FastifyServerOptions['logger']
}

/** Builds the whole app, which does not listen yet. The routes use `request.cache` and do not depend on the implementation behind it. */
export async function buildApp ({ database, cache, redis, metrics, edge, logger = false }: AppOptions): Promise<FastifyInstance> {
  // Request logging is off, since two log lines would take most of the time of a request that hits.
  const logController = new LogController({ disableRequestLogging: true })
  // A text in a path or query is converted to a number if the schema asks for one, but an array with one item is not converted to its item.
  const ajv = { customOptions: { coerceTypes: true, allowUnionTypes: true } } as const
  const app = Fastify({ logger, logController, ajv })
  app.setErrorHandler(sendError)
  app.setNotFoundHandler(sendRouteNotFound)
  await app.register(cacheCore, { personal: PERSONAL_PATHS, ...cache })
  await app.register(cacheMetrics, metrics ?? {})
  await app.register(cacheEdge, { rules: EDGE_RULES, personal: PERSONAL_PATHS, ...edge })
  // Redis is registered last: it opens a connection, which would stay open if another plugin refused its options.
  await app.register(cacheRedis, redis ?? { enabled: false })
  addIdentity(app)

  const routes = [tableRoutes, recordRoutes, userRoutes, personalRoutes, publicRoutes, approvalRoutes, healthRoutes]
  for (const group of routes) await app.register(group, { database })
  await app.register(homeRoutes)
  return app
}
