import type { FastifyInstance } from 'fastify'
import { EndpointTaken } from './errors.js'
import type { CacheMetricsOptions, PromRegistry } from './options.js'
import type { OtelMetrics } from './metrics/otel.js'
import { toPromText } from './metrics/prom-text.js'
import { kOwnRoute } from './traffic/routes.js'
import { TEXT_TYPE } from './metrics/text.js'

/** The default paths of the pages of metrics. */
const PATHS = { prom: '/metrics/prom', otel: '/metrics/otel', json: '/metrics' }

/** One page of metrics. */
export interface Endpoint {
  /** Path on the app; `false`: only the second listener serves the page. */
  readonly path: string | false
  /** Path on the second listener. */
  readonly listenerPath: string
  contentType (): string
  render (): Promise<string | Buffer>
}

/** The pages of a prom-client registry and, if it is enabled, of OpenTelemetry. */
export function endpointsOf (registry: PromRegistry, otel: OtelMetrics | undefined, options: CacheMetricsOptions['endpoint'] = {}): Endpoint[] {
  const at = (page: keyof typeof PATHS) => {
    const path = options === false ? false : options[page] ?? PATHS[page]
    return { path, listenerPath: path === false ? PATHS[page] : path }
  }
  const pages: Endpoint[] = [{ ...at('prom'), contentType: () => registry.contentType, render: () => toPromText(registry) }]
  if (otel !== undefined) {
    pages.push({ ...at('otel'), contentType: () => TEXT_TYPE, render: () => otel.toText() })
    pages.push({ ...at('json'), contentType: () => 'application/json; charset=utf-8', render: async () => JSON.stringify(await otel.toJson()) })
  }
  return pages
}

/** Adds the pages to the app. Throws `CACHE_ERR_ENDPOINT_TAKEN` if a path has a route already. */
export function addEndpoints (fastify: FastifyInstance, endpoints: readonly Endpoint[]): void {
  for (const { path, contentType, render } of endpoints) {
    if (path === false) continue
    const url = `${fastify.prefix}${path}`
    if (fastify.hasRoute({ method: 'GET', url })) throw new EndpointTaken(url)
    fastify.get(path, {
      schema: { hide: true } as object,
      config: { [kOwnRoute]: true } as object
    }, async function showMetrics (_request, reply) {
      // The numbers change with each request, so no cache should store them.
      return reply.header('cache-control', 'no-store').type(contentType()).send(await render())
    })
  }
}
