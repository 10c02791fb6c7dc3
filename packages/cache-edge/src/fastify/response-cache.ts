import { enterHandlerPhase, RESPONSE_KEYS, type Core } from '@x/cache-core/suite'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import { isIP } from 'node:net'
import type { Refresh, StoredRoute } from '../exchange/cache-request.js'
import { ExchangeRunner } from '../exchange/exchange-runner.js'
import { warn } from '../lib/notices.js'
import type { CacheStatus } from '../rules/cache-status.js'
import { bypassOf, type BypassRules } from '../rules/decide.js'
import { isRead } from '../rules/methods.js'
import type { Policy } from '../rules/policy.js'
import { hasOtherParameter } from '../rules/query.js'
import { CONDITIONAL } from '../rules/visibility.js'
import type { BodyTags } from './body-tags.js'
import type { Constraints } from './constraints.js'
import { EarlyAnswers } from './early/early-answers.js'
import type { EdgeHeaders } from './edge-headers.js'
import { CacheRequests } from './cache-requests.js'
import { FastifyCacheRequest, refreshOf } from './fastify-cache-request.js'
import { showAllBeforeSend } from './handler-view.js'
import type { PersonalRequests } from './personal-requests.js'
import { ReadyHits } from './ready-hits.js'
import { failing } from './run-handler.js'
import { StoredResponses } from './serve.js'

/** The settings of the response cache, which answers requests to stored routes. */
export interface ResponseCacheSettings {
  readonly constraints: Pick<Constraints, 'headers'>
  readonly tags: BodyTags | undefined
  readonly name: string
  /** The name of the app in the cache keys; `undefined`: no other app shares the store. */
  readonly app: string | undefined
  /** Whether the tags of a policy are also cache groups. */
  readonly cacheGroups: boolean
  readonly hosts: ReadonlySet<string> | undefined
  readonly maxBodyBytes: number
  readonly maxVariants: number
  readonly coalesceMs: number
}

/**
 * Reasons for bypassing the stored responses, in the words of the parameter `detail` of `Cache-Status`. For these reasons the handler sees
 * the whole request, and its response is marked as personal.
 */
const SHOWN_ALL = new Set(['method', 'upgrade', 'personal', 'request-body', 'target'])

/** An option of Fastify's router that is missing in Fastify's types. */
interface RouterConfig { readonly useSemicolonDelimiter?: boolean; readonly routerOptions?: { readonly useSemicolonDelimiter?: boolean } }

/** Answers requests from `fastify.cache` in place of a route's handler (RFC 9111), after every hook before the handler has run. */
export class ResponseCache {
  /** Whether the app's router also begins a query at `;` (`useSemicolonDelimiter`). */
  readonly #hasSemicolon: boolean
  readonly #core: Core
  readonly #headers: EdgeHeaders
  readonly #responses: StoredResponses
  readonly #requests: CacheRequests
  readonly #runner: ExchangeRunner
  readonly #bypassRules: BypassRules<FastifyRequest, Policy<FastifyRequest>>
  readonly #bypassCauses: { readonly personal: PersonalRequests; readonly hosts: ReadonlySet<string> | undefined }
  readonly early: EarlyAnswers
  hasRoutes = false

