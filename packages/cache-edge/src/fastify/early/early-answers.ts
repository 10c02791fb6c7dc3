import type { FastifyCache } from '@x/cache-core'
import { useNow, type EntryUser, type SharedEntry } from '@x/cache-core/implementing'
import { variantOf, type Core } from '@x/cache-core/suite'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { StoredRoute } from '../../exchange/cache-request.js'
import type { ExchangeRunner } from '../../exchange/exchange-runner.js'
import { Notices } from '../../lib/notices.js'
import { bypassOf, type BypassRules } from '../../rules/decide.js'
import type { Policy } from '../../rules/policy.js'
import { variantKey } from '../../store/cache-key.js'
import { decode, type StoredHead, type StoredResponse } from '../../store/stored-response.js'
import { matches, readAtOf, timeOf } from '../../store/variants.js'
import { setComputed } from '../body-tags.js'
import type { EdgeHeaders } from '../edge-headers.js'
import { setFromStore } from '../written-headers.js'
import { setStoredFields, type StoredResponses } from '../serve.js'
import { isUnchanged, noteArrival, Origin } from './arrival.js'
import { EarlyRequest } from './early-request.js'
import { EarlyTargets, type EarlyTarget } from './early-targets.js'
import { HeaderReply } from './header-reply.js'
import { PreparedAnswer, type HeadFields } from './prepared-answer.js'
import { sentType } from './sent-type.js'

type Raw = FastifyRequest['raw']
/** The type of `request.cache`, with the method that counts a read only if its entry is used. */
type EarlyReads = FastifyCache & { [useNow] (key: string, user: EntryUser): boolean }

/** The parts of the response cache that early answers use. */
export interface EarlyParts {
  readonly core: Core
  readonly headers: EdgeHeaders
  readonly responses: StoredResponses
  readonly runner: ExchangeRunner
  readonly bypassRules: BypassRules<FastifyRequest, Policy<FastifyRequest>>
  /** The request headers by which constraints choose a route. */
  readonly routing: readonly string[]
}

/** The names in `Vary` of a URL with several representations, and the keys of the representations by their variant. */
class PreparedIndex {
  readonly #vary: readonly string[]
  readonly #keys = new Map<string, string>()

  constructor (vary: readonly string[]) {
    this.#vary = vary
  }

