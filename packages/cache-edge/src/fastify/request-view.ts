import { enterHandlerPhase, joinLines, variantOf } from '@x/cache-core/suite'
import type { FastifyRequest, RouteOptions } from 'fastify'
import { peerOf, type LoopbackRequest } from './loopback.js'
import { showTo, type SeenRequest } from './seen-request.js'
import { Names, variantKey, type TargetUri } from '../store/cache-key.js'
import { Notices } from '../lib/notices.js'
import type { Policy } from '../rules/policy.js'
import type { StoredHead } from '../store/stored-response.js'
import { matches } from '../store/variants.js'
import type { PersonalRequests } from './personal-requests.js'
import { sentHeaders, targetOf } from './target.js'
import { shownNames, visibleHeaders } from '../rules/visibility.js'

/** A route whose responses are stored. */
export interface StoredRoute {
  readonly pattern: string
  readonly policy: Policy
  /** The constraints that tell it apart from other routes of its URL, as text; `''`: none. */
  readonly choice: string
}

/** How a request is seen: its route, its key, and the address that it comes from. */
export interface ViewIdentity { readonly key: string; readonly route: StoredRoute; readonly ip: string }

/** A route with what chooses it. */
export function toStoredRoute ({ url, constraints = {} }: Pick<RouteOptions, 'url' | 'constraints'>, policy: Policy): StoredRoute {
  const own = Object.entries(constraints).map(([name, value]) => [name, value instanceof RegExp ? String(value) : value as unknown]).sort()
  return { pattern: url, policy, choice: own.length === 0 ? '' : JSON.stringify(own) }
}

/** The views of the requests to stored routes of one app. */
export class RequestViews {
  readonly #names: Names
  readonly #personal: PersonalRequests
  readonly #notices = new Notices()

  constructor (personal: PersonalRequests, app: string | undefined) {
    this.#names = new Names(app)
    this.#personal = personal
  }

  of (request: FastifyRequest, route: StoredRoute): RequestView {
    const target = targetOf(request)
    const { key, tags } = this.#names.of(target)
    return new RequestView(this, request, route, target, route.choice === '' ? key : variantKey(key, route.choice), tags)
  }

  /** The handler read what tells clients or requests apart, so its answer is for this client alone. */
  noteIdentity ({ request, route }: RequestView, part: string): void {
    this.#personal.mark(request)
    this.#notices.warnOnce(request.log, route.pattern, { route: route.pattern, part }, `Cache: the handler of this route reads ${part}, which is in no key; such answers are private and not stored. Read it in a hook, or say sameForAll if it makes no difference to the answer`)
  }
}

/**
 * One request to a stored route: the key, the parts of the request that its handler sees, and the background request that
 * renews its response are all made of the same target. A handler sees nothing that another request with the same key might
 * lack; a background request whose view is not the one that it renews stores nothing.
 */
export class RequestView {
  readonly request: FastifyRequest
  readonly route: StoredRoute
  readonly target: TargetUri
  /** The cache key, without the variant. */
  readonly key: string
  /** The tags of the target. */
  readonly tags: readonly string[]
  readonly #views: RequestViews

  constructor (views: RequestViews, request: FastifyRequest, route: StoredRoute, target: TargetUri, key: string, tags: readonly string[]) {
    this.#views = views
    this.request = request
    this.route = route
    this.target = target
    this.key = key
    this.tags = tags
  }

  /** The key of the requests that may wait for one handler run: they show it the same. */
  get flightKey (): string {
    const { raw } = this.request
    return this.key + variantOf(shownNames(raw, this.route.policy), raw.headers)
  }

  /**
   * Hides from the handler all that is not in the key.
   * @param stale the stored response whose validators the handler sees
   * @param also further headers that it sees
   */
  show (stale: StoredHead | undefined, also?: readonly string[]): SeenRequest {
    const { request, route: { policy }, target } = this
    // The rollout may choose by what the handler must not read, such as the address.
    enterHandlerPhase(request)
    Reflect.get(request, 'cache')
    return showTo(request, {
      headers: visibleHeaders(request, policy, target, stale, also),
      scheme: target.scheme,
      host: target.host,
      onIdentity: policy.sameForAll ? undefined : (part) => this.#views.noteIdentity(this, part)
    })
  }

  /** The request that renews a stored response: the target, the address and the selecting headers of this one, and no credentials. */
  renewing (stale: StoredHead): LoopbackRequest {
    const { request, request: { raw }, target } = this
    const sent = sentHeaders(raw)
    const headers: Record<string, string> = { 'user-agent': '@x/cache-edge' }
    const host = sent.host ?? sent[':authority']
    if (host !== undefined) headers.host = String(host)
    // Fastify reads them where it trusts the peer, which the background request has in common with this one.
    const forwarded = 'ips' in request ? ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'] : []
    for (const name of [...forwarded, ...stale.vary]) {
      const value = raw.headers[name] ?? sent[name]
      if (value !== undefined) headers[name] = joinLines(value)!
    }
    return { url: target.originalUrl ?? target.url, headers, peer: peerOf(raw.socket), isHttp2: raw.httpVersionMajor >= 2 }
  }

  /** How its handler sees this request, for a request that is to be seen so as well. */
  get identity (): ViewIdentity {
    const { key, route, request: { ip } } = this
    return { key, route, ip }
  }

  /** Whether its handler sees a request so, and its headers select this stored response. */
  isSeenAs ({ key, route, ip }: ViewIdentity, stale: StoredHead): boolean {
    return this.key === key && this.route.pattern === route.pattern && this.request.ip === ip && matches(stale, this.request.raw.headers)
  }
}
