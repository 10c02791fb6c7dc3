import { EnvReader, type Env } from '@x/cache-core'
import type { CacheMetricsOptions } from './options.js'

/**
 * Options of the metrics from `FEATURE_OTEL`, and from `METRICS_PORT`: a second listener on that port. A value that does not
 * parse throws `CACHE_ERR_ENV_INVALID`.
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
