import { fieldText } from '@x/cache-core/suite'
import type { FastifyRequest } from 'fastify'
import { sentHeaders } from '../target.js'

type Raw = FastifyRequest['raw']

/** The property of a raw request that holds the method and the target which the request had on arrival. */
const kArrived = Symbol('@x/cache-edge.arrived')
type Arrived = Raw & { [kArrived]?: string }

/** Records the method and the target of a request that is not answered early, before hooks can change them. */
export function noteArrival (raw: Raw): void {
  (raw as Arrived)[kArrived] = `${raw.method!} ${raw.url!}`
}

/**
 * Whether a request that has reached a handler still has the method, the target and these headers with which it arrived. The result is also
 * `false` for a request that did not come through the server, such as one of `inject`.
 */
export function isUnchanged (raw: Raw, vary: readonly string[]): boolean {
  if ((raw as Arrived)[kArrived] !== `${raw.method!} ${raw.url!}`) return false
  const sent = sentHeaders(raw)
  return [...OF_HOST, ...vary].every((name) => fieldText(sent, name) === fieldText(raw.headers, name))
}

/** The headers from which Fastify reads the host and the scheme. */
const OF_HOST = ['host', ':authority', 'x-forwarded-host', 'x-forwarded-proto']

/** The host and scheme in the forwarded headers, with the address of the peer that sent them. */
type Forwarded = readonly [host: string, proto: string, peer: string | undefined]

/**
 * The parts of a raw request, beside its URL, from which Fastify determines the target: scheme, host, and, behind a trusted proxy, the
 * forwarded host and scheme with the address of the proxy.
 */
export class Origin {
  readonly #isSecure: boolean
  readonly #host: string
  /** The forwarded host and scheme with the proxy's address; `undefined`: the app trusts no proxy, and ignores forwarded headers. */
  readonly #forwarded: Forwarded | undefined

  private constructor (isSecure: boolean, host: string, forwarded: Forwarded | undefined) {
    this.#isSecure = isSecure
    this.#host = host
    this.#forwarded = forwarded
  }

  /** The origin of a request; `undefined`: the request names no host. */
  static of (raw: Raw, isProxied: boolean): Origin | undefined {
    const host = hostIn(raw)
    if (host === undefined) return undefined
    return new Origin(isSecure(raw), host, isProxied ? [...forwardedIn(raw), raw.socket.remoteAddress] : undefined)
  }

  /** Whether a request has the same host, scheme and forwarded values as this origin. */
  isOf (raw: Raw): boolean {
    if (hostIn(raw) !== this.#host || isSecure(raw) !== this.#isSecure) return false
    if (this.#forwarded === undefined) return true
    const [host, proto] = forwardedIn(raw)
    return host === this.#forwarded[0] && proto === this.#forwarded[1] && raw.socket.remoteAddress === this.#forwarded[2]
  }

  /** The number of characters in the host and the forwarded values, by which the memory of learned targets is limited. */
  get length (): number {
    return [this.#host, ...this.#forwarded ?? []].reduce((sum, text) => sum + (text?.length ?? 0), 0)
  }

  equals (other: Origin): boolean {
    return this.#host === other.#host && this.#isSecure === other.#isSecure &&
      JSON.stringify(this.#forwarded) === JSON.stringify(other.#forwarded)
  }
}

function hostIn ({ headers }: Raw): string | undefined {
  return headers.host ?? headers[':authority'] as string | undefined
}

function isSecure ({ socket }: Raw): boolean {
  return (socket as { encrypted?: boolean }).encrypted === true
}

/** The forwarded host and scheme; an empty header counts as absent, as in Fastify. */
function forwardedIn ({ headers }: Raw): readonly [host: string, proto: string] {
  return [fieldText(headers, 'x-forwarded-host') ?? '', fieldText(headers, 'x-forwarded-proto') ?? '']
}