  constructor (
    fastify: FastifyInstance, core: Core, headers: EdgeHeaders, personal: PersonalRequests,
    { name, app, cacheGroups, hosts, constraints, tags, ...limits }: ResponseCacheSettings
  ) {
    const { useSemicolonDelimiter, routerOptions } = fastify.initialConfig as RouterConfig
    this.#hasSemicolon = useSemicolonDelimiter === true || routerOptions?.useSemicolonDelimiter === true
    this.#core = core
    this.#headers = headers
    this.#responses = new StoredResponses(name, headers)
    const ready = new ReadyHits(headers, tags !== undefined, (ttl) => this.#responses.hitWith(ttl))
    this.#requests = new CacheRequests(fastify, core, { personal, responses: this.#responses, ready, app, cacheGroups })
    this.#bypassRules = {
      personalReason: (request, policy) => personal.reasonOf(request, policy),
      hasOtherParameter: (request, { query }) => query !== undefined && this.#hasOtherParameter(request, query),
      isOtherHost: ({ host }) => hosts !== undefined && !hosts.has(host.toLowerCase())
    }
    this.#bypassCauses = { personal, hosts }
    let hasWarned = false
    this.#runner = new ExchangeRunner(core, {
      ...limits,
      onMemoryFull: () => {
        if (!hasWarned) warn(fastify.log, {}, 'Cache: the streams that are being recorded hold as much memory as they may; others are sent and not stored until their clients have read more')
        hasWarned = true
      }
    })
    const runner = this.#runner
    this.early = new EarlyAnswers({
      core,
      headers,
      tags,
      runner,
      log: fastify.log,
      responses: this.#responses,
      bypassRules: this.#bypassRules,
      routing: constraints.headers
    })
    fastify.addHook('onClose', async function forgetInvalidations () { runner.close() })
  }

  /** Wraps a handler: the wrapper answers with a stored response if the rules allow it, and otherwise runs the route's own handler. */
  wrap (handler: RouteHandlerMethod, route: StoredRoute<FastifyRequest>): RouteHandlerMethod {
    // The metric label of stored responses is reserved before the first response, since the number of labels is limited.
    if (!this.hasRoutes) this.#core.registry.stats.patterns.reserve([RESPONSE_KEYS])
    this.hasRoutes = true
    if (route.policy.early) this.early.hasRoutes = true
    const cache = this
    const cached: RouteHandlerMethod = function (request, reply) {
      const run = (): unknown => handler.call(this, request, reply)
      const bypass = bypassOf(request, route.policy, cache.#bypassRules)
      return bypass === undefined ? cache.#answer(request, reply, route, run) : cache.#bypass(request, reply, route, run, bypass.why)
    }
    return Object.defineProperty(cached, 'name', { value: handler.name })
  }

  /** Removes the stand-in `Content-Type` of a stored response that has none; see {@link StoredResponses.dropStandIn}. */
  dropStandIn (reply: FastifyReply): void {
    this.#responses.dropStandIn(reply)
  }

  /** Appends the member of this cache to `Cache-Status`, after all hooks; see {@link StoredResponses.complete}. */
  complete (reply: FastifyReply): void {
    this.#responses.complete(reply)
  }

  /**
   * Whether one of the two spellings of a rewritten URL has a parameter that the policy does not name. Both are checked, since both are in
   * the cache key.
   */
  #hasOtherParameter ({ raw }: FastifyRequest, names: ReadonlySet<string>): boolean {
    const { url, originalUrl = url } = raw as typeof raw & { readonly originalUrl?: string }
    return hasOtherParameter(url!, names, this.#hasSemicolon) ||
      (originalUrl !== url && hasOtherParameter(originalUrl!, names, this.#hasSemicolon))
  }

  /** Runs the handler for a request that bypasses the stored responses. */
  #bypass (
    request: FastifyRequest, reply: FastifyReply, route: StoredRoute<FastifyRequest>, run: () => unknown, status: CacheStatus
  ): unknown {
    const refresh = refreshOf(request)
    if (refresh !== undefined) return refuse(refresh, reply)
    this.#responses.setStatus(reply, status)
    this.#noteBypass(request, route, status.detail)
    if (SHOWN_ALL.has(status.detail ?? status.fwd!)) return run()
    const own = new FastifyCacheRequest(this.#requests, request, reply, route, run)
    if (this.#runner.unstored.showsAll(route)) return failing(this.#runner.lone.runShown(own, status))
    showAllBeforeSend(reply, own.show(undefined, CONDITIONAL))
    return run()
  }

  /**
   * Counts a request that bypasses the stored responses for a reason that may apply to all requests of its route. Any other reason ends the
   * count. An IP address as host is that of a health probe, and names no cause.
   */
  #noteBypass (request: FastifyRequest, route: StoredRoute<FastifyRequest>, reason: string | undefined): void {
    // The route of HEAD has stored nothing of its own, although that of GET may have. Other methods that do not read store nothing.
    if (request.method === 'HEAD' || !isRead(request.method)) return
    const { unstored } = this.#runner
    if (reason !== 'personal' && reason !== 'host') return unstored.noteOther(route)
    const { personal, hosts = [] } = this.#bypassCauses
    const namesOf = (): readonly string[] => reason === 'personal' ? personal.causesOf(request, route.policy) : isAddress(request.host) ? [] : [...hosts]
    unstored.noteRepeated(route, reason, namesOf, request.log)
  }

  /**
   * Answers a request. `undefined`: the response was sent at once. A returned promise is never fulfilled, and rejects with the error of the
   * handler.
   */
  #answer (request: FastifyRequest, reply: FastifyReply, route: StoredRoute<FastifyRequest>, run: () => unknown): unknown {
    enterHandlerPhase(request)
    const own = new FastifyCacheRequest(this.#requests, request, reply, route, run)
    const { refresh } = own
    if (refresh !== undefined && !own.isSeenAs(refresh.identity, refresh.stale)) return refuse(refresh, reply)
    const tags = this.#headers.tagsOf(request, route.policy)
    if (tags === undefined) {
      this.#noteBypass(request, route, 'tags')
      return failing(this.#runner.lone.runAlone(own, { fwd: 'bypass', detail: 'tags' }))
    }
    const lesson = route.policy.early && refresh === undefined ? this.early.lessonOf(request, route, own.requestKey, tags) : undefined
    own.enter(tags, lesson)
    const answering = this.#runner.answer(own)
    return answering === undefined ? undefined : failing(answering)
  }
}

/** Whether a host is an IP address, which may have a port and brackets. */
function isAddress (host: string): boolean {
  return isIP(host) !== 0 || isIP(host.replace(/:\d{1,5}$/, '').replace(/^\[(.*)\]$/, '$1')) !== 0
}

/** Refuses a background refresh that hooks turned into a different request; its response is not stored. */
function refuse (refresh: Refresh, reply: FastifyReply): undefined {
  refresh.isOther = true
  reply.code(503).send()
}
