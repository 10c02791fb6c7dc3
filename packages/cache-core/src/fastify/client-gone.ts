import type { FastifyReply } from 'fastify'

/** Whether the HTTP client has disconnected before its response was complete. */
export function isGone ({ raw }: FastifyReply): boolean {
  if (raw.writableEnded) return false
  // The stream and the socket are checked as well as the response: HTTP/2 never destroys the response object, and HTTP/1 destroys it only
  // after the socket.
  const { stream, socket } = raw as { stream?: { readonly destroyed?: boolean }; socket?: { readonly destroyed?: boolean } | null }
  return raw.destroyed || stream?.destroyed === true || socket?.destroyed === true
}
