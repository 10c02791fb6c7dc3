import type { FastifyReply, FastifyRequest } from 'fastify'

// Fastify keeps these under symbols of its own, and offers no way to ask for them.
const NONE = Symbol('no slot')
const known = new Map<string, symbol>()

/** A process may have several copies of Fastify, each with symbols of its own. */
function slotOf (owner: object, description: string): symbol | undefined {
  const last = known.get(description)
  if (last !== undefined && last in owner) return last
  const slot = Object.getOwnPropertySymbols(owner).find((symbol) => symbol.description === description)
  if (slot !== undefined) known.set(description, slot)
  return slot
}

function read (owner: object, description: string): unknown {
  const slot = slotOf(owner, description)
  return slot === undefined ? NONE : (owner as Record<symbol, unknown>)[slot]
}

/** The serializer that `reply.serializer()` was given; `null`: none; {@link UNKNOWN}: this version of Fastify keeps it elsewhere. */
export function serializerOf (reply: FastifyReply): unknown {
  return read(reply, 'fastify.reply.serializer')
}

/** See {@link serializerOf}. */
export const UNKNOWN: unknown = NONE

/** The next payload is no error, although Fastify was about to send one. */
export function clearError (reply: FastifyReply): void {
  const slot = slotOf(reply, 'fastify.reply.isError')
  if (slot !== undefined) (reply as unknown as Record<symbol, unknown>)[slot] = false
}

/** `request.signal`, if somebody has asked for it, who may stop work as it is aborted. Fastify makes it at the first access. */
export function signalOf (request: FastifyRequest): AbortSignal | undefined {
  const controller = read(request, 'fastify.request.signal')
  return controller instanceof AbortController ? controller.signal : undefined
}

/** The object of a route that all of its requests share, with the hooks that run on an answer; `undefined`: this version of Fastify keeps it elsewhere. */
export function contextOf (request: FastifyRequest): { readonly onSend?: readonly { readonly name: string }[] | null } | undefined {
  const context = read(request, 'fastify.context')
  return typeof context === 'object' && context !== null ? context : undefined
}
