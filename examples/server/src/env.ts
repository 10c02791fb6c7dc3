import createError from '@fastify/error'
import { cacheOptionsFromEnv, EnvReader, readCacheEnv, type CacheCoreOptions, type Env } from '@x/cache-core'
import { metricsOptionsFromEnv, type CacheMetricsOptions } from '@x/cache-metrics'

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
const RedisNotHere = createError('APP_ERR_ENV_REDIS',
  'CACHE_IMPL=redis and FEATURE_CACHE_REDIS=true need @x/cache-redis, which this server does not register: use CACHE_IMPL=null or CACHE_IMPL=memory')

/** What the environment asks of this server. */
export interface ServerEnv {
  host: string
  /** `0`: any free port. */
  port: number
  logLevel: typeof LOG_LEVELS[number]
  /** Where PostgreSQL keeps its files; undefined: in memory. */
  databaseDir: string | undefined
  cache: CacheCoreOptions
  metrics: CacheMetricsOptions
}

/** Reads the environment once; a value that does not parse throws one sentence that names the variable. */
export function readEnv (env: Env = process.env): ServerEnv {
  const reader = new EnvReader(env)
  if (readCacheEnv(env).implementation === 'redis') throw new RedisNotHere()
  const maxEntries = reader.number('CACHE_MAX_ENTRIES', { min: 1, max: 10_000_000, integer: true }) ?? 10_000
  const host = reader.text('HOST') ?? '127.0.0.1'
  return {
    host,
    port: reader.number('PORT', { min: 0, max: 65_535, integer: true }) ?? 8900,
    logLevel: reader.oneOf('LOG_LEVEL', LOG_LEVELS) ?? 'info',
    databaseDir: reader.text('DATABASE_DIR'),
    cache: { ...cacheOptionsFromEnv(env), memory: { maxEntries } },
    metrics: onHost(host, metricsOptionsFromEnv(env))
  }
}

/** What is not open to the world on one port must not be on the other. */
function onHost (host: string, metrics: CacheMetricsOptions): CacheMetricsOptions {
  const { listener } = metrics
  return typeof listener === 'object' ? { ...metrics, listener: { host, ...listener } } : metrics
}
