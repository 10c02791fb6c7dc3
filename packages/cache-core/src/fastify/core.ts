import type { FastifyInstance, FastifyRequest } from 'fastify'
import { CacheClient } from '../client/client.js'
import type { Cache } from '../contract/cache.js'
import { Deadlines } from '../service/deadlines.js'
import { AlreadyRegistered, ImplementationClash, ImplementationMissing, OptionInvalid, StatusUnguarded, timeout } from '../contract/errors.js'
import { FailureLog } from '../telemetry/failure-log.js'
import { harmlessLog, type Log } from '../lib/harmless.js'
import { MemoryCache } from '../caches/memory/memory-cache.js'
import { NullCache } from '../caches/null-cache.js'
import { resolveCoreOptions, type CacheCoreOptions } from './options.js'
import { CacheRegistry } from '../service/registry.js'
import { defaultSubject, RequestCaches, type RequestArm, type RouteMark } from './request-cache.js'
import { announceAccess, needsNoGuard } from './internal-access.js'
import { refuseClash, type SharedOptions } from './option-clash.js'
import { STATUS_PATH, type InternalAccess } from './status-route.js'
import { warmAtStart } from './warm-at-start.js'

/** Milliseconds that an implementation may take to close. */
const CLOSE_LIMIT_MS = 10_000

/** What one Fastify instance has of the suite: the one place where options meet the registry. */
export class Core {
  readonly registry: CacheRegistry
  readonly client: CacheClient
  readonly requests: RequestCaches
  readonly #fastify: FastifyInstance
  readonly #log: Log
  readonly #failures: FailureLog
  readonly #stopListening: () => void
  /** The implementation that this instance made, and therefore closes. */
  #own: Cache | undefined
  #options: CacheCoreOptions = {}
  /** Options that another package of the suite was given. */
  #siblingOptions: SharedOptions = {}
  #siblingName = ''
  /** The registration that chose the implementation. */
  #chosenBy: string | undefined
  #isExplicit = false
  #isStarted = false
  #isAnnounced = false

