import { fieldText, notStored, parseVary, plainRuleFor, type HeaderFields } from '@x/cache-core/suite'
import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Whether the response cache of `@x/cache-edge` may store the response if its route is given the plainest policy with `store`.
 * A 304 counts as the 200 that it stands for.
 * @param status of the response as it is sent
 */
export function isStorable (status: number, request: FastifyRequest, reply: FastifyReply): boolean {
  const { method, headers } = request.raw
  const response = reply.getHeaders() as HeaderFields
  const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] !== undefined && Number(headers['content-length']) !== 0)
  const answered = status === 304 ? 200 : status
  return notStored({ method: method!, headers, hasBody }, { status: answered, headers: response }, plainRuleFor(response)) === undefined
}

/** The identity of a representation, as text: host, URL, and the values of the request headers that `Vary` names. */
export function representationOf (request: FastifyRequest, reply: FastifyReply): string {
  const parts = [request.host, request.raw.url]
  const vary = parseVary(fieldText({ vary: reply.getHeader('vary') }, 'vary'))
  for (const name of vary === '*' ? [] : vary) parts.push(String(request.headers[name] ?? ''))
  return parts.join('\n')
}

/** Calls `then` with the status when the response head is written; until then, later onSend hooks may set a cookie. */
export function whenHeadIsWritten ({ raw }: FastifyReply, then: (status: number) => void): void {
  const own = Object.getOwnPropertyDescriptor(raw, 'writeHead')
  const { writeHead } = raw
  raw.writeHead = function (this: typeof raw, ...args: Parameters<typeof writeHead>) {
    if (own === undefined) delete (raw as { writeHead?: unknown }).writeHead
    else Object.defineProperty(raw, 'writeHead', own)
    then(args[0])
    return writeHead.apply(raw, args)
  } as typeof writeHead
}
