import { corrupt } from '@x/cache-core/implementing'
import { Backoff, enterHandlerPhase, RESPONSE_KEYS, type Core } from '@x/cache-core/suite'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify'
import type { CacheStatus } from '../rules/cache-status.js'
import { Answers, servable } from '../fastify/serve.js'
import { Flights } from './coalescing.js'
import { HandlerRuns, isAllowedOnError, type CacheRequest, type Miss } from './handler-runs.js'
import { LoneRuns } from './lone-runs.js'
import type { PersonalRequests } from '../fastify/personal-requests.js'
import { RecordingMemory } from './recording.js'
import { RequestViews, type StoredRoute } from '../fastify/request-view.js'
import { UnstoredRoutes } from './unstored-routes.js'
import { CONDITIONAL } from '../rules/visibility.js'
import { isGone } from '../fastify/client-gone.js'
import { showAllBeforeSend } from '../fastify/handler-view.js'
import { failing } from '../fastify/run-handler.js'
import type { EdgeHeaders } from '../fastify/answer-headers.js'
import { isLabelledSo } from './storability.js'
import { warn } from '../lib/notices.js'
import { bypassOf, decide, type BypassRules, type RecentFailures } from '../rules/decide.js'
import type { Policy } from '../rules/policy.js'
import { hasOtherParameter } from '../rules/query.js'
import { stateOf } from '../rules/stored-state.js'
import { Refresher, type Refresh } from './refresh.js'
import type { StoredHead } from '../store/stored-response.js'
import { matches, timeOf, Variants, type Found, type Lookup } from '../store/variants.js'
import { within } from '../lib/within.js'

/** Settings of the response cache. */
export interface ResponseCacheSettings {
  readonly name: string
  /** The name of the app in the keys; `undefined`: no other app shares the store. */
  readonly app: string | undefined
  readonly hosts: ReadonlySet<string> | undefined
  readonly maxBodyBytes: number
  readonly maxVariants: number
  readonly coalesceMs: number
}

/** Details of bypassed requests whose handler sees all of the request: the answer is marked as one for this client alone. */
const SHOWN_ALL = new Set(['method', 'upgrade', 'personal', 'request-body', 'target'])
/** Bytes that all streams hold together while they are recorded, at least. */
const RECORDING_BYTES = 32 * 1024 * 1024

/** An option of the router that Fastify's types of `routerOptions` lack. */
interface RouterConfig { readonly useSemicolonDelimiter?: boolean; readonly routerOptions?: { readonly useSemicolonDelimiter?: boolean } }

/** Answers from `fastify.cache` in place of a route's handler (RFC 9111), after every hook in front of the handler has run. */
export class ResponseCache {
  /** Whether the router begins a query at `;` as well. */
  readonly #hasSemicolon: boolean
  readonly #core: Core
  readonly #headers: EdgeHeaders
  readonly #settings: ResponseCacheSettings
  readonly #views: RequestViews
  readonly #answers: Answers
  readonly #variants: Variants
  readonly #flights: Flights
  readonly #runs: HandlerRuns
  readonly #lone: LoneRuns
  readonly #unstored = new UnstoredRoutes()
  readonly #refresher: Refresher
  readonly #unkept: Backoff
  readonly #failed: Backoff
  readonly #failures: RecentFailures<StoredHead>
  readonly #bypassRules: BypassRules<FastifyRequest, Policy>
  hasRoutes = false

