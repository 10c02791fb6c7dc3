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

/** Parts of a socket that identify the client, or tell by which name, address or protocol it has come here. */
const OF_CLIENT = new Set<string | symbol>([
  'remoteAddress', 'remotePort', 'remoteFamily', 'getPeerCertificate', 'getPeerX509Certificate', 'getSession', 'getTLSTicket', 'authorized',
  'servername', 'alpnProtocol', 'address', 'localAddress', 'localPort', 'localFamily'
])

const kSeen = Symbol('@x/cache-edge.seen')

/** A value, in the place of the one that an object has. */
interface Replaced {
  readonly object: Record<string, unknown>
  readonly name: string
  readonly shown: unknown
  readonly hidden: unknown
  /** Whether it lies as an own property over a getter of the prototype, which has no setter. */
  readonly isOver: boolean
}

/**
 * Parts of a Fastify request that identify the client or the request, with the way to read them. They stay on the request once
 * it was shown to a handler: to take them off again costs more than the handler of a small page.
 */
const IDENTIFYING: PropertyDescriptorMap = Object.fromEntries(['id', 'ip', 'ips'].map((part) => [part, {
  get (this: Seen) { return this[kSeen]!.identify(part) },
  set (this: Seen, value: unknown) { this[kSeen]!.own[part] = value },
  configurable: true,
  enumerable: true
}]))
const { id, ip } = IDENTIFYING
const WITHOUT_PROXY = { id, ip } as PropertyDescriptorMap

type Seen = FastifyRequest & { [kSeen]?: ShownRequest; additionalHeaders?: Record<string, unknown> | null; cookies?: unknown }

/**
 * Shows a handler these parts of a request alone, in every place where Node and Fastify keep them: the raw message with its
 * list of header lines, the Fastify request with the copy of a header validator and the cookies that `@fastify/cookie` parsed.
 * Trailers need none: a request with a body is shown whole.
 */
export function showTo (request: FastifyRequest, shown: Shown): SeenRequest {
  const seen = new ShownRequest(request, shown)
  seen.showSome()
  return seen
}

class ShownRequest implements SeenRequest {
  readonly #onIdentity: Shown['onIdentity']
  #isOn = false
  /** Parts that the request has itself: its id, and what an app has set. */
  readonly own: Record<string, unknown>
  readonly #request: Seen
  readonly #replaced: Replaced[] = []

  constructor (request: Seen, { headers, scheme, host, onIdentity }: Shown) {
    const { raw } = request
    this.#onIdentity = onIdentity
    this.#request = request
    const before = request[kSeen]
    this.own = before?.own ?? { id: request.id }
    request[kSeen] = this
    // Fastify reads the address of the peer for these, where it may trust a proxy. Over HTTP/2 the protocol goes with the connection.
    const isProxied = 'ips' in request
    const isHttp2 = raw.httpVersionMajor >= 2
    if (before === undefined) Object.defineProperties(request, isProxied ? IDENTIFYING : WITHOUT_PROXY)
    if (isProxied) this.#cover(request, 'host', host)
    if (isProxied || isHttp2) this.#cover(request, 'protocol', scheme)
    if (request.additionalHeaders != null) this.#replace(request, 'additionalHeaders', shownCopy(request.additionalHeaders, raw.headers, headers))
    const lines: string[] = []
    const distinct: Record<string, string[]> = {}
    for (const name of Object.keys(headers)) {
      const values = [headers[name] ?? []].flat().map(String)
      distinct[name] = values
      for (const value of values) lines.push(name, value)
    }
    // Over HTTP/2 they are getters of the prototype, except those of a background request.
    const put = (object: object, name: string, shown: unknown): void => isHttp2 && !Object.hasOwn(object, name) ? this.#cover(object, name, shown) : this.#replace(object, name, shown)
    put(raw, 'headers', headers)
    put(raw, 'rawHeaders', lines)
    // Node works it out of the lines at the first access.
    this.#replaced.push({ object: raw as never, name: 'headersDistinct', shown: distinct, hidden: Object.hasOwn(raw, 'headersDistinct') ? raw.headersDistinct : undefined, isOver: false })
    if (isHttp2) {
      this.#cover(raw, 'authority', host)
      this.#cover(raw, 'scheme', scheme)
    }
    // The answer to one of HTTP/1.0 may be stored for all.
    if (raw.httpVersion === '1.0') {
      this.#replace(raw, 'httpVersion', '1.1')
      this.#replace(raw, 'httpVersionMinor', 1)
    }
    const { socket } = raw
    if (onIdentity === undefined) return
    if (typeof request.cookies === 'object' && request.cookies !== null) this.#replace(request, 'cookies', {})
    if (socket == null) return
    const watched = watch(socket, onIdentity)
    put(raw, 'socket', watched)
    // Node keeps the same socket under this older name.
    if (Object.hasOwn(raw, 'client')) this.#replace(raw, 'client', watched)
  }

  /** The value of an identifying part, worked out of the whole request. */
  identify (part: string): unknown {
    if (!this.#isOn) return this.#read(part)
    this.#onIdentity?.(`request.${part}`)
    this.showAll()
    try {
      return this.#read(part)
    } finally {
      this.showSome()
    }
  }

  #read (part: string): unknown {
    return Object.hasOwn(this.own, part) ? this.own[part] : Reflect.get(Object.getPrototypeOf(this.#request) as object, part, this.#request)
  }

  showSome = (): void => {
    if (this.#isOn) return
    this.#isOn = true
    for (const { object, name, shown, isOver } of this.#replaced) {
      if (isOver) Object.defineProperty(object, name, { value: shown, configurable: true, writable: true, enumerable: true })
      else object[name] = shown
    }
  }

  showAll = (): void => {
    if (!this.#isOn) return
    this.#isOn = false
    for (const { object, name, hidden, isOver } of this.#replaced) {
      if (isOver) delete object[name]
      else object[name] = hidden
    }
  }

  #replace (object: object, name: string, shown: unknown): void {
    this.#replaced.push({ object: object as Record<string, unknown>, name, shown, hidden: (object as Record<string, unknown>)[name], isOver: false })
  }

  #cover (object: object, name: string, shown: unknown): void {
    this.#replaced.push({ object: object as Record<string, unknown>, name, shown, hidden: undefined, isOver: true })
  }
}

/** Of a validator's copy, the fields that are shown. One that stands for another value than was sent, such as a validator of the store, has that. */
function shownCopy (copy: Record<string, unknown>, sent: IncomingHttpHeaders, shown: IncomingHttpHeaders): Record<string, unknown> {
  return Object.fromEntries(Object.entries(copy).filter(([name]) => Object.hasOwn(shown, name)).map(([name, value]) => [name, shown[name] === sent[name] ? value : shown[name]]))
}

/** The socket, for Node's own use of it as well. */
function watch<T extends object> (socket: T, onIdentity: (part: string) => void): T {
  return new Proxy(socket, {
    get (target, name) {
      if (OF_CLIENT.has(name)) onIdentity(`request.socket.${String(name)}`)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' && name !== 'constructor' ? value.bind(target) : value
    },
    set: (target, name, value) => Reflect.set(target, name, value, target)
  })
}
