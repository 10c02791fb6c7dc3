import type { FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import { ReplacedProperties } from './patches.js'

/** A request of which some parts are shown, or all. */
export interface SeenRequest { readonly showSome: () => void; readonly showAll: () => void }

/** The parts of a request that a handler is shown. */
export interface Shown {
  readonly headers: IncomingHttpHeaders
  readonly scheme: string
  readonly host: string
  /** Called when the handler reads what identifies the client or the request; `undefined`: it may. */
  readonly onIdentity: ((part: string) => void) | undefined
}

/** Properties of a socket that identify the client, or the name, address or protocol of its connection. */
const OF_CLIENT = new Set<string | symbol>([
  'remoteAddress', 'remotePort', 'remoteFamily', 'getPeerCertificate', 'getPeerX509Certificate', 'getSession', 'getTLSTicket', 'authorized',
  'servername', 'alpnProtocol', 'address', 'localAddress', 'localPort', 'localFamily'
])

const kSeen = Symbol('@x/cache-edge.seen')

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
  readonly #replaced = new ReplacedProperties()

  constructor (request: Seen, shown: Shown) {
    const { raw } = request
    const { headers, scheme, host, onIdentity } = shown
    const replaced = this.#replaced
    this.#onIdentity = onIdentity
    this.#request = request
    const before = request[kSeen]
    this.own = before?.own ?? { id: request.id }
    request[kSeen] = this
    // Fastify reads the address of the peer for these, where it may trust a proxy. Over HTTP/2 the protocol goes with the connection.
    const isProxied = 'ips' in request
    if (before === undefined) Object.defineProperties(request, isProxied ? IDENTIFYING : WITHOUT_PROXY)
    if (isProxied) replaced.cover(request, 'host', host)
    if (isProxied || isHttp2(raw)) replaced.cover(request, 'protocol', scheme)
    if (request.additionalHeaders != null) replaced.replace(request, 'additionalHeaders', shownCopy(request.additionalHeaders, raw.headers, headers))
    replaceHeaders(replaced, raw, shown)
    if (onIdentity === undefined) return
    if (typeof request.cookies === 'object' && request.cookies !== null) replaced.replace(request, 'cookies', {})
    const { socket } = raw
    if (socket == null) return
    const watched = watch(socket, onIdentity)
    put(replaced, raw, 'socket', watched)
    // Node has the same socket under this older name.
    if (Object.hasOwn(raw, 'client')) replaced.replace(raw, 'client', watched)
  }

  /** The value of an identifying part, read from the whole request. */
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
    this.#replaced.show()
  }

  showAll = (): void => {
    if (!this.#isOn) return
    this.#isOn = false
    this.#replaced.hide()
  }
}

function isHttp2 (raw: FastifyRequest['raw']): boolean {
  return raw.httpVersionMajor >= 2
}

/** Replaces a part of the raw message. Over HTTP/2 they are getters of the prototype, except those of a background request. */
function put (replaced: ReplacedProperties, raw: FastifyRequest['raw'], name: string, shown: unknown): void {
  if (isHttp2(raw) && !Object.hasOwn(raw, name)) replaced.cover(raw, name, shown)
  else replaced.replace(raw, name, shown)
}

/** Replaces the headers of the raw message in each form in which Node has them, and what else names the target or the version. */
function replaceHeaders (replaced: ReplacedProperties, raw: FastifyRequest['raw'], { headers, scheme, host }: Shown): void {
  const lines: string[] = []
  const distinct: Record<string, string[]> = {}
  for (const name of Object.keys(headers)) {
    const values = [headers[name] ?? []].flat().map(String)
    distinct[name] = values
    for (const value of values) lines.push(name, value)
  }
  put(replaced, raw, 'headers', headers)
  put(replaced, raw, 'rawHeaders', lines)
  // Node computes it from the lines at the first access.
  replaced.replaceUnread(raw, 'headersDistinct', distinct, Object.hasOwn(raw, 'headersDistinct') ? raw.headersDistinct : undefined)
  if (isHttp2(raw)) {
    replaced.cover(raw, 'authority', host)
    replaced.cover(raw, 'scheme', scheme)
  }
  // The response to a request of HTTP/1.0 may be stored for all.
  if (raw.httpVersion === '1.0') {
    replaced.replace(raw, 'httpVersion', '1.1')
    replaced.replace(raw, 'httpVersionMinor', 1)
  }
}

/** Of a validator's copy, the fields that are shown. One that stands for another value than was sent, such as a validator of the store, has that. */
function shownCopy (copy: Record<string, unknown>, sent: IncomingHttpHeaders, shown: IncomingHttpHeaders): Record<string, unknown> {
  return Object.fromEntries(Object.entries(copy).filter(([name]) => Object.hasOwn(shown, name)).map(
    ([name, value]) => [name, shown[name] === sent[name] ? value : shown[name]]
  ))
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
