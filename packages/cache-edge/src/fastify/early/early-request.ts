import type { FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { DecidedRequest } from '../../rules/decide.js'
import { refreshIn } from '../fastify-cache-request.js'
import type { EarlyTarget } from './early-targets.js'

/**
 * A request before the hooks of the app, for the rules that also judge a request in front of its handler. It has no user and no result of a
 * validation, since no hook has run.
 */
export class EarlyRequest implements DecidedRequest {
  readonly raw: FastifyRequest['raw']
  readonly method: string
  readonly host: string
  readonly key: string
  readonly headers: IncomingHttpHeaders
  readonly refresh: object | undefined

  constructor (raw: FastifyRequest['raw'], { key, host }: EarlyTarget) {
    this.raw = raw
    this.method = raw.method!
    this.host = host
    this.key = key
    this.headers = raw.headers
    this.refresh = refreshIn(raw)
  }

  /** This object, as the rules of this package take a request. They use the members of this class and own symbols alone. */
  get asRequest (): FastifyRequest { return this as unknown as FastifyRequest }
}
