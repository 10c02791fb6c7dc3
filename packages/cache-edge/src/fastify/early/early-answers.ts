import type { FastifyCache } from '@x/cache-core'
import { useNow, type EntryUser, type SharedEntry } from '@x/cache-core/implementing'
import { variantOf, type Core } from '@x/cache-core/suite'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { StoredRoute } from '../../exchange/cache-request.js'
import type { ExchangeRunner } from '../../exchange/exchange-runner.js'
import { Notices, type Log } from '../../lib/notices.js'
import { bypassOf, type BypassRules } from '../../rules/decide.js'
import type { Policy } from '../../rules/policy.js'
import { matches, readAtOf, timeOf } from '../../store/variants.js'
import type { BodyTags } from '../body-tags.js'
import type { EdgeHeaders } from '../edge-headers.js'
import { configOf } from '../patches.js'
import type { RequestKey } from '../request-key.js'
import type { StoredResponses } from '../serve.js'
import { isUnchanged, noteArrival, Origin } from './arrival.js'
import { EarlyRequest } from './early-request.js'
import { EarlyTargets, type EarlyTarget } from './early-targets.js'
import { PreparedAnswer } from './prepared-answer.js'
import { PreparedAnswers } from './prepared-answers.js'
import { Preparer } from './preparer.js'

type Raw = FastifyRequest['raw']
/** The cache client with its method `useNow`, which passes an entry to `user`, and counts the read only if the entry was sent. */
type EarlyReads = FastifyCache & { [useNow] (key: string, user: EntryUser): boolean }

/** The functions and objects of the response cache that early answers use. */
export interface EarlyParts {
  readonly core: Core
  readonly log: Log
  readonly tags: BodyTags | undefined
  readonly headers: EdgeHeaders
  readonly responses: StoredResponses
  readonly runner: ExchangeRunner
  readonly bypassRules: BypassRules<FastifyRequest, Policy<FastifyRequest>>
  /** The names of the request headers by which constraints select a route. */
  readonly routing: readonly string[]
}

/** The URLs that may be answered early for one method, and the prepared answers. */
class MethodTargets {
  readonly targets = new EarlyTargets()
  readonly prepared = new PreparedAnswers()
}

const NO_VARIANT = ''

/**
 * Answers requests with stored responses before the hooks of the app. A target (URL and origin) is learned from a request that has reached
 * a handler and has a stored response, so that the router, `rewriteUrl` and constraints have selected its route. A request that is not
 * surely a hit is left to the route unchanged.
 */
export class EarlyAnswers {
  /** The number of requests that were answered early, before the hooks of the app. */
  count = 0
  /** Whether at least one route of the app allows early answers. */
  hasRoutes = false
  readonly #parts: EarlyParts
  readonly #preparer: Preparer
  readonly #cache: EarlyReads
  readonly #get = new MethodTargets()
  readonly #head = new MethodTargets()
  readonly #notices = new Notices()
  readonly #hitWith: (ttl: number) => string

  constructor (parts: EarlyParts) {
    this.#parts = parts
    this.#preparer = new Preparer(parts.headers, parts.tags)
    this.#cache = parts.core.client.withArm('cached') as unknown as EarlyReads
    this.#hitWith = (ttl) => parts.responses.hitWith(ttl)
  }

  /**
   * Answers a request if it is surely a hit. `false`: nothing was sent or counted.
   * @param route the config of the route that Fastify has chosen; `undefined`: the request is not routed yet
   */
  answer (raw: Raw, response: FastifyReply['raw'], route?: object): boolean {
    // Before the routing no hook can have set a response header, so the headers are read only after it.
    const before = route === undefined ? undefined : response.getHeaders()
    try {
      if (this.#tryTargets(raw, response, route)) {
        this.count++
        return true
      }
    } catch (err) {
      this.#notices.warnOnce(this.#parts.log, 'failed', { err }, 'Cache: an early response could not be sent; its route answers instead, or the stream is destroyed if a part was sent')
      if (response.headersSent) {
        response.destroy()
        return true
      }
      response.statusCode = 200
      for (const name of response.getHeaderNames()) response.removeHeader(name)
      for (const [name, value] of Object.entries(before ?? {})) if (value !== undefined) response.setHeader(name, value)
    }
    noteArrival(raw)
    return false
  }

