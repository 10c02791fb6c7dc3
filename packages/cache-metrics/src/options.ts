import type { MeterProvider } from '@opentelemetry/api'
import { checkOptions, defaultsOf } from '@x/cache-core/suite'
import type { Registry, RegistryContentType } from 'prom-client'
import { Type, type Static } from 'typebox'
import { DEFAULT_ENTRIES, DEFAULT_TTLS } from './advisor/curve/curve-options.js'
import { DEFAULT_WISHES } from './advisor/report/advice.js'
import { MIN_OBSERVED_SECONDS } from './advisor/report/go-no-go-gates.js'

/** A prom-client registry, of the Prometheus or the OpenMetrics text format. */
export type PromRegistry = Registry<RegistryContentType>

function having<T> (methods: readonly (keyof T & string)[], allowed: string) {
  return Type.Unsafe<T>(Type.Refine(Type.Unknown(),
    (value) => typeof value === 'object' && value !== null && methods.every((method) => typeof (value as T)[method] === 'function'),
    () => allowed))
}

const path = (fallback: string) => Type.Union([Type.Literal(false), Type.String({ pattern: '^/' })], { default: fallback })

const endpoint = Type.Object({
  /** The path of the page in Prometheus text; in OpenMetrics text if the registry has that format. */
  prom: Type.Optional(path('/metrics/prom')),
  /** The path of the page with OpenTelemetry's numbers as Prometheus text; only with option `otel`. */
  otel: Type.Optional(path('/metrics/otel')),
  /** The path of the page with OpenTelemetry's numbers as JSON; only with option `otel`. */
  json: Type.Optional(path('/metrics'))
}, { additionalProperties: false })

const listener = Type.Object({
  /** The TCP port; `0`: any free port. The default is the default port of OpenTelemetry's exporter for Prometheus. */
  port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535, default: 9464 })),
  /**
   * The host name or address on which the second listener listens.
   * @default all interfaces
   */
  host: Type.Optional(Type.String({ minLength: 1 }))
}, { additionalProperties: false })

const advisor = Type.Object({
  /**
   * Whether the advisor observes for any value of `NODE_ENV`, also where the endpoint of its report is closed, as in production without a
   * guard; its estimates are then available as the metric `cache_advised_hit_rate`. `false`: it observes only where the endpoint is open.
   */
  production: Type.Optional(Type.Boolean({ default: false })),
  /**
   * Whether the advisor's state is stored over restarts and merged over processes, in the store of the cache if it has one (Redis). A text
   * is the path of a file, which is used if the cache has no store; each process needs its own file. `false`: no state is stored.
   */
  keep: Type.Optional(Type.Union([Type.Boolean(), Type.String({ minLength: 1 })], { default: true })),
  /**
   * The secret salt of the hashes of keys, of 16 characters or more. Processes whose accesses `cache-advisor` merges need the same salt.
   * @default a random salt in the store or the file; without either, no accesses are recorded
   */
  salt: Type.Optional(Type.String({ minLength: 16, maxLength: 1000 })),
  /** The share of hits that may be stale, 0 to 1; 0.001 is 10 in 10 000. */
  staleTolerance: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: DEFAULT_WISHES.staleTolerance })),
  /** The number of requests of a key pattern or route below which no advice is given. */
  minRequests: Type.Optional(Type.Integer({ minimum: 1, default: DEFAULT_WISHES.minRequests })),
  /** Days of observation before a gate has the verdict go or no-go. */
  minDays: Type.Optional(Type.Number({ minimum: 0, default: MIN_OBSERVED_SECONDS / 86_400 })),
  /** The ttls, in seconds, for which hit rates are estimated: 1 to 8 numbers. */
  ttls: Type.Optional(Type.Array(Type.Number({ exclusiveMinimum: 0, maximum: 30 * 86_400 }), {
    minItems: 1, maxItems: 8, default: [...DEFAULT_TTLS]
  })),
  /** The cache sizes, in entries, for which hit rates are estimated: 1 to 5 numbers. */
  entries: Type.Optional(Type.Array(Type.Integer({ minimum: 1, maximum: 100_000_000 }), {
    minItems: 1, maxItems: 5, default: [...DEFAULT_ENTRIES]
  }))
}, { additionalProperties: false })

/** The options of `register(cacheMetrics, …)`. */
export const metricsSchema = Type.Object({
  /**
   * The prom-client registry to which the metrics are added: the app's own, or prom-client's global `register`.
   * @default a private registry
   */
  registry: Type.Optional(having<PromRegistry>(['registerMetric', 'getSingleMetric', 'metrics'], 'a prom-client Registry')),
  /** Paths of the endpoints on the app; `false` disables one endpoint, or all. The second listener serves all of them in any case. */
  endpoint: Type.Optional(Type.Union([Type.Literal(false), endpoint])),
  /** The maximum number of routes with a label of their own; the others share the label `other`. */
  maxRoutes: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 200 })),
  /**
   * Export of the metrics through OpenTelemetry; requires `@opentelemetry/sdk-metrics`, which is loaded only with this option. `true`, or
   * `{ meterProvider }`: the app's own provider, in place of the global one of `@opentelemetry/api`.
   */
  otel: Type.Optional(Type.Union([
    Type.Boolean(),
    Type.Object({
      /**
       * The app's own meter provider of OpenTelemetry, which also gets the metrics.
       * @default the global provider of `@opentelemetry/api`
       */
      meterProvider: Type.Optional(having<MeterProvider>(['getMeter'], 'a MeterProvider'))
    }, { additionalProperties: false })
  ], { default: false })),
  /**
   * The advisor, whose report is at `/internal/cache/advice`. `true`: it observes wherever that path is open. An object: settings of the
   * [advice](#advice); with `production` it also observes where the path is closed.
   */
  advisor: Type.Optional(Type.Union([Type.Boolean(), advisor], { default: true })),
  /** Whether a second listener, on a separate port, serves the metrics and nothing else; or its options. */
  listener: Type.Optional(Type.Union([Type.Boolean(), listener], { default: false }))
}, { additionalProperties: false })

/** Options of `register(cacheMetrics, …)`. */
export type CacheMetricsOptions = Static<typeof metricsSchema>

/** The default paths of the endpoints for metrics. */
export const ENDPOINT_DEFAULTS = defaultsOf(endpoint, 'prom', 'otel', 'json')
/** The default port of the second listener. */
export const LISTENER_DEFAULTS = defaultsOf(listener, 'port')
/** The defaults of the advisor's options `production` and `keep`. */
export const ADVISOR_DEFAULTS = defaultsOf(advisor, 'production', 'keep')
/** The defaults of the options `maxRoutes`, `otel`, `advisor` and `listener`. */
export const METRICS_DEFAULTS = defaultsOf(metricsSchema, 'maxRoutes', 'otel', 'advisor', 'listener')

/**
 * Checks the options of `register(cacheMetrics, …)`. It adds no defaults, which are in `METRICS_DEFAULTS`.
 * @throws `CACHE_ERR_OPTION_INVALID`
 */
export function resolveMetricsOptions (raw: object): CacheMetricsOptions {
  return checkOptions(metricsSchema, raw)
}
