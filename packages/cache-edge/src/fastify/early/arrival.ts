import { fieldText } from '@x/cache-core/suite'
import type { FastifyRequest } from 'fastify'
import { sentHeaders } from '../target.js'

type Raw = FastifyRequest['raw']

/** The property of a raw request with its method and its target at its arrival. */
const kArrived = Symbol('@x/cache-edge.arrived')
type Arrived = Raw & { [kArrived]?: string }

/** Notes the method and the target of a request that is not answered early, before hooks can change them. */
export function noteArrival (raw: Raw): void {
  (raw as Arrived)[kArrived] = `${raw.method!} ${raw.url!}`
}

/**
 * Whether a request that has reached a handler still has the method, the target and these headers with which it arrived. `false` also
 * means unknown: the request came past the server, as by `inject`.
 */
export function isUnchanged (raw: Raw, vary: readonly string[]): boolean {
  if ((raw as Arrived)[kArrived] !== `${raw.method!} ${raw.url!}`) return false
  const sent = sentHeaders(raw)
  return [...OF_HOST, ...vary].every((name) => fieldText(sent, name) === fieldText(raw.headers, name))
}

/** The headers that Fastify reads the host and the scheme from. */
const OF_HOST = ['host', ':authority', 'x-forwarded-host', 'x-forwarded-proto']

/**
 * The parts of a raw request that its target consists of, as text; `undefined`: the request names no host.
 * @param isProxied whether the app trusts proxies, so that Fastify reads the host and the scheme from forwarded headers by their address
 */
export function targetText (raw: Raw, isProxied: boolean): string | undefined {
  const { headers, socket } = raw
  const host = headers.host ?? headers[':authority'] as string | undefined
  if (host === undefined) return undefined
  // A line break separates the parts, since HTTP allows none in them.
  const text = `${(socket as { encrypted?: boolean }).encrypted === true ? 's' : ''}\n${host}\n${raw.url!}`
  if (!isProxied) return text
  return `${text}\n${fieldText(headers, 'x-forwarded-host') ?? ''}\n${fieldText(headers, 'x-forwarded-proto') ?? ''}\n${socket.remoteAddress ?? ''}`
}