  constructor (fastify: FastifyInstance, options: CacheCoreOptions) {
    this.#fastify = fastify
    this.registry = options.registry ?? new CacheRegistry()
    this.#log = harmlessLog(fastify.log)
    const core = this
    this.client = new CacheClient(this.registry, { get defaultTtl () { return core.#options.defaultTtl ?? core.#siblingOptions.defaultTtl }, log: this.#log })
    this.requests = new RequestCaches(this.client)
    this.#failures = new FailureLog(this.#log)
    const { events } = this.registry
    const stops = [
      events.on('failed', (...failure) => this.#failures.note(...failure)),
      events.on('doubted', (keyPattern, message) => this.#log.warn({ keyPattern }, `Cache: ${message}`)),
      events.on('unnamed', (implName) => this.#log.warn({ implName }, 'Cache: the class of the implementation has no name, or one of a bundler; give its instances a "name", or register() a name, which becomes the metric label'))
    ]
    this.#stopListening = () => { for (const stop of stops) stop() }
    this.registry.events.onListenerError = (event, error) => {
      this.#log.error({ err: error, event }, 'Cache: a listener failed; its further failures are not logged')
    }
  }

  /**
   * Applies the options of a registration. One that another package made on its own is adopted by an explicit one; two
   * explicit ones throw `CACHE_ERR_ALREADY_REGISTERED`.
   */
  async configure (options: CacheCoreOptions, isExplicit: boolean): Promise<void> {
    if (!isExplicit && this.#isExplicit) return
    if (this.#isExplicit || (options.registry !== undefined && options.registry !== this.registry)) throw new AlreadyRegistered()
    if (options.expose === true && options.guard === undefined && !needsNoGuard()) throw new StatusUnguarded(STATUS_PATH)
    this.#isExplicit = isExplicit
    refuseClash(options, this.#siblingOptions, this.#siblingName)
    this.#options = options
    this.registry.configure(options)
    this.registry.personal.add(options.personal ?? [])
    this.requests.subject = options.rollout?.key ?? this.#siblingOptions.rollout?.key ?? defaultSubject
    await this.#putIntoService(options)
  }

  /** The switch that beats all others is not off. */
  get isEnabled (): boolean { return this.#options.enabled !== false }

  /**
   * Applies options of the core that another package of the suite, `by`, was given.
   * @throws `CACHE_ERR_OPTION_CLASH` where the core was given another value, in whichever order
   */
  configureFor (by: string, { rollout, defaultTtl }: SharedOptions): void {
    const told = resolveCoreOptions({ rollout, defaultTtl })
    refuseClash(this.#options, told, by)
    this.#siblingOptions = told
    this.#siblingName = by
    this.registry.configure(told)
    if (told.rollout?.key !== undefined) this.requests.subject = told.rollout.key
  }

  /**
   * Notes that a registration, `by`, puts its implementation into service.
   * @throws `CACHE_ERR_IMPLEMENTATION_CLASH` if another one has: the later one would replace it without a word
   */
  chooseImplementation (by: string): void {
    if (this.#chosenBy !== undefined) throw new ImplementationClash(this.#chosenBy, by)
    this.#chosenBy = by
  }

  /** Whether, and behind what, the internal endpoints are open. */
  access (): InternalAccess {
    return { isOpen: needsNoGuard() || this.#options.expose === true, guard: this.#options.guard }
  }

  armOf (request: FastifyRequest): RequestArm {
    return this.requests.armOf(request)
  }

  /**
   * One object for each route, on requests that have reached its handler: quicker to ask for than `request.routeOptions`, which
   * Fastify makes anew each time. `undefined` before, and on routes that are older than this plugin.
   */
  routeOf (request: FastifyRequest): RouteMark | undefined {
    return this.requests.routeOf(request)
  }

  /**
   * Has the loads of some requests announced with the request (event `loadedFor`); call what it returns to stop. Asked once per
   * request, when it first uses the cache. One watcher at a time: the last.
   */
  watch (isWatched: (request: FastifyRequest) => boolean): () => void {
    this.requests.isWatched = isWatched
    return () => { if (this.requests.isWatched === isWatched) this.requests.isWatched = undefined }
  }

  /** Makes ready: the line in the log, and the keys to warm. */
  async start (): Promise<void> {
    this.#refuseMissing()
    this.registry.start()
    this.#isStarted = true
    this.announce()
    announceAccess(this.#log, this.access())
    const { warm } = this.#options
    if (warm !== undefined) await warmAtStart(this.client.warm(warm.items, { concurrency: warm.concurrency }), this.#fastify.initialConfig.pluginTimeout, this.#log)
  }

  /** An app that is to run on Redis must not observe instead. An implementation that was registered by hand is what was asked for. */
  #refuseMissing (): void {
    const { implementation, enabled } = this.#options
    if (implementation !== 'redis' || enabled === false || !this.registry.active.passThrough) return
    if (!this.#fastify.hasPlugin('@x/cache-redis')) throw new ImplementationMissing()
  }

  /**
   * Logs once, after the start, that the cache is enabled, observing or disabled; nothing of an implementation that is out of
   * service. Such an implementation calls this when it is in service.
   */
  announce (): void {
    const { implName, passThrough } = this.registry.active
    if (!this.#isStarted || this.#isAnnounced || this.registry.status().degraded === true) return
    this.#isAnnounced = true
    const state = this.#options.enabled === false ? 'disabled' : passThrough ? 'observing' : 'enabled'
    this.#log.info({}, `Cache: ${state} (impl: ${implName})`)
  }

  async close (): Promise<void> {
    this.#stopListening()
    this.#failures.close()
    if (this.#isStarted) this.registry.stop()
    const own = this.#own
    // Another instance may go on with a shared registry: what it would use must not be closed under it.
    if (this.registry.current === own) await this.registry.register(new NullCache(), 'NullCache').drained
    if (own !== undefined) await this.#closeOwn(own)
  }

  /** An implementation that hangs must not keep the app from closing; one that fails to close fails the close of the app. */
  async #closeOwn (own: Cache): Promise<void> {
    const closing = (async () => { await own?.close?.() })()
    await new Deadlines(CLOSE_LIMIT_MS).bound<void, void | Promise<void>>(closing, () => closing, (ms) => {
      this.#log.warn({ err: timeout('close', ms) }, 'Cache: the implementation could not be closed')
    }, () => closing)
  }

  async #putIntoService (options: CacheCoreOptions): Promise<void> {
    const { implementation } = options
    if (options.enabled === false) {
      if (!this.registry.active.passThrough) this.registry.register(new NullCache(), 'NullCache')
      return
    }
    if (implementation === undefined || implementation === 'redis') return
    this.chooseImplementation('option "implementation" of @x/cache-core')
    if (typeof implementation === 'object') {
      this.registry.register(implementation)
      return
    }
    if (isClass(implementation)) throw new OptionInvalid('implementation', 'a class', 'an instance of it, or a function that makes one')
    const made = typeof implementation === 'function'
      ? await implementation(this.#fastify)
      : implementation === 'memory' ? new MemoryCache({ ...options.memory, clock: this.registry.clock }) : new NullCache()
    this.#own = made
    this.registry.register(made, typeof implementation === 'function' ? undefined : implementation === 'memory' ? 'MemoryCache' : 'NullCache')
  }
}

/** Whether a function can only be called with `new`: the `prototype` of a class is read-only, and that of no other function. */
function isClass (value: unknown): boolean {
  return typeof value === 'function' && Object.getOwnPropertyDescriptor(value, 'prototype')?.writable === false
}
