import type { MeterProvider } from '@opentelemetry/api'
import { resolveOptions } from '@x/cache-core/suite'
import type { Registry, RegistryContentType } from 'prom-client'
import { Type, type Static } from 'typebox'

/** A prom-client registry of either text format. */
export type PromRegistry = Registry<RegistryContentType>

function having<T> (methods: readonly (keyof T & string)[], allowed: string) {
  return Type.Unsafe<T>(Type.Refine(Type.Unknown(),
    (value) => typeof value === 'object' && value !== null && methods.every((method) => typeof (value as T)[method] === 'function'),
    () => allowed))
}

const path = () => Type.Union([Type.Literal(false), Type.String({ pattern: '^/' })])

const schema = Type.Object({
  /**
   * The prom-client registry that gets the metrics: the app's own, or prom-client's global `register`.
   * @default a private one
   */
  registry: Type.Optional(having<PromRegistry>(['registerMetric', 'getSingleMetric', 'metrics'], 'a prom-client Registry')),
  /** Paths of the endpoints on the app; `false` disables one of them, or all. */
  endpoint: Type.Optional(Type.Union([
    Type.Literal(false),
    Type.Object({
      /**
       * Prometheus text.
       * @default `/metrics/prom`
       */
      prom: Type.Optional(path()),
      /**
       * OpenTelemetry's numbers as Prometheus text.
       * @default `/metrics/otel`
       */
      otel: Type.Optional(path()),
      /**
       * OpenTelemetry's numbers as JSON.
       * @default `/metrics`
       */
      json: Type.Optional(path())
    }, { additionalProperties: false })
  ])),
  /**
   * Routes with a label of their own; the others share the label `other`.
   * @default 200
   */
  maxRoutes: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
  /**
   * Export of the metrics through OpenTelemetry.
   * @default `false`: its packages are not loaded
   */
  otel: Type.Optional(Type.Union([
    Type.Boolean(),
    Type.Object({
      /**
       * The app's own provider, which also gets the instruments.
       * @default the global provider of `@opentelemetry/api`
       */
      meterProvider: Type.Optional(having<MeterProvider>(['getMeter'], 'a MeterProvider'))
    }, { additionalProperties: false })
  ])),
  /**
   * The advisor, whose report is at `/internal/cache/advice`.
   * @default `true`: it observes wherever that path is open
   */
  advisor: Type.Optional(Type.Union([
    Type.Boolean(),
    Type.Object({
      /**
       * Share of the hits that may be stale, 0 to 1.
       * @default 0.001, which is 10 in 10 000
       */
      staleTolerance: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
      /**
       * Requests of a key pattern or route below which nothing is advised.
       * @default 200
       */
      minRequests: Type.Optional(Type.Integer({ minimum: 1 })),
      /**
       * Days of observation before a gate says go or no-go.
       * @default 7
       */
      minDays: Type.Optional(Type.Number({ minimum: 0 })),
      /**
       * The ttls, in seconds, whose hit rates are estimated: 1 to 8 numbers.
       * @default 1 s to 1 day
       */
      ttls: Type.Optional(Type.Array(Type.Number({ exclusiveMinimum: 0, maximum: 30 * 86_400 }), { minItems: 1, maxItems: 8 })),
      /**
       * The cache sizes, in entries, whose hit rates are estimated: 1 to 5 numbers.
       * @default 100 to 100 000
       */
      entries: Type.Optional(Type.Array(Type.Integer({ minimum: 1, maximum: 100_000_000 }), { minItems: 1, maxItems: 5 }))
    }, { additionalProperties: false })
  ])),
  /**
   * A second listener that serves the metrics and nothing else.
   * @default `false`
   */
  listener: Type.Optional(Type.Union([
    Type.Boolean(),
    Type.Object({
      /**
       * TCP port.
       * @default 9464; `0`: any free port
       */
      port: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
      /**
       * Host name or address to listen on.
       * @default all interfaces
       */
      host: Type.Optional(Type.String({ minLength: 1 }))
    }, { additionalProperties: false })
  ]))
}, { additionalProperties: false })

/** Options of `register(cacheMetrics, …)`. */
export type CacheMetricsOptions = Static<typeof schema>

/**
 * Checks the options.
 * @throws `CACHE_ERR_OPTION_INVALID`
 */
export function resolveMetricsOptions (raw: object): CacheMetricsOptions {
  return resolveOptions(schema, raw)
}
