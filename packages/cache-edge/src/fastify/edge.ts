import type { Core } from '@x/cache-core/suite'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler, RouteHandlerMethod, RouteOptions } from 'fastify'
import { takeUnnamed } from '../lib/unnamed-app.js'
import { say, warn } from '../lib/notices.js'
import { pick } from '../lib/pick.js'
import { EDGE_DEFAULTS, ETAG_DEFAULTS, PURGE_DEFAULTS, type CacheEdgeOptions } from '../options.js'
import { Purger } from '../purge/purger.js'
import { Credentials } from '../rules/credentials.js'
import { SAFE_METHODS } from '../rules/methods.js'
import type { Policy, RouteRule } from '../rules/policy.js'
import { announceStore } from './announce-store.js'
import type { EarlyAnswers } from './early/early-answers.js'
import type { Seam } from './early/seam.js'
import { EdgeHeaders } from './edge-headers.js'
import type { BodyTags } from './body-tags.js'
import { toStoredRoute } from './fastify-cache-request.js'
import { hashContent } from './content-key.js'
import { checkingFirst } from './current-tag.js'
import { surround, type Surrounding } from './hook-order.js'
import { checkFastify, configOf } from './patches.js'
import { cutRanges } from './ranges.js'
import { finishReady, isReady } from './ready-hits.js'
import { PersonalRequests } from './personal-requests.js'
import { ResponseCache } from './response-cache.js'
import { RouteRules } from './route-rules.js'
import { Writes } from './unsafe-methods.js'

/** The property in a route's `config` which shows that this plugin added a last onSend hook to the route. */
const kEdge = Symbol.for('@x/cache-edge.edge')

type Done = (error: Error | null, payload?: unknown) => void

/** The edge of one app: its routes, the last hook of each response, and the purge of its proxies. */
export class Edge {
  readonly #fastify: FastifyInstance
  readonly #core: Core
  readonly #rules: RouteRules
  readonly #headers: EdgeHeaders
  readonly #responses: ResponseCache
  readonly #writes: Writes
  readonly #purger: Purger | undefined
  readonly #tags: BodyTags | undefined
  readonly #saysNoCache: boolean
  readonly #isNamed: boolean
  readonly #etagSuffixes: readonly string[]
  #freeName: (() => void) | undefined
  #hasToldOlder = false

