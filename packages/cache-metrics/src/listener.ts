import type { FastifyInstance } from 'fastify'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Endpoint } from './endpoints.js'
import { ListenerFailed } from './errors.js'
import { LISTENER_DEFAULTS } from './options.js'

/** The port and host of the second listener, the server for metrics alone; see the option `listener`. */
export interface ListenerOptions { port?: number; host?: string }

/** A second HTTP server that serves only the pages of metrics. It starts and closes with the app. */
export class MetricsListener {
  readonly #server: Server
  readonly #options: ListenerOptions

  constructor (fastify: FastifyInstance, endpoints: readonly Endpoint[], options: ListenerOptions) {
    this.#options = options
    const onError = (err: unknown): void => fastify.log.error({ err }, 'Cache metrics: the listener failed')
    this.#server = serverOf(endpoints, onError)
    // The listener starts in the hook `onReady`, since an error in the hook `onListen` would only be logged, and the app would start
    // without metrics.
    fastify.addHook('onReady', async () => {
      await this.#start()
      this.#server.on('error', onError)
      const { address, port, family } = this.address!
      fastify.log.info(`Cache metrics: listening on http://${family === 'IPv6' ? `[${address}]` : address}:${port}`)
    })
    fastify.addHook('onClose', async () => { await this.#stop() })
  }

  /** The address of the server for metrics; `undefined` while it does not listen. */
  get address (): AddressInfo | undefined {
    return this.#server.address() as AddressInfo | null ?? undefined
  }

  /** Begins to listen on the port for metrics. Rejects with `CACHE_ERR_METRICS_LISTENER` if the server cannot listen. */
  async #start (): Promise<void> {
    const { port = LISTENER_DEFAULTS.port, host } = this.#options
    // The port is not shared by the workers of a cluster, since a scrape would reach any one of them; instead, a second worker on the port
    // is refused.
    this.#server.listen({ port, host, exclusive: true })
    try {
      await once(this.#server, 'listening')
    } catch (cause) {
      throw new ListenerFailed(host ?? '*', port, (cause as NodeJS.ErrnoException).code ?? String(cause), { cause })
    }
  }

  async #stop (): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    // Open connections of the metrics server are closed, since scrapers leave connections open, and a server ends only after its
    // connections have ended.
    this.#server.closeAllConnections()
    await closed
  }
}

function serverOf (endpoints: readonly Endpoint[], onError: (error: unknown) => void): Server {
  const pages = new Map(endpoints.map((endpoint) => [endpoint.listenerPath, endpoint]))
  return createServer((request, response) => {
    const page = pages.get(request.url!.split('?', 1)[0]!)
    if (page === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404).end()
      return
    }
    page.render().then((text) => {
      const headers = { 'content-type': page.contentType(), 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store' }
      // A HEAD request needs no special case, since Node sends no body in its response.
      response.writeHead(200, headers).end(text)
    }).catch((error: unknown) => {
      onError(error)
      response.writeHead(500).end()
    })
  })
}
