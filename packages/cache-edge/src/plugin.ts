import { ensureCore, refuseSiblings, RESPONSE_KEYS, type Core } from '@x/cache-core/suite'
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest, onRequestHookHandler, onSendHookHandler, RouteHandlerMethod, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { BodyTags } from './fastify/body-tags.js'
import { Constraints } from './fastify/constraints.js'
import { Credentials } from './rules/credentials.js'
import { checkingFirst } from './fastify/current-tag.js'
import { EdgeRegistered, EtagClash, PolicyInvalid } from './errors.js'
import { PersonalRequests } from './fastify/personal-requests.js'
import { toStoredRoute } from './fastify/cache-request.js'
import { checkFastify, contextOf } from './fastify/patches.js'
import { EdgeHeaders, forgetAnswer } from './fastify/answer-headers.js'
import { isLastHook, surround } from './fastify/hook-order.js'
import { TAG_PREFIX } from './store/cache-key.js'
import { say, warn } from './lib/notices.js'
import { resolveEdgeOptions, resolvePolicy, type CacheEdgeOptions, type EdgePolicy } from './options.js'
import { toPolicy, type Policy, type RouteRule } from './rules/policy.js'
import { Purger } from './purge/purger.js'
import { ResponseCache } from './fastify/response-cache.js'
import { takeUnnamed } from './lib/unnamed-app.js'
import { Writes } from './fastify/writes.js'

/** `fastify.cacheEdge`: what the edge tells of itself. */
export interface CacheEdge {
  /** Bans that a proxy did not take in any attempt. */
  readonly purgeFailures: number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** What the edge tells of itself. */
    cacheEdge: CacheEdge
  }
  interface FastifyContextConfig {
    /** What the edge may do with the answers of this route; `false`: nothing, whatever the rules say. */
    cache?: EdgePolicy | false
  }
}

const NAME = '@x/cache-edge'
const kEdge = Symbol.for(`${NAME}.edge`)
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY'])
const DEFAULTS = { maxBodyBytes: 1024 * 1024, maxVariants: 50, coalesceMs: 10_000, name: 'fastify' }
const PURGE_DEFAULTS = { timeoutMs: 1000, attempts: 5, againAfterMs: 5000 }

/** What HTTP sees of the cache: entity tags, conditional requests, `Cache-Control`, and answers that are kept. */
const plugin: FastifyPluginAsync<CacheEdgeOptions> = async function cacheEdge (fastify, raw) {
  const options = resolveEdgeOptions(raw)
  if (fastify.hasDecorator(kEdge)) throw new EdgeRegistered()
  if (options.etag !== false && fastify.hasPlugin('@fastify/etag')) throw new EtagClash()
  refuseSiblings(fastify, NAME)
  const core = await ensureCore(fastify)
  core.registry.personal.add(options.personal ?? [])
  for (const name of [RESPONSE_KEYS, TAG_PREFIX]) core.registry.reservedNames.add(name)
  const tags = options.etag === false ? undefined : await BodyTags.create({ ...options.etag })
  const edge = new Edge(fastify, core, tags, options)
  fastify.decorate(kEdge, edge)
  fastify.decorate('cacheEdge', { get purgeFailures () { return edge.purgeFailures } })
  fastify.addHook('onRoute', function applyPolicy (route) { edge.apply(route) })
  if (options.etag !== false) refuseEtagIn(fastify)
  // Behind the handler and in front of the error handler.
  fastify.addHook('onError', function forgetFailed (request, reply, _error, done) {
    if (request.method === 'GET' || request.method === 'HEAD') forgetAnswer(reply)
    done()
  })
  // For routes that were declared before this plugin had loaded; on all others the hook of the route comes last.
  fastify.addHook('onSend', function finishAnswer (request, reply, payload, done) {
    // Fastify makes `routeOptions` anew at each access, and this is asked of every answer.
    if (isMarked((contextOf(request) ?? request.routeOptions).config)) return done(null, payload)
    const { config, url = '' } = request.routeOptions
    edge.tellOlder(request, url, config)
    // A hook behind this one may change the body.
    if (isLastHook(request, 'finishAnswer')) edge.tag(request, reply, payload)
    edge.finish(request, reply, payload, undefined, url, done)
  })
  fastify.addHook('onReady', async function tellAtStart () {
    checkFastify(fastify)
    edge.takeName()
    edge.tellAtStart()
  })
  fastify.addHook('onClose', async function closeEdge () { await edge.close() })
}

/** ETags, Cache-Control, 304 and kept answers. */
export const cacheEdge = fp(plugin, { fastify: '5.x', name: NAME })

/** Another `@fastify/etag` in the app or a part of it answers 304 by itself, however late it is registered. */
function refuseEtagIn (fastify: FastifyInstance): void {
  const contexts = [fastify]
  fastify.addHook('onRegister', function noteContext (context) { contexts.push(context) })
  fastify.addHook('onReady', async function refuseEtag () {
    if (contexts.some((context) => context.hasPlugin('@fastify/etag'))) throw new EtagClash()
  })
}

