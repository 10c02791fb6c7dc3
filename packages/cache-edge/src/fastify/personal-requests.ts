import { contentKeyOf } from './content-key.js'
import { hasUser, type Core } from '@x/cache-core/suite'
import type { FastifyRequest } from 'fastify'
import type { RouteRule } from '../rules/policy.js'
import { hasCertificate, type Credentials } from '../rules/credentials.js'
import { hasBody, isPlainTarget, sentHeaders } from './target.js'

/** The reason why the response to a request is for its client alone, as `Cache-Status` names it. */
export type PersonalReason = 'upgrade' | 'request-body' | 'target' | 'personal'

const kReason = Symbol('@x/cache-edge.personal')

type Judged = FastifyRequest & { [kReason]?: PersonalReason | null }

/** Whether a request was judged personal, before its handler ran or while it ran. */
export function wasFoundPersonal (request: FastifyRequest): boolean {
  return (request as Judged)[kReason] != null
}

/** Decides which requests are personal, so that their responses are for their own client alone. */
export class PersonalRequests {
  readonly #core: Core
  readonly #credentials: Credentials

  constructor (core: Core, credentials: Credentials) {
    this.#core = core
    this.#credentials = credentials
  }

  /** The reason why a request is personal; `null`: its response may be shared. Evaluated once per request, before the handler. */
  reasonOf (request: FastifyRequest, rule: RouteRule): PersonalReason | null {
    const judged = request as Judged
    const known = judged[kReason]
    return known === undefined ? (judged[kReason] = this.#judge(request, rule)) : known
  }

  /** Records, while the handler runs, that the request is personal: the handler has read a part of the request that is in no cache key. */
  mark (request: FastifyRequest): void {
    (request as Judged)[kReason] = 'personal'
  }

  /**
   * The names of what makes a request personal: its credential headers and cookies, or its user, certificate or validation error. Values
   * are not named, since they may be secret. A request to a personal path has none, since it is personal whatever it contains.
   */
  causesOf (request: FastifyRequest, rule: RouteRule): string[] {
    if (this.hasPersonalUrl(request)) return []
    const headers = typeof rule === 'object' && rule.hasHeaderSchema() ? sentHeaders(request.raw) : request.raw.headers
    return [
      ...this.#credentials.namesIn(headers),
      ...hasCertificate(request) ? ['client certificate'] : [],
      ...hasUser(request) ? ['request.user'] : [],
      ...request.validationError != null ? ['validation error'] : []
    ]
  }

  /** Whether the URL of a request is personal under any policy. A rewritten URL is personal if one of its two spellings is. */
  hasPersonalUrl ({ raw }: FastifyRequest): boolean {
    const { personal } = this.#core.registry
    const { originalUrl } = raw as { originalUrl?: string }
    return personal.hasUrl(raw.url!) || (originalUrl !== undefined && personal.hasUrl(originalUrl))
  }

  #judge (request: FastifyRequest, rule: RouteRule): PersonalReason | null {
    if (rule === 'personal' || this.hasPersonalUrl(request)) return 'personal'
    const { raw } = request
    const headers = rule?.hasHeaderSchema() === true ? sentHeaders(raw) : raw.headers
    // An upgrade request is personal: its response is a connection (RFC 9110 §7.8), or the refusal of one.
    if (raw.headers.upgrade !== undefined) return 'upgrade'
    // The response may depend on the body of the request, which is a part of the cache key only for the method QUERY.
    if (hasBody(raw, headers) && contentKeyOf(request) === undefined) return 'request-body'
    if (!isPlainTarget(request)) return 'target'
    // A shared response may go to a client with credentials if the policy has `sameForAll`; with `scope: 'private'` only the client's own
    // cache stores the response.
    if (rule !== undefined && (rule.sameForAll || !rule.isShared)) return null
    // With `attachValidation` the handler sees validation errors, also those of hidden headers, so a request with such errors is personal.
    return this.#credentials.isIn(headers) || hasCertificate(request) || hasUser(request) || request.validationError != null ? 'personal' : null
  }
}