  /**
   * Returns a function that learns the target of a request which has reached its handler and does not bypass the stored responses. Call
   * that function once a stored response of the request exists; `undefined`: nothing is learned.
   * @param tags the tags of the policy for this request
   */
  lessonOf (
    request: FastifyRequest, route: StoredRoute<FastifyRequest>, { key, isCurrent }: RequestKey, tags: readonly string[]
  ): (() => void) | undefined {
    const { raw } = request
    const { originalUrl } = raw as { originalUrl?: string }
    // The app's function `rewriteUrl` may rewrite the URL by any part of the request, so such requests are not learned.
    if (originalUrl !== undefined) {
      this.#notices.warnOnce(request.log, 'rewritten', {}, 'Cache: no response is sent early, since rewriteUrl or a middleware of this app rewrites URLs; take early out of the policies')
      return undefined
    }
    const side = this.#sideOf(raw)
    if (side === undefined || !isUnchanged(raw, [...route.policy.vary, ...this.#parts.routing])) return undefined
    const variant = this.#variantIn(route.policy, raw.headers)
    const origin = variant === undefined ? undefined : Origin.of(raw, 'ips' in request)
    if (origin === undefined) return undefined
    // The parts of the request are read before the handler runs, since some of them are then hidden from the handler.
    const place = { origin, route, key, isCurrent, host: request.host, config: configOf(request) }
    const lesson = { url: raw.url!, variant: variant!, tags, place }
    return () => side.targets.learn(lesson)
  }

  /**
   * Returns the values of the headers in the policy's `vary`, among them those by which the router selects a route of the URL. `undefined`:
   * the request has another header that a constraint reads, so the router may find no route for the same URL with this header.
   */
  #variantIn ({ vary }: Policy<FastifyRequest>, headers: IncomingHttpHeaders): string | undefined {
    for (const name of this.#parts.routing) if (headers[name] !== undefined && !vary.includes(name)) return undefined
    return vary.length === 0 ? NO_VARIANT : variantOf(vary, headers)
  }

  #sideOf ({ method }: Raw): MethodTargets | undefined {
    return method === 'GET' ? this.#get : method === 'HEAD' ? this.#head : undefined
  }

  #tryTargets (raw: Raw, response: FastifyReply['raw'], config: object | undefined): boolean {
    const side = this.#sideOf(raw)
    const targets = side?.targets.of(raw.url!)
    if (targets === undefined) return false
    for (let at = 0; at < targets.length; at++) {
      const target = targets[at]!
      // Constraints may select one of several routes for a URL, so a request is answered only if its header values are known for this
      // route.
      const tags = target.place.origin.isOf(raw) ? this.#tagsOf(target, raw) : undefined
      if (tags === undefined || (config !== undefined && config !== target.place.config)) continue
      return this.#tryTarget(target, tags, raw, response)
    }
    return false
  }

  #tagsOf (target: EarlyTarget, { headers }: Raw): readonly string[] | undefined {
    const variant = this.#variantIn(target.place.route.policy, headers)
    return variant === undefined ? undefined : target.tagsOf(variant)
  }

  #tryTarget (target: EarlyTarget, tags: readonly string[], raw: Raw, response: FastifyReply['raw']): boolean {
    const { policy } = target.place.route
    const { core: { registry: { rollout } }, bypassRules } = this.#parts
    // Between 0 and 100 % the arm of a request depends on its user or address, which functions of the app determine. At 0 % no request is
    // cached.
    if (!rollout.isAllOrNothing || rollout.limit === 0 || policy.hasHeaderSchema()) return false
    const request = new EarlyRequest(raw, response, target, tags, this.#use)
    if (bypassOf(request.asRequest, policy, bypassRules) !== undefined) return false
    // A range must be cut from the body as the hooks of the app leave it, so a request for a range is not answered early.
    if (raw.headers.range !== undefined) return false
    // The stored response of an earlier `No-Vary-Search` of the path may still be stored under the key that was learned.
    if (target.place.isCurrent?.() === false) return false
    return this.#cache[useNow](target.place.key, request)
  }

  /** Answers with the stored response of an entry; if the entry is an index of variants, with the variant that the request selects. */
  readonly #use = (request: EarlyRequest, entry: SharedEntry): boolean => {
    const answers = this.#sideOf(request.raw)!.prepared
    const prepared = this.#preparer.of(entry.value, request, answers)
    if (prepared instanceof PreparedAnswer) return this.#send(entry, prepared, request)
    if (prepared === undefined || request.variantKey !== undefined) return false
    const variant = prepared.variantOf(request)
    const own = prepared.keyOf(variant, request)
    request.variantKey = own
    if (!this.#cache[useNow](own, request)) return false
    answers.grow(prepared.remember(variant, own))
    this.#parts.runner.countVariant(own)
    return true
  }

  #send (entry: SharedEntry, prepared: PreparedAnswer, request: EarlyRequest): boolean {
    const { headers, runner } = this.#parts
    const { head } = prepared
    const { method, target: { place: { route: { pattern } } } } = request
    if (!matches(head, request.headers)) return false
    const now = timeOf({ readAt: readAtOf(head, entry) })
    if (!runner.isHit(request, { head, isStale: !entry.fresh }, now)) return false
    const verdict = headers.verdictOn(request, head.status, prepared.etag, head.headers['last-modified'])
    if (verdict === 'precondition-failed') return false
    const isNotModified = verdict === 'not-modified'
    prepared.send(request, isNotModified, now, this.#hitWith)
    headers.announceCandidate(pattern, method)
    if (isNotModified) headers.announceMatch(pattern, method)
    return true
  }
}
