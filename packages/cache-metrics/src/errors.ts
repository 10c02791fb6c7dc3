import { createError } from '@x/cache-core/suite'

/** Thrown if the prom-client registry already has a foreign metric with the name of a cache metric. */
export const MetricTaken = createError<[name: string]>('CACHE_ERR_METRIC_TAKEN',
  'The prom-client registry has a metric "%s" that is not of @x/cache-metrics: rename or remove that one, or leave out option "registry", and the cache metrics get one of their own')
/** Thrown if the app already has a route at the path of an endpoint for metrics. */
export const EndpointTaken = createError<[path: string]>('CACHE_ERR_ENDPOINT_TAKEN',
  'There is a route GET %s already: give the metrics another path with option "endpoint", or none with endpoint: false')
/** Thrown if the second listener, which serves the metrics on a separate port, cannot listen on this port. */
export const ListenerFailed = createError<[host: string, port: number, why: string, because: { cause: unknown }]>('CACHE_ERR_METRICS_LISTENER',
  'The metrics cannot listen on %s:%d (%s): choose another port with option "listener" or METRICS_PORT, 0 for any; each worker of a cluster needs its own')
/** Thrown if option `otel` is set and the OpenTelemetry SDK, an optional peer dependency, is not installed. */
export const OtelMissing = createError<[because: { cause: unknown }]>('CACHE_ERR_OTEL_MISSING',
  'Option "otel" needs @opentelemetry/sdk-metrics, which is not installed: npm install @opentelemetry/sdk-metrics@^2, or leave out "otel" and FEATURE_OTEL')
/** Thrown if the plugin `cacheMetrics` is registered a second time with options, since the second options would have no effect. */
export const AlreadyMeasured = createError('CACHE_ERR_METRICS_REGISTERED',
  '@x/cache-metrics is registered already, and the options of a second registration would be ignored: keep one')
/**
 * Thrown if the sampled accesses are requested and the advisor has recorded none. Without a salt for the hashes of keys, the accesses could
 * not be merged with those of other processes.
 */
export const AccessesNotRecorded = createError('CACHE_ERR_ADVICE_NOT_RECORDED',
  'The advisor records no accesses: give all apps that are to be merged the same secret with option "advisor.salt" of @x/cache-metrics or CACHE_ADVICE_SALT', 409)
