import type { EntryUser, SharedEntry } from '@x/cache-core/implementing'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { DecidedRequest } from '../../rules/decide.js'
import { refreshIn } from '../fastify-cache-request.js'
import type { EarlyTarget } from './early-targets.js'

/** A function that answers a request with an entry of the store; `false`: the entry cannot be sent. */
type Send = (request: EarlyRequest, entry: SharedEntry) => boolean

/**
 * A request before the hooks of the app, in the form that the rules for requests accept. It has no user and no result of a validation,
 * since no hook has run.
 */
export class EarlyRequest implements DecidedRequest, EntryUser {
  readonly raw: FastifyRequest['raw']
  readonly response: FastifyReply['raw']
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly target: EarlyTarget
  readonly tags: readonly string[]
  readonly refresh: object | undefined
  /** The key of the variant that an index of variants names for this request; `undefined`: no index was read. */
  variantKey: string | undefined
  readonly #send: Send

  constructor (raw: FastifyRequest['raw'], response: FastifyReply['raw'], target: EarlyTarget, tags: readonly string[], send: Send) {
    this.raw = raw
    this.response = response
    this.method = raw.method!
    this.headers = raw.headers
    this.target = target
    this.tags = tags
    this.refresh = refreshIn(raw)
    this.variantKey = undefined
    this.#send = send
  }

  get host (): string { return this.target.place.host }
  get key (): string { return this.target.place.key }

  /**
   * This object, typed as a Fastify request, for the rules of this package. The rules use only members of this class and symbols of this
   * package.
   */
  get asRequest (): FastifyRequest { return this as unknown as FastifyRequest }

  use (entry: SharedEntry): boolean { return this.#send(this, entry) }
}