  /** The key of the representation that a request selects. */
  keyOf ({ headers, key }: EarlyRequest): string {
    const variant = variantOf(this.#vary, headers)
    let own = this.#keys.get(variant)
    if (own === undefined) {
      own = variantKey(key, variant)
      if (this.#keys.size < MAX_VARIANTS) this.#keys.set(variant, own)
    }
    return own
  }
}

/** The targets of one method, and the answers prepared for stored bytes; each answer is freed with its bytes. */
class MethodTargets {
  readonly targets = new EarlyTargets()
  readonly prepared = new WeakMap<object, PreparedAnswer | PreparedIndex>()
}

/** The maximum length of a target, in characters, that is remembered. */
const MAX_LENGTH = 1000
/** The maximum number of variants of a target that are remembered. */
const MAX_VARIANTS = 200
const NO_VARIANT = ''
const NO_BODY = Buffer.alloc(0)

/**
 * Answers requests with stored responses before the hooks of the app. Targets are learned from requests that have reached a handler, so the
 * router, `rewriteUrl` and constraints have chosen the route. A request that is not surely a hit is left to the route unchanged.
 */
export class EarlyAnswers {
  /** The number of requests that were answered. */
  count = 0
  /** Whether any route allows early answers. */
  hasRoutes = false
  readonly #core: Core
  readonly #headers: EdgeHeaders
  readonly #responses: StoredResponses
  readonly #runner: ExchangeRunner
  readonly #bypassRules: BypassRules<FastifyRequest, Policy<FastifyRequest>>
  readonly #routing: readonly string[]
  readonly #cache: EarlyReads
  readonly #get = new MethodTargets()
  readonly #head = new MethodTargets()
  readonly #notices = new Notices()
  readonly #hitWith: (ttl: number) => string
  #isStopped = false

  constructor ({ core, headers, responses, runner, bypassRules, routing }: EarlyParts) {
    this.#core = core
    this.#headers = headers
    this.#responses = responses
    this.#runner = runner
    this.#bypassRules = bypassRules
    this.#routing = routing
    this.#cache = core.client.withArm('cached') as unknown as EarlyReads
    this.#hitWith = (ttl) => this.#responses.hitWith(ttl)
  }

  /** Ends early answers, since the app closes: it answers the remaining requests with 503. */
  stop (): void {
    this.#isStopped = true
  }

  /** Answers a request if it is surely a hit. `false`: nothing was sent or counted. */
  answer (raw: Raw, response: FastifyReply['raw']): boolean {
    if (!this.hasRoutes || this.#isStopped) return false
    const side = this.#sideOf(raw)
    if (side === undefined) return false
    const targets = side.targets.of(raw.url!)
    if (targets !== undefined) {
      for (let at = 0; at < targets.length; at++) {
        const target = targets[at]!
        // Constraints may choose between several routes of one URL. The tags of a target are known only for header values that reached its
        // route.
        const tags = target.origin.isOf(raw) ? this.#tagsOf(target, raw) : undefined
        if (tags === undefined) continue
        if (!this.#tryTarget(target, tags, raw, response)) break
        this.count++
        return true
      }
    }
    noteArrival(raw)
    return false
  }

  /**
   * Learns the target of a request that has reached the handler of its route and does not bypass the store.
   * @param tags the tags of the policy for this request
   */
  learn (request: FastifyRequest, route: StoredRoute<FastifyRequest>, key: string, tags: readonly string[]): void {
    const { raw } = request
    const { originalUrl } = raw as { originalUrl?: string }
    // `rewriteUrl` and middleware may choose the URL by any part of the request, so a rewritten URL is never answered early.
    if (originalUrl !== undefined) return this.#notices.warnOnce(request.log, 'rewritten', {}, 'Cache: no response is sent early, since rewriteUrl or a middleware of this app rewrites URLs; take early out of the policies')
    const side = this.#sideOf(raw)
    if (side === undefined || raw.url!.length > MAX_LENGTH || !isUnchanged(raw, [...route.policy.vary, ...this.#routing])) return
    const variant = this.#variantIn(route.policy, raw.headers)
    if (variant === undefined) return
    let target = side.targets.of(raw.url!)?.find((each) => each.route === route && each.key === key && each.origin.isOf(raw))
    if (target === undefined) {
      const origin = Origin.of(raw, 'ips' in request)
      if (origin === undefined) return
      target = { origin, route, key, host: request.host, tags: new Map() }
      side.targets.add(raw.url!, target)
    }
    if (target.tags.size < MAX_VARIANTS || target.tags.has(variant)) target.tags.set(variant, tags)
  }

  /**
   * Returns the values of the headers in `vary`, by which the router chooses between the routes of a URL. `undefined`: the request has
   * another header that a constraint reads, so that it may reach no route.
   */
  #variantIn ({ vary }: Policy<FastifyRequest>, headers: IncomingHttpHeaders): string | undefined {
    for (const name of this.#routing) if (headers[name] !== undefined && !vary.includes(name)) return undefined
    return vary.length === 0 ? NO_VARIANT : variantOf(vary, headers)
  }

  #sideOf ({ method }: Raw): MethodTargets | undefined {
    return method === 'GET' ? this.#get : method === 'HEAD' ? this.#head : undefined
  }

  #tagsOf ({ route: { policy }, tags }: EarlyTarget, { headers }: Raw): readonly string[] | undefined {
    const variant = this.#variantIn(policy, headers)
    return variant === undefined ? undefined : tags.get(variant)
  }

  #tryTarget (target: EarlyTarget, tags: readonly string[], raw: Raw, response: FastifyReply['raw']): boolean {
    const { policy } = target.route
    // If a percent decides, the arm of a request depends on its user or address, which hooks determine, so no early answer is possible.
    if (!this.#core.registry.rollout.isAllOrNothing || policy.hasHeaderSchema()) return false
    const request = new EarlyRequest(raw, response, target, tags, this.#use)
    if (bypassOf(request.asRequest, policy, this.#bypassRules) !== undefined) return false
    return this.#cache[useNow](target.key, request)
  }

  /** Answers with the stored response of an entry; if the entry is an index of variants, with the variant that the request selects. */
  readonly #use = (request: EarlyRequest, entry: SharedEntry): boolean => {
    const prepared = this.#preparedOf(entry.value, request)
    if (prepared instanceof PreparedAnswer) return this.#send(entry, prepared, request)
    if (prepared === undefined || request.variantKey !== undefined) return false
    const own = prepared.keyOf(request)
    request.variantKey = own
    if (!this.#cache[useNow](own, request)) return false
    this.#runner.countVariant(own)
    return true
  }

  #send (entry: SharedEntry, prepared: PreparedAnswer, request: EarlyRequest): boolean {
    const { head } = prepared
    const { raw, method, target: { route: { pattern } } } = request
    if (!matches(head, request.headers)) return false
    const now = timeOf({ readAt: readAtOf(head, entry) })
    if (!this.#runner.isHit(request, { head, isStale: !entry.fresh }, now)) return false
    const verdict = this.#headers.verdictOn(request, head.status, head.etag, head.headers['last-modified'])
    if (verdict === 'precondition-failed') return false
    const isNotModified = verdict === 'not-modified'
    this.#headers.announceCandidate(pattern, method)
    if (isNotModified) this.#headers.announceMatch(pattern, method)
    prepared.send(request.response, raw.httpVersionMajor >= 2, isNotModified, now, this.#hitWith)
    return true
  }

  /** Returns the prepared answer for stored bytes; `undefined`: they are no response that can be sent early. */
  #preparedOf (stored: unknown, request: EarlyRequest): PreparedAnswer | PreparedIndex | undefined {
    if (typeof stored !== 'object' || stored === null) return undefined
    const { policy } = request.target.route
    const prepared = this.#sideOf(request.raw)!.prepared
    const known = prepared.get(stored)
    if (known !== undefined && (known instanceof PreparedIndex || known.policy === policy)) return known
    const decoded = decode(stored)
    if (decoded === undefined || ('response' in decoded && !isSendable(decoded.response))) return undefined
    const made = 'index' in decoded ? new PreparedIndex(decoded.index.vary) : this.#prepare(decoded.response, request)
    prepared.set(stored, made)
    return made
  }

  #prepare ({ body, ...head }: StoredResponse, request: EarlyRequest): PreparedAnswer {
    const { target: { route: { policy } }, tags } = request
    const fieldsOf = (isNotModified: boolean): HeadFields => {
      const described = new HeaderReply()
      const reply = described.asReply
      setFromStore(reply, true)
      setStoredFields(reply, head, isNotModified)
      const type = sentType(head)
      if (type !== undefined && !isNotModified) reply.header('content-type', type)
      if (head.isTagOfBody === true) setComputed(reply)
      this.#headers.describeStored(request.asRequest, reply, policy, { vary: head.vary, tags })
      return { status: described.statusCode, headers: described.getHeaders() }
    }
    const full = fieldsOf(false)
    // A 204 has no `Content-Length` (RFC 9110 §8.6).
    const headers = full.status === 204 ? full.headers : { ...full.headers, 'content-length': String(body.length) }
    return new PreparedAnswer(policy, head, request.method === 'HEAD' ? NO_BODY : body, { status: full.status, headers }, fieldsOf(true))
  }
}

/** Whether the head of a stored response is known without hooks: hooks set no labels, and Fastify changes no type. */
function isSendable (head: StoredHead): boolean {
  return Object.keys(head.labels ?? {}).length === 0 && sentType(head) !== 'unclear'
}
