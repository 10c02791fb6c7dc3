import type { FastifyReply } from 'fastify'
import { Readable } from 'node:stream'
import { beforeFirstRead, interceptSend, restoreSend, serializerOf, UNKNOWN } from './patches.js'
import { isStreamed } from './payload.js'
import type { SeenRequest } from './seen-request.js'

/** A response that the handler has not sent yet, and for which the edge waits. */
export interface Pending {
  readonly isOpen: boolean
  /** Ends the wait for the handler's response, since another response is sent in its place. */
  takeOver (): void
}

type Serializer = Parameters<FastifyReply['serializer']>[0]

/** Shows the whole request again when the response is sent, before the onSend hooks. */
export function showAllBeforeSend (reply: FastifyReply, seen: SeenRequest): Pending {
  return new BeforeSend(reply, seen)
}

class BeforeSend implements Pending {
  #isOpen = true
  readonly #reply: FastifyReply
  readonly #seen: SeenRequest

  constructor (reply: FastifyReply, seen: SeenRequest) {
    this.#reply = reply
    this.#seen = seen
    interceptSend(reply, (payload, send) => {
      this.#close()
      if (!isToSerialise(reply, payload) || !whenSerialised(reply, seen)) seen.showAll()
      if (payload instanceof Readable) whileRead(payload, seen)
      return send(payload)
    })
    reply.raw.once('close', seen.showAll)
  }

  get isOpen (): boolean { return this.#isOpen }

  takeOver (): void {
    this.#close()
    this.#seen.showAll()
  }

  #close (): void {
    this.#isOpen = false
    restoreSend(this.#reply)
  }
}

/** Whether Fastify serialises a payload. This includes a string with a content type if a custom serializer is set. */
export function isToSerialise (reply: FastifyReply, payload: unknown): boolean {
  if (payload === undefined || payload instanceof Error) return false
  if (typeof payload === 'string') return reply.getHeader('content-type') !== undefined && serializerOf(reply) !== null
  return payload === null || !(payload instanceof Uint8Array || isStreamed(payload))
}

/**
 * Calls `then` with the text that Fastify serialises from a payload. The serializer sees the headers that the handler saw; afterwards all
 * headers are shown. `false`: Fastify refuses to serialise the payload.
 */
export function whenSerialised (reply: FastifyReply, seen: SeenRequest, then?: (text: unknown) => void): boolean {
  const own = serializerOf(reply)
  const type = reply.getHeader('content-type')
  if (own === UNKNOWN || (own === null && type !== undefined && !/json/i.test(String(type)))) {
    seen.showAll()
    return false
  }
  // Without a custom serializer, the content type is set to the one that Fastify would set.
  if (own === null && type === undefined) reply.header('content-type', 'application/json; charset=utf-8')
  else if (own === null && !/;\s*charset=/i.test(String(type))) reply.header('content-type', `${String(type)}; charset=utf-8`)
  reply.serializer((value: unknown) => {
    try {
      reply.serializer(own as Serializer)
      const bySchema = own === null ? reply.getSerializationFunction(String(reply.statusCode), String(type ?? 'application/json').split(';', 1)[0]!) : undefined
      const text: unknown = (
        bySchema ?? own as Serializer | null ?? ((each: unknown) => reply.serialize(each as Record<string, unknown>))
      )(value as Record<string, unknown>)
      then?.(text)
      return text as string
    } finally {
      seen.showAll()
    }
  })
  return true
}

/** Shows only the headers in the cache key while a stream is read, since the stream may read the request when it makes its chunks. */
export function whileRead (stream: Readable, { showSome, showAll }: SeenRequest): void {
  beforeFirstRead(stream, showSome)
  stream.once('close', showAll)
  // The listener prevents an uncaught error: the stream may fail during onSend hooks, before Fastify listens. Fastify reads the error as it
  // sends the stream.
  stream.on('error', () => {})
}
