import { EnvReader, type Env } from '@x/cache-core'
import type { CacheMetricsOptions } from './options.js'

/**
 * Options of the metrics from the environment: `FEATURE_OTEL` (a boolean), `METRICS_PORT` (the port of a second listener),
 * `FEATURE_CACHE_ADVICE` (true: the advisor observes for any `NODE_ENV`; false: there is none), and `CACHE_ADVICE_SALT` (the advisor's salt).
 * @throws `CACHE_ERR_ENV_INVALID` for a value that does not parse
 */
export function metricsOptionsFromEnv (env: Env = process.env): CacheMetricsOptions {
  const reader = new EnvReader(env)
  const otel = reader.boolean('FEATURE_OTEL')
  const port = reader.number('METRICS_PORT', { min: 0, max: 65_535, integer: true })
  const isOn = reader.boolean('FEATURE_CACHE_ADVICE')
  const salt = reader.text('CACHE_ADVICE_SALT')
  const advisor = { ...isOn === true ? { production: true } : {}, ...salt === undefined ? {} : { salt } }
  return {
    ...isOn === false ? { advisor: false } : Object.keys(advisor).length === 0 ? {} : { advisor },
    ...otel === undefined ? {} : { otel },
    ...port === undefined ? {} : { listener: { port } }
  }
}
