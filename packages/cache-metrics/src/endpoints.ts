import type { FastifyInstance } from 'fastify'
import { EndpointTaken } from './errors.js'
import { ENDPOINT_DEFAULTS, type CacheMetricsOptions, type PromRegistry } from './options.js'
import type { OtelMetrics } from './metrics/otel.js'
import { toPromText } from './metrics/prom-text.js'
import { kOwnRoute } from './traffic/routes.js'
import { TEXT_TYPE } from './metrics/text.js'

/** The default paths of the pages with metrics, on the app and on the second listener. */
const PATHS = ENDPOINT_DEFAULTS as { readonly prom: string; readonly otel: string; readonly json: string }

/** One page of metrics, such as `/metrics/prom`. */
export interface Endpoint {
  /** The path of the page with metrics on the app; `false`: only the second listener serves the page. */
  readonly path: string | false
  /** The path of the page with metrics on the second listener, which is a server on a separate port. */
  readonly listenerPath: string
  contentType (): string
  render (): Promise<string | Buffer>
}

/** The pages of a prom-client registry and, if option `otel` is set, of OpenTelemetry. */
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

/**
 * Adds the pages of metrics to the app, as GET routes.
 * @throws `CACHE_ERR_ENDPOINT_TAKEN` if the app has a route at the path of a page already
 */
export function addEndpoints (fastify: FastifyInstance, endpoints: readonly Endpoint[]): void {
  for (const { path, contentType, render } of endpoints) {
    if (path === false) continue
    const url = `${fastify.prefix}${path}`
    if (fastify.hasRoute({ method: 'GET', url })) throw new EndpointTaken(url)
    fastify.get(path, {
      schema: { hide: true } as object,
      config: { [kOwnRoute]: true } as object
    }, async function showMetrics (_request, reply) {
      // The metrics change with each request, so no cache should store a page of metrics.
      return reply.header('cache-control', 'no-store').type(contentType()).send(await render())
    })
  }
}
