import type { FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'

/** Parts of a request that its handler sees, until the others are brought back. */
export interface SeenRequest { readonly showSome: () => void; readonly showAll: () => void }

/** The parts of a request that a handler is shown. */
export interface Shown {
  readonly headers: IncomingHttpHeaders
  readonly scheme: string
  readonly host: string
  /** Called when the handler reads what identifies the client or the request; `undefined`: it may. */
  readonly onIdentity: ((part: string) => void) | undefined
}

/** Parts of a socket that identify the client. */
const OF_CLIENT = new Set<string | symbol>(['remoteAddress', 'remotePort', 'remoteFamily', 'getPeerCertificate', 'getPeerX509Certificate', 'getSession', 'getTLSTicket', 'authorized'])

type Descriptors = Record<string, PropertyDescriptor>

/**
 * Shows a handler these parts of a request alone, in every place where Node and Fastify keep them: the raw message with its
 * lists of header lines, the Fastify request with the copy of a header validator and the cookies that `@fastify/cookie` parsed.
 */
export function showTo (request: FastifyRequest, shown: Shown): SeenRequest {
  const { raw } = request
  const parts = [new Cover(raw, rawParts(raw, shown)), new Cover(request, requestParts(request, shown, { showSome, showAll }))]
  function showSome (): void { for (const part of parts) part.put() }
  function showAll (): void { for (const part of parts) part.remove() }
  showSome()
  return { showSome, showAll }
}

/** Own properties that lie over those of an object for a while. */
class Cover {
  readonly #object: object
  readonly #descriptors: Descriptors
  readonly #before: Array<[name: string, own: PropertyDescriptor | undefined]>
  #isPut = false

  constructor (object: object, descriptors: Descriptors) {
    this.#object = object
    this.#descriptors = descriptors
    this.#before = Object.keys(descriptors).map((name) => [name, Object.getOwnPropertyDescriptor(object, name)])
  }

  put (): void {
    if (this.#isPut) return
    this.#isPut = true
    Object.defineProperties(this.#object, this.#descriptors)
  }

  remove (): void {
    if (!this.#isPut) return
    this.#isPut = false
    for (const [name, own] of this.#before) {
      if (own !== undefined) Object.defineProperty(this.#object, name, own)
      else delete (this.#object as Record<string, unknown>)[name]
    }
  }
}

function rawParts (raw: FastifyRequest['raw'], { headers, scheme, host, onIdentity }: Shown): Descriptors {
  const lines = Object.entries(headers).flatMap(([name, value]) => [value ?? []].flat().map((line) => [name, String(line)] as const))
  const distinct: Record<string, string[]> = {}
  for (const [name, line] of lines) (distinct[name] ??= []).push(line)
  const parts: Descriptors = {
    headers: own(headers),
    rawHeaders: own(lines.flat()),
    headersDistinct: own(distinct),
    trailers: own({}),
    rawTrailers: own([]),
    trailersDistinct: own({})
  }
  if (raw.httpVersionMajor >= 2) Object.assign(parts, { authority: own(host), scheme: own(scheme) })
  const { socket } = raw
  if (onIdentity !== undefined && socket != null) {
    parts.socket = own(watched(socket, onIdentity))
    // The name of Node's first versions.
    if (Object.hasOwn(raw, 'client')) parts.client = parts.socket
  }
  return parts
}

function requestParts (request: FastifyRequest, { headers, scheme, host, onIdentity }: Shown, { showSome, showAll }: SeenRequest): Descriptors {
  const { additionalHeaders, cookies } = request as { additionalHeaders?: object; cookies?: unknown }
  // A socket that closes meanwhile takes its protocol along.
  const parts: Descriptors = { protocol: own(scheme), host: own(host) }
  if (additionalHeaders != null) parts.additionalHeaders = own(Object.fromEntries(Object.entries(additionalHeaders).filter(([name]) => Object.hasOwn(headers, name))))
  if (onIdentity !== undefined && typeof cookies === 'object' && cookies !== null) parts.cookies = own({})
  // The address is worked out of headers that are hidden.
  const whole = <T>(read: () => T): T => {
    showAll()
    try {
      return read()
    } finally {
      showSome()
    }
  }
  const { id } = request
  if (onIdentity !== undefined) parts.id = identifying('id', () => id)
  parts.ip = identifying('ip', () => whole(() => request.ip))
  if ('ips' in request) parts.ips = identifying('ips', () => whole(() => request.ips))
  return parts

  function identifying (part: string, get: () => unknown): PropertyDescriptor {
    return {
      get () {
        onIdentity?.(`request.${part}`)
        return get()
      },
      // An app may give a request another id.
      set (value: unknown) { Object.defineProperty(request, part, own(value)) },
      configurable: true,
      enumerable: true
    }
  }
}

/** The socket, for Node's own use of it as well. */
function watched<T extends object> (socket: T, onIdentity: (part: string) => void): T {
  return new Proxy(socket, {
    get (target, name) {
      if (OF_CLIENT.has(name)) onIdentity(`request.socket.${String(name)}`)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' && name !== 'constructor' ? value.bind(target) : value
    },
    set: (target, name, value) => Reflect.set(target, name, value, target)
  })
}

function own (value: unknown): PropertyDescriptor {
  return { value, configurable: true, writable: true, enumerable: true }
}
