import type { FastifyReply, FastifyRequest } from 'fastify'

/** Whether a shared cache may store a response. */
export function isStorable (status: number, request: FastifyRequest, reply: FastifyReply): boolean {
  return (status === 200 || status === 304) && request.headers.authorization === undefined && !reply.hasHeader('set-cookie') &&
    !/no-store|private/i.test(String(reply.getHeader('cache-control') ?? ''))
}

/** The identity of a representation: host, URL, and the request headers that Vary of the response lists. */
export function representationOf (request: FastifyRequest, reply: FastifyReply): string {
  const parts = [request.host, request.raw.url]
  for (const name of String(reply.getHeader('vary') ?? '').split(',')) parts.push(String(request.headers[name.trim().toLowerCase()] ?? ''))
  return parts.join('\n')
}

/** Calls `then` with the status when the head is written: later hooks may set a cookie. */
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
