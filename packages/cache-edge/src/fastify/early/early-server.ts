import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createSecureServer, createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { EarlyAnswers } from './early-answers.js'

/** The early answers of one app; `undefined` until its plugin has loaded. */
interface Seam { answers: EarlyAnswers | undefined }

/** The options of Fastify that apply to its server. */
type ServerOptions = Pick<
  FastifyServerOptions, 'keepAliveTimeout' | 'requestTimeout' | 'connectionTimeout' | 'maxRequestsPerSocket' | 'forceCloseConnections'
> & {
  readonly http?: object; readonly https?: object | true | null; readonly http2?: boolean; readonly http2SessionTimeout?: number
}

// The symbol is in the global symbol registry (`Symbol.for`), since an app may load two copies of this module.
const kSeam = Symbol.for('@x/cache-edge.early-seam')
type SeamServer = { [kSeam]?: Seam }

/** A value of Fastify's option `serverFactory`. */
export type EarlyServerFactory = NonNullable<FastifyServerOptions['serverFactory']>

/**
 * Returns a `serverFactory` for `Fastify()`. Its server is the one that Fastify would make of its options (HTTP/1, HTTPS, HTTP/2). In
 * addition, it sends the responses of policies with `early` before Fastify's routing. One factory may be used for several apps.
 */
export function earlyServer (): EarlyServerFactory {
  // One app may have several servers with the same handler: Fastify makes one per address if `localhost` has several. They share their
  // early answers.
  const seams = new WeakMap<object, Seam>()
  return ((handler: RequestListener, options: ServerOptions): Server => {
    let seam = seams.get(handler)
    if (seam === undefined) seams.set(handler, seam = { answers: undefined })
    const own = seam
    const server = serverOf(options, (request: IncomingMessage, response: ServerResponse) => {
      if (own.answers?.answer(request, response) !== true) handler(request, response)
    })
    ;(server as SeamServer)[kSeam] = own
    return server
  }) as EarlyServerFactory
}

/** Places early answers in front of the routing of an app. `false`: its server does not come from {@link earlyServer}. */
export function placeInFront (fastify: FastifyInstance, answers: EarlyAnswers): boolean {
  const seam = (fastify.server as SeamServer)[kSeam]
  if (seam === undefined) return false
  seam.answers = answers
  return true
}

/** The server that Fastify makes of its options without a `serverFactory`. */
function serverOf (options: ServerOptions, listener: RequestListener): Server {
  const { http, http2, https, keepAliveTimeout = 0, requestTimeout = 0, connectionTimeout = 0, maxRequestsPerSocket = 0 } = options
  const secure = https === true ? {} : https
  if (http2 === true) return http2Server(options, listener) as unknown as Server
  const server = secure == null ? createServer(http ?? {}, listener) : createHttpsServer(secure, listener)
  server.keepAliveTimeout = keepAliveTimeout
  server.requestTimeout = requestTimeout
  server.setTimeout(connectionTimeout)
  if (maxRequestsPerSocket > 0) server.maxRequestsPerSocket = maxRequestsPerSocket
  return server
}

function http2Server (options: ServerOptions, listener: RequestListener): object {
  const { http, https, http2SessionTimeout = 0, connectionTimeout = 0, forceCloseConnections } = options
  const secure = https === true ? {} : https
  const server = secure == null ? createHttp2Server(http ?? {}, listener as never) : createSecureServer(secure, listener as never)
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
