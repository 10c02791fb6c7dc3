import type { FastifyReply, FastifyRequest } from 'fastify'
import { randomBytes } from 'node:crypto'
import { allowsRange, rangesIn, type ByteRange } from '../rules/range.js'
import { removeResponseHeaders } from './failed-response.js'
import { dropBodyFields, isFromStore } from './written-headers.js'

/** Header fields that are valid only for the content of the whole representation, not for a range. */
const OF_WHOLE_CONTENT = ['content-length', 'content-digest', 'content-md5', 'digest']

/**
 * Cuts the ranges that a request asks for from a stored 200, once all hooks have seen and perhaps changed the body (RFC 9110 §14.2).
 * Returns the payload to send; a stream is sent whole.
 */
export function cutRanges (request: FastifyRequest, reply: FastifyReply, payload: unknown): unknown {
  const { headers, method } = request.raw
  if (headers.range === undefined || method !== 'GET' || reply.statusCode !== 200 || !isFromStore(reply)) return payload
  if (typeof payload !== 'string' && !(payload instanceof Uint8Array)) return payload
  const sent = reply.getHeaders()
  if (/^[\t ]*none[\t ]*$/i.test(String(sent['accept-ranges'])) || !allowsRange(headers, sent)) return payload
  const body = Buffer.from(payload as Uint8Array)
  const ranges = rangesIn(headers.range, body.length)
  if (ranges === 'whole') return payload
  if (ranges === 'unsatisfiable') return refuse(reply, body.length)
  for (const name of OF_WHOLE_CONTENT) reply.removeHeader(name)
  reply.code(206)
  if (ranges.length > 1) return toParts(reply, body, ranges)
  const range = ranges[0]!
  reply.header('content-range', contentRange(range, body.length))
  return body.subarray(range.first, range.last + 1)
}

/** Makes the response a 416. Caches in front of the app must not store it, since their keys do not contain `Range`. */
function refuse (reply: FastifyReply, size: number): null {
  removeResponseHeaders(reply)
  dropBodyFields(reply)
  reply.code(416).header('content-range', `bytes */${size}`).header('cache-control', 'no-store')
  return null
}

/** Makes the response a multipart response with several ranges (RFC 9110 §14.6), and returns its body. */
function toParts (reply: FastifyReply, body: Buffer, ranges: readonly ByteRange[]): Buffer {
  const boundary = randomBytes(18).toString('hex')
  const type = reply.getHeader('content-type')
  const typeLine = type === undefined ? '' : `Content-Type: ${String(type)}\r\n`
  const parts = ranges.flatMap((range) => [
    Buffer.from(`\r\n--${boundary}\r\n${typeLine}Content-Range: ${contentRange(range, body.length)}\r\n\r\n`, 'latin1'),
    body.subarray(range.first, range.last + 1)
  ])
  reply.header('content-type', `multipart/byteranges; boundary=${boundary}`)
  return Buffer.concat([...parts, Buffer.from(`\r\n--${boundary}--\r\n`)])
}

function contentRange ({ first, last }: ByteRange, size: number): string {
  return `bytes ${first}-${last}/${size}`
}
