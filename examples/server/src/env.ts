import { cacheOptionsFromEnv, EnvReader, type CacheCoreOptions, type Env } from '@x/cache-core'
import { metricsOptionsFromEnv, type CacheMetricsOptions } from '@x/cache-metrics'
import { redisOptionsFromEnv, type CacheRedisOptions } from '@x/cache-redis'
import type { DatabaseAddress } from './database/connect.js'

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** The settings of this server from the environment. */
export interface ServerEnv {
  host: string
  /** The port to listen on; `0`: any free port. */
  port: number
  logLevel: typeof LOG_LEVELS[number]
  /** The directory of PostgreSQL's files; `undefined`: the database is in memory. */
  databaseDir: string | undefined
  /** The address at which another process serves the database; `undefined`: the database is in this process. */
  databaseAddress: DatabaseAddress | undefined
  /** The port on which this process alone serves the app, besides the port that the workers of a cluster share; `undefined`: none. */
  workerPort: number | undefined
  cache: CacheCoreOptions
  /** The options of Redis; `enabled` is `true` only if the environment asks for Redis. */
  redis: CacheRedisOptions
  metrics: CacheMetricsOptions
}

/** Reads the settings from the environment. A value that does not parse throws an error whose message names the variable. */
export function readEnv (env: Env = process.env): ServerEnv {
  const reader = new EnvReader(env)
  const maxEntries = reader.number('CACHE_MAX_ENTRIES', { min: 1, max: 10_000_000, integer: true }) ?? 10_000
  const host = reader.text('HOST') ?? '127.0.0.1'
  const databaseHost = reader.text('DATABASE_HOST')
  return {
    host,
    port: reader.number('PORT', { min: 0, max: 65_535, integer: true }) ?? 8900,
    logLevel: reader.oneOf('LOG_LEVEL', LOG_LEVELS) ?? 'info',
    databaseDir: reader.text('DATABASE_DIR'),
    databaseAddress: databaseHost === undefined ? undefined : { host: databaseHost, port: readDatabasePort(reader) },
    workerPort: reader.number('WORKER_PORT', { min: 0, max: 65_535, integer: true }),
    cache: { ...cacheOptionsFromEnv(env), memory: { maxEntries } },
    redis: redisOptionsFromEnv(env),
    metrics: onHost(host, metricsOptionsFromEnv(env))
  }
}

/** The port of the process that has the database, for that process and for its clients. */
export function readDatabasePort (reader: EnvReader): number {
  return reader.number('DATABASE_PORT', { min: 0, max: 65_535, integer: true }) ?? 8901
}

/**
 * Gives the second listener, which serves the metrics, the host of the app unless it has one of its own: the metrics must not be reachable
 * from hosts that cannot reach the app.
 */
function onHost (host: string, metrics: CacheMetricsOptions): CacheMetricsOptions {
  const { listener } = metrics
  return typeof listener === 'object' ? { ...metrics, listener: { host, ...listener } } : metrics
}
