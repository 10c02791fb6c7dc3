import type { FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { TargetUri } from '../store/cache-key.js'

/** The raw request, with properties that Node's HTTP/2 streams, middleware and Fastify's `rewriteUrl` set. */
type Raw = FastifyRequest['raw'] & { readonly originalUrl?: string; readonly stream?: { readonly endAfterHeaders?: boolean } }

/**
 * The target URI of a request, as router and handler see it. Scheme and host are those of Fastify in lower case, with `trustProxy` the
 * forwarded ones. `url` is the raw target that the router read, byte for byte.
 */
export function targetOf (request: FastifyRequest): TargetUri {
  const { url, originalUrl } = request.raw as Raw
  // The scheme is `http` if the socket of the request is closed, since Fastify then has no protocol.
  const target = { scheme: (request.protocol as string | undefined ?? 'http').toLowerCase(), host: request.host.toLowerCase(), url: url! }
  return originalUrl === undefined || originalUrl === url ? target : { ...target, originalUrl }
}

/**
 * Whether a request target has only one interpretation: an origin-form without a fragment (RFC 9112 §3.2.1), and over HTTP/2 one authority
 * (RFC 9113 §8.3.1). A fragment is refused, since the router reads it as a query, and caches in front remove it.
 */
export function isPlainTarget ({ raw }: FastifyRequest): boolean {
  const { url, originalUrl, headers, httpVersionMajor } = raw as Raw
  if (!isOriginForm(url!) || (originalUrl !== undefined && !isOriginForm(originalUrl))) return false
  if (httpVersionMajor < 2) return true
  const authority = headers[':authority']
  return authority === undefined || headers.host === undefined || headers.host === authority
}

/**
 * Whether a request has a body, although its method usually has none. Over HTTP/2 a body needs no header: the stream continues after the
 * first header block (RFC 9113 §8.1).
 * @param headers as the client sent them
 */
export function hasBody (raw: FastifyRequest['raw'], headers: IncomingHttpHeaders = raw.headers): boolean {
  const length = headers['content-length']
  if ((length !== undefined && Number(length) !== 0) || headers['transfer-encoding'] !== undefined) return true
  return raw.httpVersionMajor >= 2 && (raw as Raw).stream?.endAfterHeaders === false
}

/**
 * The first value of each header that the client sent. A validator of `schema.headers` may have removed fields from `raw.headers` before
 * the handler runs.
 */
export function sentHeaders ({ rawHeaders }: FastifyRequest['raw']): IncomingHttpHeaders {
  const sent: IncomingHttpHeaders = {}
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase()
    // The lines of `Cookie` are joined, since there may be several, over HTTP/2 one for each cookie (RFC 9113 §8.2.3).
    if (name === 'cookie' && sent.cookie !== undefined) sent.cookie += `; ${rawHeaders[at + 1]!}`
    else if (!Object.hasOwn(sent, name)) sent[name] = rawHeaders[at + 1]!
  }
  return sent
}

function isOriginForm (url: string): boolean {
  return url.charCodeAt(0) === 47 && !url.includes('#')
}
