import type { FastifyInstance } from 'fastify'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Endpoint } from './endpoints.js'
import { ListenerFailed } from './errors.js'
import { LISTENER_DEFAULTS } from './options.js'

/** The port and host of the second listener, the server for metrics alone; see the option `listener`. */
export interface ListenerOptions { port?: number; host?: string }

/** A second HTTP server that serves the pages of metrics only. It starts and closes with the app. */
export class MetricsListener {
  readonly #server: Server
  readonly #options: ListenerOptions

  constructor (fastify: FastifyInstance, endpoints: readonly Endpoint[], options: ListenerOptions) {
    this.#options = options
    const onError = (err: unknown): void => fastify.log.error({ err }, 'Cache metrics: the listener failed')
    this.#server = serverOf(endpoints, onError)
    // The listener starts in `onReady`, not in `onListen`: an error in `onListen` would be logged, and the app would start.
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
    // Not shared by the workers of a cluster, where a scrape would reach any of them: the second worker is refused instead.
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
    // Open connections of the metrics server are closed, too: scrapers leave connections open, and the server closes only after its
    // connections.
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
      // HEAD needs no case of its own: Node sends no body in a response to HEAD.
      response.writeHead(200, headers).end(text)
    }).catch((error: unknown) => {
      onError(error)
      response.writeHead(500).end()
    })
  })
}
