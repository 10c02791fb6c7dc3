import type { FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { Policy } from './policy.js'
import type { StoredHead } from './stored-response.js'

/** What tells a handler nothing about the representation, and is needed to follow a request through a system. */
export const ALWAYS_SHOWN = ['host', ':authority', ':method', ':path', ':scheme', 'traceparent', 'tracestate', 'x-request-id']
/** What makes a request conditional, or partial. */
export const CONDITIONAL = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range']
/** The header of this process's own background requests. */
export const REFRESH = 'x-cache-edge-refresh'

/** What a handler could be steered by, and no key has; the reverse proxy of a by-response route sees all others. */
export const NEVER_SHOWN = [
  'x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'x-forwarded-prefix', 'x-forwarded-scheme', 'x-forwarded-server', 'x-forwarded-ssl', 'forwarded',
  'x-host', 'x-original-host', 'x-http-host-override', 'x-original-url', 'x-rewrite-url', 'x-http-method-override', 'x-http-method', 'x-method-override', 'cookie', 'authorization'
]
const HIDDEN = new Set([...CONDITIONAL, ...NEVER_SHOWN, REFRESH])

/**
 * The request headers that the handler of a kept route sees: what is in the key, and the validators of what is kept.
 * @param also further names that it may see
 */
export function visibleHeaders (request: FastifyRequest, policy: Policy, stale: StoredHead | undefined, also: readonly string[] = []): IncomingHttpHeaders {
  const { ips, raw: { headers } } = request
  const shown: IncomingHttpHeaders = {}
  const names = policy.store === 'by-policy' ? [...ALWAYS_SHOWN, ...policy.vary] : Object.keys(headers).filter((name) => !HIDDEN.has(name))
  names.push(...also)
  if (policy.sameForAll) names.push('authorization', 'cookie')
  for (const name of names) if (headers[name] !== undefined) shown[name] = headers[name]
  // What is in the key, and not what a stranger put in front of it, or says without being a trusted proxy.
  if (ips !== undefined && headers['x-forwarded-host'] !== undefined) shown['x-forwarded-host'] = request.host
  if (ips !== undefined && headers['x-forwarded-proto'] !== undefined) shown['x-forwarded-proto'] = request.protocol
  const modified = stale?.headers['last-modified']
  // Beside a tag that the handler never gave, it would have to ignore its own date (RFC 9110 §13.1.3).
  if (stale?.etag !== undefined && (stale.isTagOfBody !== true || modified === undefined)) shown['if-none-match'] = stale.etag
  if (typeof modified === 'string') shown['if-modified-since'] = modified
  return shown
}
