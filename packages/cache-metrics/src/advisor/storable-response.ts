import { fieldText, notStored, parseVary, PLAIN_RULE, type HeaderFields } from '@x/cache-core/suite'
import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Whether the response cache of `@x/cache-edge` may store the response if its route had the simplest policy with `store`. A 304 is judged
 * as the 200 that the handler would have sent without a condition.
 * @param status the status with which the response is sent
 */
export function isStorable (status: number, request: FastifyRequest, reply: FastifyReply): boolean {
  const { method, headers } = request.raw
  const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] !== undefined && Number(headers['content-length']) !== 0)
  const response = { status: status === 304 ? 200 : status, headers: reply.getHeaders() as HeaderFields }
  return notStored({ method: method!, headers, hasBody }, response, PLAIN_RULE) === undefined
}

/** Returns a text that identifies a representation: host, URL, and the values of the request headers that `Vary` names. */
export function representationOf (request: FastifyRequest, reply: FastifyReply): string {
  const parts = [request.host, request.raw.url]
  const vary = parseVary(fieldText({ vary: reply.getHeader('vary') }, 'vary'))
  for (const name of vary === '*' ? [] : vary) parts.push(String(request.headers[name] ?? ''))
  return parts.join('\n')
}
