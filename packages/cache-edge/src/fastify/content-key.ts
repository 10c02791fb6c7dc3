import type { FastifyRequest, preParsingHookHandler } from 'fastify'
import { createHash } from 'node:crypto'
import { pipeline, Transform } from 'node:stream'
import { beforeFirstRead } from './patches.js'
import { hasBody, sentHeaders } from './target.js'

const kContent = Symbol('@x/cache-edge.content')
type Keyed = FastifyRequest & { [kContent]?: string }

/** The maximum size of a request's content that is part of a cache key, in bytes; larger queries bypass the stored responses. */
const MAX_CONTENT_BYTES = 65_536
/** The request headers that describe the content (RFC 10008 §2.7). The handler of a stored QUERY sees them. */
export const OF_CONTENT = ['content-type', 'content-encoding', 'content-language']
const NO_CONTENT = createHash('sha256').digest('base64url')

/**
 * Computes the hash of a QUERY's content while its parser reads it. This is the last preParsing hook, so the hash is that of the bytes that
 * the parser sees. A parser that reads the raw request past this stream leaves the request without a hash.
 */
export const hashContent: preParsingHookHandler = function hashContent (request, _reply, payload, done) {
  if (request.method !== 'QUERY') return done(null, payload)
  const hash = createHash('sha256')
  let bytes = 0
  const hashed = new Transform({
    transform (chunk: Buffer, _encoding, next) {
      bytes += chunk.byteLength
      if (bytes <= MAX_CONTENT_BYTES) hash.update(chunk)
      next(null, chunk)
    },
    flush (next) {
      if (bytes <= MAX_CONTENT_BYTES) (request as Keyed)[kContent] = hash.digest('base64url')
      next()
    }
  })
  // Fastify compares the stream's `receivedEncodedLength` with `Content-Length`. An earlier hook that decoded the content has set
  // this property on its own stream.
  Object.defineProperty(hashed, 'receivedEncodedLength', { get: () => (payload as { receivedEncodedLength?: number }).receivedEncodedLength })
  // An error of the payload reaches the parser through the hashed stream, which the parser reads, so the callback of `pipeline` is empty.
  beforeFirstRead(hashed, () => { pipeline(payload as NodeJS.ReadableStream, hashed, () => {}) })
  done(null, hashed)
}

/**
 * The part of the cache key for the content of a QUERY and its metadata (RFC 10008 §2.7). `undefined`: the request has another method, or
 * parts that are in no key: content that is too large, content that was not read, or trailers.
 */
export function contentKeyOf (request: FastifyRequest): string | undefined {
  if (request.method !== 'QUERY') return undefined
  const { raw } = request
  const content = (request as Keyed)[kContent] ?? (hasBody(raw) ? undefined : NO_CONTENT)
  // A simulated request of Fastify's `inject` has no property `trailers`.
  const { trailers = {} } = raw as { readonly trailers?: object }
  if (content === undefined || Object.keys(trailers).length > 0) return undefined
  const sent = sentHeaders(raw)
  return JSON.stringify(['QUERY', content, ...OF_CONTENT.map((name) => sent[name] ?? null)])
}
