import type { FastifyReply } from 'fastify'

type Value = string | string[]

/** The status and the headers of a reply that is never sent, for the functions that describe a response. */
export class HeaderReply {
  statusCode = 200
  readonly #headers: Record<string, Value> = {}

  /**
   * This object, typed as a Fastify reply, for the functions of this package. These functions use only members of this class and symbols of
   * this package.
   */
  get asReply (): FastifyReply { return this as unknown as FastifyReply }

  code (status: number): this {
    this.statusCode = status
    return this
  }

  header (name: string, value: Value): this {
    this.#headers[name] = value
    return this
  }

  getHeader (name: string): Value | undefined { return this.#headers[name] }
  getHeaders (): Record<string, Value> { return this.#headers }
  hasHeader (name: string): boolean { return this.#headers[name] !== undefined }

  removeHeader (name: string): this {
    delete this.#headers[name]
    return this
  }
}
