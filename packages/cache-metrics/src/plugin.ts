import { DecoratorTaken, ensureCore, refuseSiblings } from '@x/cache-core/suite'
import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { AddressInfo } from 'node:net'
import { Registry } from 'prom-client'
import { addAdvisor } from './advisor/endpoint.js'
import { EdgeCounts } from './traffic/edge-counts.js'
import { CostLedger } from './ledger/cost-ledger.js'
import { addEndpoints, endpointsOf } from './endpoints.js'
import { AlreadyMeasured } from './errors.js'
import { MetricsListener } from './listener.js'
import { METRICS_DEFAULTS, resolveMetricsOptions, type CacheMetricsOptions, type PromRegistry } from './options.js'
import { loadOtel } from './metrics/load-otel.js'
import { addTo } from './metrics/prom-metric.js'
import { Traffic } from './traffic/traffic.js'

/**
 * The decorator `fastify.cacheMetrics`: the prom-client registry of the metrics, the second listener's address, and the size of the
 * advisor's tables.
 */
export interface CacheMetrics {
  /** The prom-client registry of the metrics: the app's, or the plugin's own. */
  readonly registry: PromRegistry
  /** The address of the second listener (option `listener`); `undefined` without one, and before the app is ready. */
  readonly listener: AddressInfo | undefined
  /** The bytes that the advisor's tables use; 0 without an advisor. */
  readonly advisorBytes: number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The registry and the second listener of the cache metrics. */
    cacheMetrics: CacheMetrics
  }
}

const NAME = '@x/cache-metrics'
const kMetrics = Symbol.for(`${NAME}.metrics`)

const plugin: FastifyPluginAsync<CacheMetricsOptions> = async function cacheMetrics (fastify, raw) {
  const options = resolveMetricsOptions(raw)
  if (fastify.hasDecorator(kMetrics)) {
    if (Object.keys(options).length > 0) throw new AlreadyMeasured()
    return
  }
  if (fastify.hasDecorator('cacheMetrics')) throw new DecoratorTaken('fastify.cacheMetrics')
  const { maxRoutes, otel, listener, advisor } = { ...METRICS_DEFAULTS, ...options }
  const { registry = new Registry() } = options
  refuseSiblings(fastify, NAME)
  const core = await ensureCore(fastify)
  core.registry.stats.measuresDurations = true
  // The counts of events are created at registration, since the edge and the cache may emit events before the first scrape.
  EdgeCounts.of(core.registry)
  CostLedger.of(core.registry)
  const traffic = new Traffic(core, maxRoutes)
  traffic.watch(fastify)
  core.registry.statusParts.set('arms', () => traffic.arms.report())
  const source = { cache: core.registry, traffic }
  const removeMetrics = addTo(registry, source)
  fastify.addHook('onClose', async function closeMetrics () {
    removeMetrics()
    core.registry.statusParts.delete('arms')
  })
  const otelMetrics = otel === false
    ? undefined
    : new (await loadOtel()).OtelMetrics(source, otel === true ? undefined : otel.meterProvider)
  if (otelMetrics !== undefined) fastify.addHook('onClose', async function closeOtel () { await otelMetrics.close() })
  const observer = advisor === false ? undefined : addAdvisor(fastify, core, traffic, advisor === true ? {} : advisor)
  const endpoints = endpointsOf(registry, otelMetrics, options.endpoint)
  addEndpoints(fastify, endpoints)
  const metricsListener = listener === false ? undefined : new MetricsListener(fastify, endpoints, listener === true ? {} : listener)
  fastify.decorate(kMetrics, true)
  fastify.decorate('cacheMetrics', {
    registry,
    get listener () { return metricsListener?.address },
    get advisorBytes () { return observer?.bytes ?? 0 }
  })
}

/** The plugin: measures the cache and the app's traffic, and exports the metrics to Prometheus and OpenTelemetry. */
export const cacheMetrics = fp(plugin, { fastify: '5.x', name: NAME })