  constructor (fastify: FastifyInstance, core: Core, tags: BodyTags | undefined, options: CacheEdgeOptions) {
    const { hosts, purge, tagHeader = EDGE_DEFAULTS.tagHeader, cacheGroups = EDGE_DEFAULTS.cacheGroups } = options
    const credentials = new Credentials(options)
    const personal = new PersonalRequests(core, credentials)
    this.#fastify = fastify
    this.#core = core
    this.#tags = tags
    this.#rules = new RouteRules(fastify, core, credentials, options)
    this.#saysNoCache = options.etag !== false && (options.etag?.noCache ?? ETAG_DEFAULTS.noCache)
    this.#etagSuffixes = options.etagSuffixes ?? []
    let isCompressed: boolean | undefined
    this.#headers = new EdgeHeaders(core, {
      personal,
      tagHeader,
      cacheGroups,
      saysNoCache: this.#saysNoCache,
      hasCookieAwareProxies: options.proxies === 'cookie-aware',
      etagSuffixes: this.#etagSuffixes,
      // The decorator `compress` of a compression plugin is looked up at the first response, when all plugins have been loaded.
      isCompressed: () => {
        isCompressed ??= fastify.hasReplyDecorator('compress')
        return isCompressed
      }
    })
    this.#responses = new ResponseCache(fastify, core, this.#headers, personal, {
      constraints: this.#rules.constraints,
      tags,
      ...EDGE_DEFAULTS,
      ...pick(options, ['maxBodyBytes', 'maxVariants', 'coalesceMs', 'name']),
      app: options.app,
      cacheGroups,
      hosts: hosts === undefined ? undefined : new Set(hosts.map((host) => host.toLowerCase()))
    })
    this.#writes = new Writes(fastify)
    this.#isNamed = options.app !== undefined
    this.#purger = purge === undefined ? undefined : new Purger({ ...PURGE_DEFAULTS, ...purge }, core.registry.events, fastify.log)
  }

  /** Applies the policy of a route: wraps its handler, and adds the hooks of the edge. */
  apply (route: RouteOptions): void {
    const rule = this.#rules.of(route)
    this.#wrapHandler(route, rule)
    surround(route, (isCurrent) => this.#hooksOf(route, rule, isCurrent))
    const methods = [route.method].flat().map((method) => method.toUpperCase())
    if (methods.includes('QUERY') && rule !== undefined && rule !== 'personal') route.preParsing = [...[route.preParsing ?? []].flat(), hashContent]
    // Routes that have only safe methods, such as GET, do not get the hook `noteWrite`, which would slow them down.
    if (methods.some((method) => !SAFE_METHODS.has(method))) {
      const noteWrite: onRequestHookHandler = (request, _reply, done) => {
        if (!SAFE_METHODS.has(request.raw.method!) && this.#responses.hasRoutes) this.#writes.note(request)
        done()
      }
      route.onRequest = [noteWrite, ...[route.onRequest ?? []].flat()]
    }
    Object.assign(route, { config: { ...route.config, [kEdge]: true } })
  }

  /** Returns the onSend hooks of a route. They do nothing once `isCurrent` returns `false`, since other hooks have replaced them. */
  #hooksOf (route: RouteOptions, rule: RouteRule<FastifyRequest>, isCurrent: () => boolean): Surrounding {
    const edge = this
    return {
      first (request, reply, payload, done) {
        if (isCurrent() && !isReady(reply)) edge.#tagBody(request, reply, payload)
        done(null, payload)
      },
      between (request, reply, payload, done) {
        if (isCurrent()) edge.#tags?.settle(request, reply, payload)
        done(null, payload)
      },
      last (request, reply, payload, done) {
        if (!isCurrent()) return done(null, payload)
        if (isReady(reply)) return edge.#finishReady(request, reply, payload, route.url, done)
        edge.#tags?.settle(request, reply, payload)
        edge.#finish(request, reply, payload, { rule, url: route.url }, done)
      },
      only (request, reply, payload, done) {
        if (!isCurrent()) return done(null, payload)
        if (isReady(reply)) return edge.#finishReady(request, reply, payload, route.url, done)
        edge.#tagBody(request, reply, payload)
        edge.#finish(request, reply, payload, { rule, url: route.url }, done)
      }
    }
  }

  get early (): EarlyAnswers { return this.#responses.early }

  get purgeFailures (): number { return this.#purger?.failures ?? 0 }

  /** Whether the route of a request has a last hook of its own, so that the app's hook has nothing to do. */
  isApplied (request: FastifyRequest): boolean {
    return (configOf(request) as { [kEdge]?: boolean } | undefined)?.[kEdge] === true
  }

  /**
   * Finishes the response of a route that was declared before the plugin had loaded. Warns once if the route has a policy, which has no
   * effect.
   * @param isLast whether no other hook may change the body
   */
  finishOlder (request: FastifyRequest, reply: FastifyReply, payload: unknown, isLast: boolean, done: Done): void {
    const { config, url = '' } = request.routeOptions
    this.#tellOlder(request, url, config)
    if (isLast) this.#tags?.tag(request, reply, payload)
    this.#finish(request, reply, payload, { rule: undefined, url }, done)
  }

  /**
   * Logs settings that apply to all responses, and options without effect; begins early answers.
   * @param seam the place in front of the routing; `undefined`: a hook answers early
   * @throws `CACHE_ERR_APP_UNNAMED` where another app stores responses under the same keys
   */
  start (seam: Seam | undefined): void {
    checkFastify(this.#fastify)
    if (this.#responses.hasRoutes && !this.#isNamed) this.#freeName = takeUnnamed(this.#core.registry)
    const { log } = this.#fastify
    if (this.#saysNoCache) say(log, 'info', {}, 'Cache: a response with a computed ETag and no Cache-Control of its own goes out with no-cache, since a validator makes some proxies store it; etag: { noCache: false } ends that')
    this.#rules.announceUnused(log)
    if (this.early.hasRoutes) this.#startEarly(seam)
    if (this.#responses.hasRoutes) announceStore(log, this.#core.registry, this.#isNamed)
  }

  #startEarly (seam: Seam | undefined): void {
    const { log } = this.#fastify
    const { active } = this.#core.registry
    warn(log, {}, 'Cache: responses of policies with early are sent before the hooks of this app, so without its authentication, rate limits and logs')
    if (!active.passThrough && active.immediate === undefined && active.near === undefined) {
      warn(log, { implName: active.implName }, 'Cache: no response is sent early, since the implementation holds no copies in this process; give cacheRedis the option near')
    }
    if (seam === undefined) return
    // A constraint chooses routes in the whole app, also those that were declared before this plugin.
    const constraint = this.#rules.constraints.unnamedOf(seam.strategies!)
    if (constraint === undefined) seam.open(this.early)
    else warn(log, { constraint }, `Cache: no response is sent early, since the constraint "${constraint}" may read any request header; name those that it reads in the option constraintHeaders`)
  }

  async close (): Promise<void> {
    this.#freeName?.()
    await this.#purger?.close()
  }

  #tagBody (request: FastifyRequest, reply: FastifyReply, payload: unknown): void {
    this.#responses.dropStandIn(reply)
    this.#tags?.tag(request, reply, payload)
  }

  #finish (
    request: FastifyRequest, reply: FastifyReply, payload: unknown,
    route: { readonly rule: RouteRule<FastifyRequest>; readonly url: string }, done: Done
  ): void {
    const { statusCode } = reply
    this.#responses.complete(reply)
    if (this.#responses.hasRoutes && !SAFE_METHODS.has(request.raw.method!) && statusCode >= 200 && statusCode < 400) {
      // Stored responses are invalidated before the response is sent, so that a client that has received the response reads the changed
      // state.
      void this.#writes.invalidate(request, reply).then(() => {
        try {
          done(null, payload)
        } catch (error) {
          // A payload that cannot be sent becomes an error response, as in Fastify: its error must not end the process.
          reply.send(error)
        }
      })
      return
    }
    done(null, cutRanges(request, reply, this.#headers.finish(request, reply, payload, route.rule, route.url)))
  }

  #finishReady (request: FastifyRequest, reply: FastifyReply, payload: unknown, route: string, done: Done): void {
    finishReady(reply)
    this.#headers.announceCandidate(route, request.method)
    if (reply.statusCode === 304) this.#headers.announceMatch(route, request.method)
    done(null, payload)
  }

  #tellOlder (request: FastifyRequest, route: string, config: object): void {
    const own = (config as { cache?: unknown }).cache
    if (this.#hasToldOlder || own === false || (own === undefined && !this.#rules.covers(route))) return
    this.#hasToldOlder = true
    warn(request.log, { route }, `Cache: the route "${route}" was declared before cacheEdge had loaded, so it gets an ETag and nothing of its policy. Write await register(cacheEdge, …) before the first route`)
  }

  #wrapHandler (route: RouteOptions, rule: RouteRule<FastifyRequest>): void {
    // A WebSocket route is not wrapped, since its handler receives a socket, and no cache answers an upgrade.
    const { websocket, wsHandler } = route as { websocket?: boolean; wsHandler?: unknown }
    if (rule === undefined || rule === 'personal' || websocket === true) return
    if (wsHandler === undefined) route.handler = this.#wrapped(route.handler, rule, route)
    else if ((rule.store !== false || rule.currentTag !== undefined) && route.method !== 'HEAD') {
      warn(this.#fastify.log, { route: route.url }, 'Cache: responses of this route are not stored, and have no currentTag, since it has a wsHandler; declare the WebSocket under another path, or take store and currentTag from the route')
    }
  }

  #wrapped (handler: RouteHandlerMethod, policy: Policy<FastifyRequest>, route: RouteOptions): RouteHandlerMethod {
    // The schema is read at each request, since a plugin that is loaded later may add a schema to the route.
    policy.hasHeaderSchema = () => (route.schema as { headers?: unknown } | undefined)?.headers !== undefined
    if (policy.noVarySearch) this.#writes.hasPathTags = true
    const inner = policy.store === false ? handler : this.#responses.wrap(handler, toStoredRoute(route, policy))
    return policy.currentTag === undefined ? inner : checkingFirst(inner, policy.currentTag, this.#etagSuffixes)
  }
}
