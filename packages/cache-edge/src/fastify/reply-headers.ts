import type { FastifyReply } from 'fastify'
import { labelsIn, type Before, type RecordedResponse, type Final } from '../exchange/recorded-response.js'
import { withoutWritten } from './written-headers.js'
import { taggedOf } from './body-tags.js'

type Headers = ReturnType<FastifyReply['getHeaders']>
type Fields = Record<string, string | string[]>

/** The headers of one reply: those that hooks set before the handler ran, and those of the handler. */
export class ReplyHeaders {
  readonly #reply: FastifyReply
  readonly #before: Headers

  constructor (reply: FastifyReply) {
    this.#reply = reply
    this.#before = { ...reply.getHeaders() }
  }

  /** The headers that hooks set before the handler ran. */
  get before (): Before { return texts(this.#before) }

  /** The response headers that the handler has set or changed so far. */
  get own (): RecordedResponse['headers'] {
    const own: Fields = {}
    for (const [name, value] of Object.entries(texts(this.#reply.getHeaders()))) {
      if (this.#before[name] === undefined || String(this.#before[name]) !== String(value)) own[name] = value
    }
    return own
  }

  /** The response headers of the handler, and the labels that hooks before it had set. */
  get labelled (): Fields {
    return { ...Object.fromEntries(labelsIn(this.before)), ...this.own }
  }

  /** The head of the reply as it is sent, without the headers that this plugin wrote. */
  finalWith (status: number): Final {
    return { status, headers: withoutWritten(this.#reply, texts(this.#reply.getHeaders())), tagged: taggedOf(this.#reply) }
  }

  /** Removes the headers of the handler from the reply, and restores the headers of hooks. */
  restore (): void {
    for (const name of Object.keys(this.own)) {
      this.#reply.removeHeader(name)
      if (this.#before[name] !== undefined) this.#reply.header(name, this.#before[name])
    }
  }
}

function texts (headers: Headers): Fields {
  const result: Fields = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) result[name.toLowerCase()] = Array.isArray(value) ? value.map(String) : String(value)
  }
  return result
}
