import type { FastifyInstance, FastifyRequest } from 'fastify'
import { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

/** A GET request that the app sends to its own router. */
export interface LoopbackRequest {
  /** The raw request target, which is sent unchanged. */
  readonly url: string
  /** The request headers, with lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  readonly peer: Peer
  /** Whether the client's request came over HTTP/2; the handler of the background request then sees that version. */
  readonly isHttp2: boolean
}

/** The addresses and ports of both ends of a connection, and whether it is encrypted. */
export type Peer = Readonly<Partial<Record<typeof OF_PEER[number], unknown>>>

/** Properties of a socket that describe the peer and the protocol of a request; over a Unix socket these properties are `undefined`. */
const OF_PEER = ['remoteAddress', 'remotePort', 'remoteFamily', 'localAddress', 'localPort', 'localFamily', 'encrypted', 'servername', 'alpnProtocol'] as const

/** Returns the peer of a socket; call it while the connection is open. */
export function peerOf (socket: object | null | undefined): Peer {
  return Object.fromEntries(OF_PEER.map((name) => [name, (socket as Peer | null | undefined)?.[name]]))
}

/**
 * Sends a request to the app's own router. Unlike `inject`, it neither normalises the target nor chooses the address and the protocol.
 * Resolves with the status once the response has been sent or has broken off; the body of the response is dropped. Rejects with the error
 * by which the app destroys request, response or socket.
 * @param mark called with the raw request before any hook runs
 */
export function askItself (fastify: FastifyInstance, { url, headers, peer, isHttp2 }: LoopbackRequest, mark: (raw: FastifyRequest['raw']) => void): Promise<number> {
  const socket = new LoopbackSocket(peer) as unknown as Socket
  const request = new IncomingMessage(socket)
  Object.assign(request, { method: 'GET', url, httpVersion: '1.1', httpVersionMajor: 1, httpVersionMinor: 1, complete: true })
  request.headers = { ...headers }
  request.rawHeaders = Object.entries(headers).flat()
  request.headersDistinct = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))
  request.push(null)
  const response = new ServerResponse(request)
  response.assignSocket(socket)
  // The HTTP version is set after the response was created: Node would create another kind of response for a request of HTTP/2.
  if (isHttp2) Object.assign(request, { httpVersion: '2.0', httpVersionMajor: 2, httpVersionMinor: 0 })
  socket.on('drain', () => { if (!response.writableEnded) response.emit('drain') })
  // The request is resumed and the socket destroyed, as Node's server does after each response; an app may wait for the end of the request
  // or the close of the socket.
  response.once('finish', () => {
    request.resume()
    socket.destroy()
  })
  return new Promise((resolve, reject) => {
    // The listeners are those of Node's server: an error of one response must not end the process.
    for (const emitter of [request, response, socket]) emitter.on('error', reject)
    response.once('close', () => resolve(response.statusCode))
    mark(request)
    fastify.routing(request, response)
  })
}

/** A socket that is connected to no peer, with the address and the protocol of a client's connection. */
class LoopbackSocket extends Duplex {
  constructor (peer: Peer) {
    super()
    Object.assign(this, peer)
  }

  override _read (): void {}
  override _write (_chunk: unknown, _encoding: string, done: () => void): void { done() }
  override _writev (_chunks: unknown, done: () => void): void { done() }
  setTimeout (): this { return this }
  setNoDelay (): this { return this }
  setKeepAlive (): this { return this }
  ref (): this { return this }
  unref (): this { return this }
}
