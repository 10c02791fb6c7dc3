import { ensureCore, OptionInvalid } from '@x/cache-core/suite'
import type { FastifyBaseLogger, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import { PLUGIN_DEFAULTS, redisPluginSchema, redisSchema, type CacheRedisOptions, type RedisCacheOptions } from './options.js'
import { RedisCache, type RedisStatus } from './redis-cache.js'

export type { CacheRedisOptions }

const NAME = '@x/cache-redis'
const FASTIFY_KEYS = new Set(['prefix', 'logLevel', 'logSerializers'])

const plugin: FastifyPluginAsync<CacheRedisOptions> = async function cacheRedis (fastify, raw) {
  const { enabled = PLUGIN_DEFAULTS.enabled, rollout, patterns, ...rest } = raw
  if (typeof enabled !== 'boolean') throw new OptionInvalid('enabled', typeof enabled, 'true or false')
  const options = Object.fromEntries(Object.entries(rest).filter(([name]) => !FASTIFY_KEYS.has(name))) as RedisCacheOptions
  // The names are checked where Redis is switched off, too: a misspelt option would show only in production.
  refuseUnknown(options)
  const core = await ensureCore(fastify)
  if (!enabled || !core.isEnabled) return
  const log = new StateLog(fastify.log, () => core.announce())
  const { registry } = core
  const stats = registry.stats.for('redis')
  options.serializer ??= registry.serializer
  const serializer = typeof options.serializer === 'object' ? undefined : options.serializer
  // The core checks its settings before the cache is created, so that a wrong option does not leave a cache open.
  core.configureFor(NAME, { rollout, patterns, serializer, defaultTtl: options.defaultTtl })
  core.chooseImplementation(NAME)
  const cache = new RedisCache(options, {
    onChange: log.onChange,
    onError: log.onError,
    onWarning: log.onWarning,
    onCorrupt: (error) => {
      registry.observer.fail(stats, 'getMany', error)
    },
    // A `clear` or an invalidation of a tag that was replayed emits its event again. Before the replay other processes could serve the
    // removed entries, for example to a proxy, which must be purged again.
    onReplayed: (removal) => {
      if (removal.kind === 'clear') registry.events.emit('cleared')
      else if (removal.kind !== 'del') registry.events.emit('invalidated', [removal.name], removal.kind === 'soft')
    }
  })
  registry.register(cache, 'RedisCache')
  core.shareRollout(cache.rolloutStore)
  core.advice.store = cache.adviceStore
  await cache.ready()
  log.start(cache.status())
  fastify.addHook('onClose', async function closeRedisCache () {
    await core.closeRollout()
    await core.advice.leave()
    await core.withdraw(cache)
    await cache.close((lost) => fastify.log.warn({ lost }, 'Cache: invalidations were lost that Redis did not take; their entries end with their ttl'))
  })
}

/** The plugin that makes a `RedisCache` the implementation of `fastify.cache`. */
export const cacheRedis = fp(plugin, { fastify: '5.x', name: NAME })

function refuseUnknown (options: object): void {
  const unknown = Object.entries(options).find(([name, value]) => value !== undefined && !Object.hasOwn(redisSchema.properties, name))
  if (unknown !== undefined) throw new OptionInvalid(unknown[0], 'an unknown option', Object.keys(redisPluginSchema.properties).join(', '))
}

/** Logs each change of the cache's state in one line; single operations are not logged. */
class StateLog {
  readonly #log: FastifyBaseLogger
  #isUp: boolean | undefined
  #tracking: RedisStatus['tracking'] | undefined
  #lastError = ''
  readonly #announce: () => void

  /**
   * Makes a log of the cache's state, which is not known at first.
   * @param announce called when Redis has gone out of service or come back; the core then logs once that the cache is enabled
   */
  constructor (log: FastifyBaseLogger, announce: () => void) {
    this.#log = log
    this.#announce = announce
  }

  start (status: RedisStatus): void {
    if (this.#isUp === undefined) this.#isUp = !status.degraded
    if (!status.degraded) return
    const { problem } = status
    if (problem === undefined) this.#log.warn('Cache: Redis is not reachable; the app runs without it until it is')
    else this.#log.warn({ problem }, 'Cache: Redis cannot be used; the app runs without it until it can')
  }

  readonly onChange = ({ degraded, tracking, queuedInvalidations }: RedisStatus): void => {
    if (this.#isUp !== undefined && this.#isUp === degraded) {
      this.#isUp = !degraded
      if (degraded) this.#log.warn({ queuedInvalidations }, 'Cache: Redis is out of service')
      else this.#log.info('Cache: Redis is in service again')
      this.#announce()
    }
    if (tracking !== this.#tracking) {
      this.#tracking = tracking
      this.#log.info({ tracking }, 'Cache: invalidation channel')
    }
    if (!degraded) this.#lastError = ''
  }

  readonly onError = (error: Error): void => {
    if (error.message === this.#lastError) return
    this.#lastError = error.message
    this.#log.warn({ err: { type: error.name, message: error.message } }, 'Cache: the connection to Redis failed')
  }

  readonly onWarning = ({ name, message }: Error): void => {
    this.#log.warn({ err: { type: name, message } }, 'Cache: something that was asked for cannot be done')
  }
}
