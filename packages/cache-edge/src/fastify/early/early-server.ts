import type { FastifyServerOptions } from 'fastify'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createSecureServer, createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import { Seam, type Strategies } from './seam.js'

/** The options of Fastify that configure its HTTP server. */
type ServerOptions = Pick<
  FastifyServerOptions, 'keepAliveTimeout' | 'requestTimeout' | 'connectionTimeout' | 'maxRequestsPerSocket' | 'forceCloseConnections'
> & {
  readonly http?: object
  readonly https?: object | boolean | null
  readonly http2?: boolean
  readonly http2SessionTimeout?: number
  readonly routerOptions?: { readonly constraints?: Strategies }
}

/** The type of a value for Fastify's option `serverFactory`. */
export type EarlyServerFactory = NonNullable<FastifyServerOptions['serverFactory']>

/**
 * Returns a `serverFactory` for `Fastify()`. It makes the same server that Fastify would make for the app's options (HTTP/1, HTTPS,
 * HTTP/2). In addition, the server sends the responses of policies with `early` before Fastify's routing. One factory may be used for
 * several apps.
 */
export function earlyServer (): EarlyServerFactory {
  // One app may have several servers with the same handler: Fastify makes one per address if `localhost` has several. They share their
  // early answers.
  const seams = new WeakMap<object, Seam>()
  return ((handler: RequestListener, options: ServerOptions): Server => {
    const known = seams.get(handler)
    const seam = known ?? new Seam(handler)
    const server = serverOf(options, seam.listener)
    if (known === undefined) {
      seams.set(handler, seam)
      seam.expectApp(server as object, options.routerOptions?.constraints ?? {})
    }
    return server
  }) as EarlyServerFactory
}

/** Makes the server that Fastify would make of these options without a `serverFactory`. */
function serverOf (options: ServerOptions, listener: RequestListener): Server {
  const { http, http2, keepAliveTimeout = 0, requestTimeout = 0, connectionTimeout = 0, maxRequestsPerSocket = 0 } = options
  const secure = secureOptionsOf(options)
  if (http2) return http2Server(options, listener) as unknown as Server
  const server = secure === undefined ? createServer(http ?? {}, listener) : createHttpsServer(secure, listener)
  server.keepAliveTimeout = keepAliveTimeout
  server.requestTimeout = requestTimeout
  server.setTimeout(connectionTimeout)
  if (maxRequestsPerSocket > 0) server.maxRequestsPerSocket = maxRequestsPerSocket
  return server
}

/** The TLS options of a server; `undefined`: the server has no TLS, as with `https: false` or `null`, both of which Fastify accepts. */
function secureOptionsOf ({ https }: ServerOptions): object | undefined {
  return https === true ? {} : https || undefined
}

function http2Server (options: ServerOptions, listener: RequestListener): object {
  const { http, http2SessionTimeout = 0, connectionTimeout = 0, forceCloseConnections } = options
  const secure = secureOptionsOf(options)
  const server = secure === undefined ? createHttp2Server(http ?? {}, listener as never) : createSecureServer(secure, listener as never)
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session) => {
    session.setTimeout(http2SessionTimeout, () => { session.close() })
    if (forceCloseConnections !== true) return
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
  })
  server.setTimeout(connectionTimeout)
  if (forceCloseConnections !== true) return server
  return Object.assign(server, { closeHttp2Sessions () { for (const session of sessions) session.close() } })
}