/** Whether a route has its own last hook. */
function isMarked (config: object | undefined): boolean {
  return (config as { [kEdge]?: boolean } | undefined)?.[kEdge] === true
}

/** What one app has of the edge. */
class Edge {
  readonly #fastify: FastifyInstance
  readonly #core: Core
  readonly #rules: readonly { readonly prefix: string; readonly policy: EdgePolicy }[]
  readonly #headers: EdgeHeaders
  readonly #responses: ResponseCache
  readonly #writes: Writes
  readonly #purger: Purger | undefined
  readonly #tags: BodyTags | undefined
  readonly #constraints: Constraints
  readonly #credentials: Credentials
  /** Prefixes of the rules that no route has matched. */
  readonly #unused: Set<string>
  readonly #saysNoCache: boolean
  readonly #isNamed: boolean
  #freeName: (() => void) | undefined
  #hasToldOlder = false

  constructor (fastify: FastifyInstance, core: Core, tags: BodyTags | undefined, options: CacheEdgeOptions) {
    const { rules = [], hosts, purge, tagHeader = 'Surrogate-Key' } = options
    this.#fastify = fastify
    this.#core = core
    this.#tags = tags
    this.#constraints = new Constraints(options.constraintHeaders ?? {}, (name) => fastify.hasConstraintStrategy(name))
    this.#rules = rules.map(({ prefix, ...policy }) => ({ prefix, policy })).sort((a, b) => b.prefix.length - a.prefix.length)
    this.#credentials = new Credentials(options)
    this.#unused = new Set(rules.map(({ prefix }) => prefix))
    this.#saysNoCache = options.etag !== false && options.etag?.noCache !== false
    for (const { prefix, policy } of this.#rules) toPolicy(`rule "${prefix}"`, policy, this.#credentials)
    const personal = new PersonalRequests(core, this.#credentials)
    let isCompressed: boolean | undefined
    this.#headers = new EdgeHeaders(core, {
      personal,
      tagHeader,
      saysNoCache: this.#saysNoCache,
      // Asked of answers, when no plugin can decorate any more.
      isCompressed: () => {
        isCompressed ??= fastify.hasReplyDecorator('compress')
        return isCompressed
      }
    })
    this.#responses = new ResponseCache(fastify, core, this.#headers, personal, {
      ...DEFAULTS, ...pick(options, ['maxBodyBytes', 'maxVariants', 'coalesceMs', 'name']), app: options.app, hosts: hosts === undefined ? undefined : new Set(hosts.map((host) => host.toLowerCase()))
    })
    this.#writes = new Writes(fastify)
    this.#isNamed = options.app !== undefined
    this.#purger = purge === undefined ? undefined : new Purger({ ...PURGE_DEFAULTS, ...purge }, core.registry.events, fastify.log)
  }

  /** Gives a route its policy, and the handler and the last hook that go with it. */
  apply (route: RouteOptions): void {
    const rule = this.#ruleFor(route)
    const { handler } = route
    this.#varyByConstraints(route, rule)
    // The handler of a WebSocket is given a socket, and an upgrade is not answered from a cache.
    const { websocket, wsHandler } = route as { websocket?: boolean; wsHandler?: unknown }
    if (rule !== undefined && rule !== 'personal' && websocket !== true) {
      if (wsHandler === undefined) route.handler = this.#wrapped(handler, rule, route)
      else if ((rule.store !== false || rule.currentTag !== undefined) && route.method !== 'HEAD') {
        warn(this.#fastify.log, { route: route.url }, 'Cache: answers of this route are not stored, and have no currentTag, since it has a wsHandler; declare the WebSocket under another path, or take store and currentTag from the route')
      }
    }
    const edge = this
    const tagBody: onSendHookHandler = function tagBody (request, reply, payload, done) {
      edge.#responses.dropStandIn(reply)
      edge.tag(request, reply, payload)
      done(null, payload)
    }
    const tagBetween: onSendHookHandler = function tagBetween (request, reply, payload, done) {
      edge.settleTag(request, reply, payload)
      done(null, payload)
    }
    const finishRoute: onSendHookHandler = function finishRoute (request, reply, payload, done) {
      edge.settleTag(request, reply, payload)
      edge.finish(request, reply, payload, rule, route.url, done)
    }
    surround(route, { first: tagBody, between: tagBetween, last: finishRoute })
    // For reads it would be one hook more.
    if ([route.method].flat().some((method) => !SAFE.has(method.toUpperCase()))) {
      const noteWrite: onRequestHookHandler = function noteWrite (request, _reply, done) {
        edge.noteWrite(request)
        done()
      }
      route.onRequest = [noteWrite, ...[route.onRequest ?? []].flat()]
    }
    Object.assign(route, { config: { ...route.config, [kEdge]: true } })
  }

  get purgeFailures (): number { return this.#purger?.failures ?? 0 }

  tag (request: FastifyRequest, reply: FastifyReply, payload: unknown): void { this.#tags?.tag(request, reply, payload) }

  settleTag (request: FastifyRequest, reply: FastifyReply, payload: unknown): void { this.#tags?.settle(request, reply, payload) }

  noteWrite (request: FastifyRequest): void {
    if (!SAFE.has(request.raw.method!) && this.#responses.hasRoutes) this.#writes.note(request)
  }

  finish (request: FastifyRequest, reply: FastifyReply, payload: unknown, rule: RouteRule<FastifyRequest>, route: string, done: (error: Error | null, payload?: unknown) => void): void {
    const { statusCode } = reply
    this.#responses.complete(reply)
    if (this.#responses.hasRoutes && !SAFE.has(request.raw.method!) && statusCode >= 200 && statusCode < 400) {
      // Before the answer goes out: who has read it reads what it changed.
      this.#writes.invalidate(request, reply).then(() => {
        try {
          done(null, payload)
        } catch (error) {
          // As Fastify does where nobody waits: what cannot be sent is answered as an error, and does not end the process.
          reply.send(error)
        }
      })
      return
    }
    done(null, this.#headers.finish(request, reply, payload, rule, route))
  }

  /** Says at the start what holds for all answers, and what was asked for and will not happen. */
  tellAtStart (): void {
    const { log } = this.#fastify
    if (this.#saysNoCache) say(log, 'info', {}, 'Cache: an answer with a computed ETag and no Cache-Control of its own goes out with no-cache, since a validator makes some proxies store it; etag: { noCache: false } ends that')
    for (const prefix of this.#unused) {
      warn(log, { prefix }, `Cache: the rule "${prefix}" covers no route. It is compared with the patterns of routes that are declared after cacheEdge has loaded: await its registration before them`)
    }
    if (this.#responses.hasRoutes && this.#core.registry.active.stats.label === 'memory') {
      warn(this.#fastify.log, {}, 'Cache: answers are kept in the memory of this process; other processes do not see its invalidations')
    }
  }

  /** Says once that a route with a policy is older than the plugin, so that the policy does nothing. */
  tellOlder (request: FastifyRequest, route: string, config: object): void {
    const own = (config as { cache?: unknown }).cache
    if (this.#hasToldOlder || own === false || (own === undefined && this.#ruleOf(route) === undefined)) return
    this.#hasToldOlder = true
    warn(request.log, { route }, `Cache: the route "${route}" was declared before cacheEdge had loaded, so it gets an ETag and nothing of its policy. Write await register(cacheEdge, …) before the first route`)
  }

  /** Refuses to store responses under keys that another app of this process has as well. */
  takeName (): void {
    if (this.#responses.hasRoutes && !this.#isNamed) this.#freeName = takeUnnamed(this.#core.registry)
  }

  async close (): Promise<void> {
    this.#freeName?.()
    await this.#purger?.close()
  }

  #ruleOf (url: string): { prefix: string; policy: EdgePolicy } | undefined {
    return this.#rules.find(({ prefix }) => url === prefix || url.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`))
  }

  #ruleFor (route: RouteOptions): RouteRule<FastifyRequest> {
    const name = nameOf(route)
    const given = (route.config as { cache?: unknown } | undefined)?.cache
    const own = given === undefined ? undefined : resolvePolicy(name, given)
    const rule = this.#ruleOf(route.url)
    if (rule !== undefined) this.#unused.delete(rule.prefix)
    if (this.#core.registry.personal.hasRoute(route.url)) return 'personal'
    if (own === false) return undefined
    if (own === undefined && rule === undefined) return undefined
    return toPolicy(name, { ...rule?.policy, ...own }, this.#credentials)
  }

  /** Whatever chose the route is named by `Vary`, or nobody may share its responses. */
  #varyByConstraints (route: RouteOptions, rule: RouteRule<FastifyRequest>): void {
    const policy = rule === 'personal' ? undefined : rule
    const addTo = (own: Policy<FastifyRequest>, headers: readonly string[]): void => {
      if (own.store !== false) this.#credentials.refuseIn(nameOf(route), headers)
      own.vary = [...new Set([...own.vary, ...headers])]
    }
    const unknown = this.#constraints.add(route, policy && ((headers) => addTo(policy, headers)))
    if (unknown === undefined) return
    throw new PolicyInvalid(nameOf(route), `the constraint "${unknown}" chooses between routes of this URL, and a cache has to know by which request headers: name them in the option constraintHeaders, as in { ${JSON.stringify(unknown)}: ["X-Tenant"] }`)
  }

  #wrapped (handler: RouteHandlerMethod, policy: Policy<FastifyRequest>, route: RouteOptions): RouteHandlerMethod {
    // Later plugins may add to the schema.
    policy.hasHeaderSchema = () => (route.schema as { headers?: unknown } | undefined)?.headers !== undefined
    const inner = policy.store === false ? handler : this.#responses.wrap(handler, toStoredRoute(route, policy))
    return policy.currentTag === undefined ? inner : checkingFirst(inner, policy.currentTag)
  }
}

/** For messages. */
function nameOf ({ method, url }: RouteOptions): string {
  return `${String(method)} ${url}`
}

function pick<T extends object, K extends keyof T> (from: T, names: readonly K[]): { [N in K]: NonNullable<T[N]> } {
  return Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]])) as { [N in K]: NonNullable<T[N]> }
}