  constructor (fastify: FastifyInstance, core: Core, headers: EdgeHeaders, personal: PersonalRequests, settings: ResponseCacheSettings) {
    const { registry, registry: { events } } = core
    const { useSemicolonDelimiter, routerOptions } = fastify.initialConfig as RouterConfig
    this.#hasSemicolon = useSemicolonDelimiter === true || routerOptions?.useSemicolonDelimiter === true
    this.#core = core
    this.#headers = headers
    this.#settings = settings
    this.#views = new RequestViews(personal, settings.app)
    this.#answers = new Answers(settings.name, headers)
    this.#refresher = new Refresher(fastify, registry)
    this.#unkept = new Backoff(registry)
    this.#failed = new Backoff(registry)
    this.#failures = {
      hasFailed: (key, head) => this.#failed.isActive(key + head.variant),
      isRefreshRefused: (key, head) => this.#refresher.isRefused(key, head)
    }
    const { hosts } = settings
    this.#bypassRules = {
      personalReason: (request, policy) => personal.reasonOf(request, policy),
      hasOtherParameter: (request, { query }) => query !== undefined && this.#hasOtherParameter(request, query),
      isOtherHost: ({ host }) => hosts !== undefined && !hosts.has(host.toLowerCase())
    }
    this.#flights = new Flights(registry, settings.coalesceMs)
    this.#variants = new Variants(settings.maxVariants, () => {
      const { active } = registry
      const error = corrupt('edge', 'something that is no response')
      active.stats.countError(error)
      events.emit('failed', active.stats.label, 'edge', error)
    })
    let hasWarned = false
    const memory = new RecordingMemory(Math.max(RECORDING_BYTES, 2 * settings.maxBodyBytes), () => {
      if (!hasWarned) warn(fastify.log, {}, 'Cache: the streams that are being recorded hold as much memory as they may; others are sent and not stored until their clients have read more')
      hasWarned = true
    })
    const forRuns = { memory, maxBodyBytes: settings.maxBodyBytes, answers: this.#answers, unstored: this.#unstored }
    this.#runs = new HandlerRuns({ ...forRuns, variants: this.#variants, flights: this.#flights, unkept: this.#unkept, failed: this.#failed })
    this.#lone = new LoneRuns({ ...forRuns, personal })
    const stops = [
      events.on('invalidated', (tags) => this.#flights.overtake((flight) => tags.some((tag) => flight.tags.has(tag)))),
      events.on('cleared', () => {
        this.#flights.overtake(() => true)
        this.#variants.clear()
      }),
      // What was made for one implementation is not stored in another.
      events.on('swapped', () => this.#flights.overtake(() => true))
    ]
    fastify.addHook('onClose', async function forgetInvalidations () { for (const stop of stops) stop() })
  }

  /** A handler that answers from the cache where it may, and else runs the route's own. */
  wrap (handler: RouteHandlerMethod, route: StoredRoute): RouteHandlerMethod {
    // Its label, however many patterns of keys there were before.
    if (!this.hasRoutes) this.#core.registry.stats.patterns.reserve([RESPONSE_KEYS])
    this.hasRoutes = true
    const cache = this
    const cached: RouteHandlerMethod = function (request, reply) {
      const run = (): unknown => handler.call(this, request, reply)
      const bypass = bypassOf(request, route.policy, cache.#bypassRules)
      return bypass === undefined ? cache.#visit(request, reply, route, run) : cache.#pass(request, reply, route, run, bypass.why)
    }
    return Object.defineProperty(cached, 'name', { value: handler.name })
  }

  /** See {@link Answers.dropStandIn}. */
  dropStandIn (reply: FastifyReply): void {
    this.#answers.dropStandIn(reply)
  }

  /** Puts what this cache did behind what a handler says of the caches in front of the origin (RFC 9211 §2), behind all hooks. */
  complete (reply: FastifyReply): void {
    this.#answers.complete(reply)
  }

  /** Whether either spelling of a rewritten URL has another parameter: both are in the key. */
  #hasOtherParameter ({ raw }: FastifyRequest, names: ReadonlySet<string>): boolean {
    const { url, originalUrl = url } = raw as typeof raw & { readonly originalUrl?: string }
    return hasOtherParameter(url!, names, this.#hasSemicolon) || (originalUrl !== url && hasOtherParameter(originalUrl!, names, this.#hasSemicolon))
  }

  /** Runs the handler for a request that the store is not asked for. */
  #pass (request: FastifyRequest, reply: FastifyReply, route: StoredRoute, run: () => unknown, bypass: CacheStatus): unknown {
    const refresh = this.#refresher.of(request)
    if (refresh !== undefined) return refuse(refresh, reply)
    this.#answers.tell(reply, bypass)
    if (SHOWN_ALL.has(bypass.detail ?? bypass.fwd!)) return run()
    const view = this.#views.of(request, route)
    if (this.#unstored.showsAll(route)) return failing(this.#lone.runShown({ request, reply, policy: route.policy, tags: view.tags, view, run }, bypass))
    showAllBeforeSend(reply, view.show(undefined, CONDITIONAL))
    return run()
  }

  /** Answers from within: at once, which is `undefined`, or by a promise that only ever rejects, as if the handler alone had. */
  #visit (request: FastifyRequest, reply: FastifyReply, route: StoredRoute, run: () => unknown): unknown {
    enterHandlerPhase(request)
    const { policy } = route
    const view = this.#views.of(request, route)
    const refresh = this.#refresher.of(request)
    if (refresh !== undefined && !view.isSeenAs(refresh.identity, refresh.stale)) return refuse(refresh, reply)
    const own = this.#headers.tagsOf(request, policy)
    const visit: CacheRequest = {
      view, request, reply, policy, run, cache: refresh?.cache ?? request.cache, tags: own === undefined ? [...view.tags] : [...own, ...view.tags], refresh
    }
    if (own === undefined) return failing(this.#lone.runAlone(visit, { fwd: 'bypass', detail: 'tags' }))
    const looked = this.#variants.find(visit.cache, view.key, request.raw.headers, visit.tags)
    if (looked instanceof Promise) return failing(looked.then((lookup) => this.#answer(visit, lookup)))
    const answering = this.#answer(visit, looked)
    return answering === undefined ? undefined : failing(answering)
  }

  /** Acts on the decision. `undefined`: the answer was sent at once. */
  #answer (visit: CacheRequest, looked: Lookup): Promise<void> | undefined {
    const { found } = looked
    const { request, reply } = visit
    if (found !== undefined && visit.refresh === undefined && !isLabelledSo(reply, found.head)) return this.#lone.runLabelled(visit)
    const decision = decide(visit, looked, this.#failures, found === undefined ? 0 : timeOf(found))
    switch (decision.kind) {
      case 'hit':
        this.#answers.serve(reply, found!)
        return undefined
      case 'stale-while-revalidate':
        this.#refresher.start(visit.view, visit.cache, found!.head)
        this.#answers.serve(reply, found!)
        return undefined
      case 'stale-if-error':
        this.#answers.serve(reply, found!, { hit: true, detail: 'stale-if-error' })
        return undefined
    }
    const fwd: Miss = decision.why
    if (found === undefined && visit.refresh === undefined && this.#unstored.showsAll(visit.view.route)) return this.#lone.runShown(visit, { fwd }, request.method === 'GET')
    if (decision.kind === 'gateway-timeout') {
      this.#answers.tell(reply, { fwd })
      reply.code(504).send()
      return undefined
    }
    // A handler that is asked for the head alone gives no body to keep.
    return request.method === 'HEAD' ? this.#lone.runAlone(visit, { fwd }) : this.#join(visit, found, fwd)
  }

  /** One handler run per key; the others wait for it, a bounded time. */
  async #join (visit: CacheRequest, found: Found | undefined, fwd: Miss, until = Infinity): Promise<void> {
    const { request, reply } = visit
    // Observing must not delay anybody, and who is outside of the rollout has nothing of the cache.
    const { active, clock, rollout } = this.#core.registry
    if (active.passThrough || this.#core.armOf(request) !== 'cached' || !rollout.allows(RESPONSE_KEYS)) return this.#runs.lead(visit, found, fwd, undefined)
    const { flightKey } = visit.view
    const flight = this.#flights.joinable(flightKey)
    // Nobody waits again for an answer of which nothing was kept.
    if (flight === undefined || this.#unkept.isActive(flightKey)) return this.#runs.lead(visit, found, fwd, flightKey)
    const waitsUntil = Math.min(until, clock.now() + this.#settings.coalesceMs)
    const isLate = flight.isProven
    const shared = visit.refresh !== undefined ? undefined : await within(waitsUntil - clock.now(), flight.join())
    // Its client left while it waited: the handler is run by somebody who is still there.
    if (isGone(reply)) return
    if (flight.isAborted && clock.now() < waitsUntil) return this.#join(visit, found, fwd, waitsUntil)
    if (flight.failure !== undefined && !flight.isOvertaken && found !== undefined && isAllowedOnError(found)) {
      return this.#answers.serve(reply, found, { fwd, collapsed: true, detail: flight.failure })
    }
    const isUsable = shared !== undefined && !flight.isOvertaken && stateOf(shared, false, Date.now()) === 'fresh' && matches(shared, request.raw.headers) && isLabelledSo(reply, shared)
    if (!isUsable || (isLate && !await this.#runs.isCurrent(visit, flight))) return this.#lone.runAlone(visit, { fwd })
    this.#answers.serve(reply, servable(shared), { fwd, collapsed: true })
  }
}

/** Answers a background refresh that arrived as another request than the one it should be: its answer is stored nowhere. */
function refuse (refresh: Refresh, reply: FastifyReply): undefined {
  refresh.isOther = true
  reply.code(503).send()
}
