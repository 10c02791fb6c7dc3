import { ensureCore, refuseSiblings, RESPONSE_KEYS } from '@x/cache-core/suite'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { EdgeRegistered, EtagClash } from './errors.js'
import { removeResponseHeaders } from './fastify/failed-response.js'
import { BodyTags } from './fastify/body-tags.js'
import { Edge } from './fastify/edge.js'
import { Seam } from './fastify/early/seam.js'
import { forgetReady } from './fastify/ready-hits.js'
import { isLastHook } from './fastify/hook-order.js'
import { configOf } from './fastify/patches.js'
import { resolveEdgeOptions, type CacheEdgeOptions } from './options.js'
import type { EdgePolicy } from './policy-options.js'
import { isRead } from './rules/methods.js'
import { GROUP_PREFIX, TAG_PREFIX } from './store/cache-key.js'

/** The decorator `fastify.cacheEdge`: counters of early answers and of failed bans. */
export interface CacheEdge {
  /** The number of requests that were answered before the hooks of the app; see the policy's `early`. */
  readonly earlyAnswers: number
  /** The number of bans that a proxy did not accept in any attempt, counted once for each tag and proxy. */
  readonly purgeFailures: number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The counters of early answers and of failed bans. */
    cacheEdge: CacheEdge
  }
  interface FastifyContextConfig {
    /**
     * The edge policy of this route, which extends or overrides the rule for its prefix. `false`: the route has no policy, and no rule
     * applies.
     */
    cache?: EdgePolicy | false
  }
}

const NAME = '@x/cache-edge'
const kEdge = Symbol.for(`${NAME}.edge`)

/** The edge of HTTP: entity tags, conditional requests, `Cache-Control`, and stored responses. */
const plugin: FastifyPluginAsync<CacheEdgeOptions> = async function cacheEdge (fastify, raw) {
  const options = resolveEdgeOptions(raw)
  if (fastify.hasDecorator(kEdge)) throw new EdgeRegistered()
  if (options.etag !== false && fastify.hasPlugin('@fastify/etag')) throw new EtagClash()
  refuseSiblings(fastify, NAME)
  const core = await ensureCore(fastify)
  core.registry.personal.add(options.personal ?? [])
  for (const name of [RESPONSE_KEYS, TAG_PREFIX, GROUP_PREFIX]) core.registry.reservedNames.add(name)
  const tags = options.etag === false ? undefined : await BodyTags.create({ ...options.etag })
  const edge = new Edge(fastify, core, tags, options)
  fastify.decorate(kEdge, edge)
  fastify.decorate('cacheEdge', {
    get earlyAnswers () { return edge.early.count },
    get purgeFailures () { return edge.purgeFailures }
  })
  fastify.addHook('onRoute', function applyPolicy (route) { edge.apply(route) })
  if (options.etag !== false) refuseEtagIn(fastify)
  // The onError hook removes the headers of a failed response, since it runs after the handler and before the error handler.
  fastify.addHook('onError', function forgetFailed (request, reply, _error, done) {
    forgetReady(reply)
    if (isRead(request.method)) removeResponseHeaders(reply)
    done()
  })
  // The last hook of the app finishes the responses of routes that were declared before the plugin had loaded; all other routes have their
  // own last hook.
  fastify.addHook('onSend', function finishAnswer (request, reply, payload, done) {
    if (edge.isApplied(request)) return done(null, payload)
    edge.finishOlder(request, reply, payload, isLastHook(request, 'finishAnswer'), done)
  })
  const { early } = edge
  const seam = Seam.of(fastify)
  if (seam === undefined) {
    fastify.addHook('onRequest', function answerEarly (request, reply, done) {
      if (early.hasRoutes && early.answer(request.raw, reply.raw, configOf(request))) reply.hijack()
      else done()
    })
  }
  fastify.addHook('onReady', async function startEdge () { edge.start(seam) })
  fastify.addHook('onClose', async function closeEdge () { await edge.close() })
}

/**
 * ETags, conditional requests, `Cache-Control`, and stored responses. See {@link CacheEdgeOptions}.
 * @throws `CACHE_ERR_OPTION_INVALID`; `CACHE_ERR_POLICY_INVALID` for a rule, or when a route is declared; `CACHE_ERR_EDGE_REGISTERED` for a
 * second registration; `CACHE_ERR_ETAG_CLASH` beside `@fastify/etag`; `CACHE_ERR_SIBLING_CONTEXTS` in two contexts; when the app is ready
 * `CACHE_ERR_APP_UNNAMED`
 */
export const cacheEdge = fp(plugin, { fastify: '^5.11.0', name: NAME })

/** Refuses `@fastify/etag` in any part of the app, also if it is registered later, since that plugin sends 304 itself. */
function refuseEtagIn (fastify: FastifyInstance): void {
  const contexts = [fastify]
  fastify.addHook('onRegister', function noteContext (context) { contexts.push(context) })
  fastify.addHook('onReady', async function refuseEtag () {
    if (contexts.some((context) => context.hasPlugin('@fastify/etag'))) throw new EtagClash()
  })
}
