import type { FastifyReply, FastifyRequest } from 'fastify'

// Fastify keeps these under symbols of its own, and offers no way to ask for them.
const NONE = Symbol('no slot')

/** One property of Fastify's objects. A process may have several copies of Fastify, each with symbols of its own. */
class Slot {
  readonly #description: string
  #last: symbol = NONE

  constructor (description: string) {
    this.#description = description
  }

  /** The symbol; `undefined`: this version of Fastify keeps it elsewhere. */
  in (owner: object): symbol | undefined {
    if (this.#last in owner) return this.#last
    const slot = Object.getOwnPropertySymbols(owner).find((symbol) => symbol.description === this.#description)
    if (slot !== undefined) this.#last = slot
    return slot
  }

  read (owner: object): unknown {
    const slot = this.in(owner)
    return slot === undefined ? NONE : (owner as Record<symbol, unknown>)[slot]
  }
}

const serializer = new Slot('fastify.reply.serializer')
const isError = new Slot('fastify.reply.isError')
const signal = new Slot('fastify.request.signal')
const context = new Slot('fastify.context')

/** The object that Fastify has for all requests to a route. */
export interface RouteContext {
  readonly config?: object
  /** The hooks that run on an answer. */
  readonly onSend?: readonly { readonly name: string }[] | null
}

/** The serializer that `reply.serializer()` was given; `null`: none; {@link UNKNOWN}: this version of Fastify keeps it elsewhere. */
export function serializerOf (reply: FastifyReply): unknown {
  return serializer.read(reply)
}

/** See {@link serializerOf}. */
export const UNKNOWN: unknown = NONE

/** The next payload is no error, although Fastify was about to send one. */
export function clearError (reply: FastifyReply): void {
  const slot = isError.in(reply)
  if (slot !== undefined) (reply as unknown as Record<symbol, unknown>)[slot] = false
}

/** `request.signal`, if somebody has asked for it, who may stop work as it is aborted. Fastify makes it at the first access. */
export function signalOf (request: FastifyRequest): AbortSignal | undefined {
  const controller = signal.read(request)
  return controller instanceof AbortController ? controller.signal : undefined
}

/** The object of a route that all of its requests share; `undefined`: this version of Fastify keeps it elsewhere. */
export function contextOf (request: FastifyRequest): RouteContext | undefined {
  const found = context.read(request)
  return typeof found === 'object' && found !== null ? found : undefined
}
