import type { FastifyReply, FastifyRequest } from 'fastify'

/** Whether the client has left before its answer was complete. */
export function isGone ({ raw }: FastifyReply): boolean {
  if (raw.writableEnded) return false
  // The answer of HTTP/2 is not destroyed itself, and that of HTTP/1 only after its socket.
  const { stream, socket } = raw as { stream?: { readonly destroyed?: boolean }; socket?: { readonly destroyed?: boolean } | null }
  return raw.destroyed || stream?.destroyed === true || socket?.destroyed === true
}

/**
 * `request.signal`, if somebody has asked for it, who may stop work as it is aborted. Fastify makes it at the first access and
 * offers no way to ask without making it.
 */
export function signalOf (request: FastifyRequest): AbortSignal | undefined {
  const slot = Object.getOwnPropertySymbols(request).find(({ description }) => description === 'fastify.request.signal')
  return slot === undefined ? undefined : (request as unknown as Record<symbol, AbortController | null | undefined>)[slot]?.signal
}
