import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { packagesOf } from './app-packages.js'
import { Core } from './core.js'
import { CachingClash, DecoratorTaken, SiblingContexts } from '../contract/errors.js'
import type { FastifyCache } from '../client/fastify-cache.js'
import { resolveCoreOptions, type CacheCoreOptions } from './options.js'
import { addStatusRoutes, STATUS_PATH } from './status-route.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** The app's cache: the same object from the start to the close of the app, whatever implementation is in service. */
    cache: FastifyCache
  }
  interface FastifyRequest {
    /** The cache, bound to this request's arm of the rollout. */
    cache: FastifyCache
  }
}

const kCore = Symbol.for('@x/cache-core.core')
const NAME = '@x/cache-core'

/** Returns the core of a Fastify instance; `undefined` before any package of the suite is registered. */
export function coreOf (fastify: FastifyInstance): Core | undefined {
  return (fastify as FastifyInstance & { [kCore]?: Core })[kCore]
}

const plugin: FastifyPluginAsync<CacheCoreOptions> = async function cacheCore (fastify, options) {
  await install(fastify, options, true)
}

/** The plugin: decorates the instance with `fastify.cache` and its requests with `request.cache`. */
export const cacheCore = fp(plugin, { fastify: '5.x', name: NAME })

/**
 * Returns the core of a Fastify instance, and registers a core if the instance has none, so that every package of the suite works alone. A
 * later explicit registration adopts that core with its own options.
 */
export async function ensureCore (fastify: FastifyInstance): Promise<Core> {
  return coreOf(fastify) ?? await install(fastify, {}, false)
}

async function install (fastify: FastifyInstance, raw: object, isExplicit: boolean): Promise<Core> {
  const options = resolveCoreOptions(raw)
  const present = coreOf(fastify)
  if (present !== undefined) {
    await present.configure(options, isExplicit)
    return present
  }
  if (Reflect.get(fastify, Symbol.for('fastify-caching.registered')) === true) throw new CachingClash()
  if (fastify.hasDecorator('cache')) throw new DecoratorTaken('fastify.cache')
  if (fastify.hasRequestDecorator('cache')) throw new DecoratorTaken('request.cache')
  refuseSecondCore(fastify, isExplicit)
  const core = new Core(fastify, options)
  fastify.decorate(kCore, core)
  fastify.decorate('cache', core.client)
  explainClash(fastify)
  core.requests.decorate(fastify)
  addStatusRoutes(fastify, core.registry, core.console, () => core.access())
  fastify.addHook('onReady', function startCache () { return core.start() })
  fastify.addHook('onClose', function closeCache () { return core.close() })
  await core.configure(options, isExplicit)
  return core
}

/**
 * Refuses a second core in an app, unless both registrations are explicit and in contexts with different prefixes. A second core that a
 * sibling package registers by itself would be an unintended second cache.
 */
function refuseSecondCore (fastify: FastifyInstance, isExplicit: boolean): void {
  const packages = packagesOf(fastify)
  const hasOther = packages.has(NAME)
  if (hasOther && (!isExplicit || fastify.hasRoute({ method: 'GET', url: fastify.prefix + STATUS_PATH }))) throw new SiblingContexts(NAME)
  packages.add(NAME)
}

/**
 * Makes the registration of `@fastify/caching` after the core reject with `CACHE_ERR_CACHING_CLASH`: Fastify's own error names the
 * decorator `cache`, but not the plugin that took it. For `@fastify/caching`, a plugin with a callback, the replaced
 * `decorate` reports the error by `after` and does not throw it: avvio does not catch what such a plugin throws.
 */
function explainClash (fastify: FastifyInstance): void {
  const decorate = fastify.decorate as (this: FastifyInstance, ...args: unknown[]) => FastifyInstance
  fastify.decorate = function decorateOrExplain (this: FastifyInstance, ...args: unknown[]) {
    try {
      return decorate.apply(this, args)
    } catch (error) {
      if (args[0] !== 'cache' || !this.hasPlugin('@fastify/caching')) throw error
      const fail = (earlier: Error | null, done: (error: Error) => void): void => { done(earlier ?? new CachingClash()) }
      // Fastify's type lacks the second argument, by which a listener reports an error.
      this.after(fail as (earlier: Error | null) => void)
      return this
    }
  } as typeof fastify.decorate
}
