import type { FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import { ReplacedProperties, requestAccessors } from './patches.js'

/** Functions that hide parts of a request from code that runs later, and that show all parts again. */
export interface SeenRequest { readonly showSome: () => void; readonly showAll: () => void }

/** The parts of a request that its handler sees; all other parts are hidden from it. */
export interface Shown {
  readonly headers: IncomingHttpHeaders
  readonly scheme: string
  readonly host: string
  /**
   * Called when the handler reads a part that identifies the client or the request; `undefined`: the handler may read such parts without a
   * report.
   */
  readonly onIdentity: ((part: string) => void) | undefined
}

/** Properties of a socket that identify the client, or the name, address or protocol of its connection. */
const OF_CLIENT = new Set<string | symbol>([
  'remoteAddress', 'remotePort', 'remoteFamily', 'getPeerCertificate', 'getPeerX509Certificate', 'getSession', 'getTLSTicket', 'authorized',
  'servername', 'alpnProtocol', 'address', 'localAddress', 'localPort', 'localFamily'
])

const kSeen = Symbol('@x/cache-edge.seen')

/** Accessors for the parts of a Fastify request that identify the client or the request. */
const IDENTIFYING = requestAccessors<Seen>(
  ['id', 'ip', 'ips'],
  (request, part) => request[kSeen]!.identify(part),
  (request, part, value) => { request[kSeen]!.own[part] = value }
)
const { id, ip } = IDENTIFYING
const WITHOUT_PROXY = { id, ip } as PropertyDescriptorMap

type Seen = FastifyRequest & { [kSeen]?: ShownRequest; additionalHeaders?: Record<string, unknown> | null; cookies?: unknown }

/**
 * Shows a handler only the given parts of a request, in every place where Node and Fastify store them: the raw message with its header
 * lines, a validator's copy of the headers, and the cookies that `@fastify/cookie` parsed. Trailers are not hidden, since a request with a
 * body is shown whole.
 */
export function showTo (request: FastifyRequest, shown: Shown): SeenRequest {
  const seen = new ShownRequest(request, shown)
  seen.showSome()
  return seen
}

class ShownRequest implements SeenRequest {
  readonly #onIdentity: Shown['onIdentity']
  #isOn = false
  /** The identifying parts that the request has as own properties: its id, and values that an app has set. */
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
    // The properties for host and protocol are covered. Behind a trusted proxy Fastify derives them from the peer's address; over HTTP/2 it
    // derives the protocol from the connection.
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
    // The property `client` of the raw message is replaced like `socket`, since Node has the same socket under this older name.
    if (Object.hasOwn(raw, 'client')) replaced.replace(raw, 'client', watched)
  }

  /** Returns the original value of a part that identifies the client or the request, such as `ip`. */
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

/** Replaces a part of the raw message. Over HTTP/2 the parts are getters of the prototype, except those of a background request. */
function put (replaced: ReplacedProperties, raw: FastifyRequest['raw'], name: string, shown: unknown): void {
  if (isHttp2(raw) && !Object.hasOwn(raw, name)) replaced.cover(raw, name, shown)
  else replaced.replace(raw, name, shown)
}

/**
 * Replaces the headers of the raw message in each form in which Node stores them, and the other properties that contain the target or the
 * HTTP version.
 */
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
  // `headersDistinct` is not read here, since Node computes it from the header lines at the first access.
  replaced.replaceUnread(raw, 'headersDistinct', distinct, Object.hasOwn(raw, 'headersDistinct') ? raw.headersDistinct : undefined)
  if (isHttp2(raw)) {
    replaced.cover(raw, 'authority', host)
    replaced.cover(raw, 'scheme', scheme)
  }
  // A request of HTTP/1.0 is shown to the handler as HTTP/1.1, since its response may be stored for all clients.
  if (raw.httpVersion === '1.0') {
    replaced.replace(raw, 'httpVersion', '1.1')
    replaced.replace(raw, 'httpVersionMinor', 1)
  }
}

/**
 * The visible fields of a validator's copy of the headers. If the visible value of a field differs from the sent value, as for a stored
 * validator, the copy has the visible value.
 */
function shownCopy (copy: Record<string, unknown>, sent: IncomingHttpHeaders, shown: IncomingHttpHeaders): Record<string, unknown> {
  return Object.fromEntries(Object.entries(copy).filter(([name]) => Object.hasOwn(shown, name)).map(
    ([name, value]) => [name, shown[name] === sent[name] ? value : shown[name]]
  ))
}

/**
 * A proxy of the socket that reports reads of identifying properties. The methods of the socket are bound to it, so that Node can also use
 * the proxy.
 */
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
