import { EnvReader, type Env } from '@x/cache-core'
import type { CacheMetricsOptions } from './options.js'

/**
 * Options of the metrics from the environment: `FEATURE_OTEL` (a boolean), and `METRICS_PORT` (the port of a second listener).
 * @throws `CACHE_ERR_ENV_INVALID` for a value that does not parse
 */
export function metricsOptionsFromEnv (env: Env = process.env): CacheMetricsOptions {
  const reader = new EnvReader(env)
  const otel = reader.boolean('FEATURE_OTEL')
  const port = reader.number('METRICS_PORT', { min: 0, max: 65_535, integer: true })
  return {
    ...otel === undefined ? {} : { otel },
    ...port === undefined ? {} : { listener: { port } }
  }
}
