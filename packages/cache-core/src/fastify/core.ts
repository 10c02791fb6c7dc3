import type { FastifyInstance, FastifyRequest } from 'fastify'
import { CacheClient } from '../client/client.js'
import type { Cache } from '../contract/cache.js'
import { AlreadyRegistered, ImplementationClash, ImplementationMissing, StatusUnguarded } from '../contract/errors.js'
import { FailureLog } from '../telemetry/failure-log.js'
import { harmlessLog, type Log } from '../lib/harmless.js'
import { NullCache } from '../caches/null-cache.js'
import { ConsolePage } from './console/console-page.js'
import { CORE_DEFAULTS, resolveCoreOptions, type CacheCoreOptions } from './options.js'
import { SharedAdvice } from '../service/advice-store.js'
import { CacheRegistry } from '../service/registry.js'
import { RequestMeasurements } from './measured-requests.js'
import { defaultSubject, RequestCaches, type RequestArm, type RouteMark } from './request-cache.js'
import { AppOfRegistry } from './apps-of-registry.js'
import { closeImplementation, makeImplementation } from './make-implementation.js'
import { announceAccess, needsNoGuard } from './internal-access.js'
import { refuseClash, type SharedOptions } from './option-clash.js'
import { STATUS_PATH, type InternalAccess } from './status-route.js'
import { warmAtStart } from './warm-at-start.js'
import { CoreRollout } from './core-rollout.js'
import type { RolloutStore } from '../rollout/rollout-store.js'

/** The core of one Fastify instance: applies the options to the registry, and makes the clients of app and requests. */
export class Core {
  readonly registry: CacheRegistry
  readonly client: CacheClient
  readonly requests: RequestCaches
  /** The advice store of the implementation, if it has one; the advisors of the app's processes store their states in it. */
  readonly advice = new SharedAdvice()
  readonly measurements = new RequestMeasurements(() => this.registry.clock)
  /** The page of the console, to which sibling packages add their sections. */
  readonly console = new ConsolePage()
  readonly #fastify: FastifyInstance
  readonly #log: Log
  readonly #failures: FailureLog
  readonly #stopListening: () => void
  readonly #rollout: CoreRollout
  readonly #app: AppOfRegistry
  /** The implementation that this Fastify instance made, and that is closed with the instance. */
  #own: Cache | null | undefined
  #options: CacheCoreOptions = {}
  /** Options of the core that were given in the registration of a sibling package, such as `@x/cache-redis`. */
  #siblingOptions: SharedOptions = {}
  #siblingName = ''
  /** The plugin registration whose options chose the implementation, for the error message about a second choice. */
  #chosenBy: string | undefined
  #isExplicit = false
  #isStarted = false
  #isAnnounced = false

  constructor (fastify: FastifyInstance, options: CacheCoreOptions) {
    this.#fastify = fastify
    this.registry = options.registry ?? new CacheRegistry()
    this.#log = harmlessLog(fastify.log)
    this.#app = new AppOfRegistry(this.registry, this.#log)
    const core = this
    this.client = new CacheClient(this.registry, {
      get defaultTtl () { return core.#options.defaultTtl ?? core.#siblingOptions.defaultTtl },
      log: this.#log
    })
    this.requests = new RequestCaches(this.client)
    this.#failures = new FailureLog(this.#log)
    this.#rollout = new CoreRollout({
      fastify,
      client: this.client,
      requests: this.requests,
      measurements: this.measurements,
      log: this.#log,
      access: () => this.access(),
      warmOptions: () => this.#options.warm
    })
    const { events } = this.registry
    const stops = [
      events.on('failed', (...failure) => this.#failures.note(...failure)),
      events.on('doubted', (keyPattern, message) => this.#log.warn({ keyPattern }, `Cache: ${message}`)),
      events.on('unnamed', (implName) => this.#log.warn({ implName }, 'Cache: the class of the implementation has no name, or one of a bundler; give its instances a "name", or register() a name, which becomes the metric label')),
      events.on('listenerFailed', (event, error) => this.#log.error({ err: error, event }, 'Cache: a listener failed; its further failures are not logged'))
    ]
    this.#stopListening = () => { for (const stop of stops) stop() }
  }

  /**
   * Applies the options of a plugin registration. An explicit one (`register(cacheCore, …)`) adopts the core that a sibling package
   * registered; two explicit registrations throw `CACHE_ERR_ALREADY_REGISTERED`.
   */
  async configure (options: CacheCoreOptions, isExplicit: boolean): Promise<void> {
    if (!isExplicit && this.#isExplicit) return
    if (this.#isExplicit || (options.registry !== undefined && options.registry !== this.registry)) throw new AlreadyRegistered()
    if (options.expose === true && options.guard === undefined && !needsNoGuard()) throw new StatusUnguarded(STATUS_PATH)
    this.#isExplicit = isExplicit
    refuseClash(options, this.#siblingOptions, this.#siblingName)
    this.#rollout.refuseBesideOther(options.rollout)
    this.#options = options
    this.#app.give(options)
    this.registry.configure(options)
    this.registry.personal.add(options.personal ?? [])
    this.requests.subject = options.rollout?.key ?? this.#siblingOptions.rollout?.key ?? defaultSubject
    this.#rollout.configure({ ...this.#siblingOptions.rollout, ...options.rollout })
    await this.#putIntoService(options)
  }

  /** The prefixes of option `personal` of `register(cacheCore, …)`. */
  get personal (): readonly string[] { return this.#options.personal ?? [] }

  /** Whether option `enabled` allows an implementation to be put into service. */
  get isEnabled (): boolean { return this.#options.enabled ?? CORE_DEFAULTS.enabled }

  /**
   * Applies options of the core that were given to the sibling package `by`. Throws `CACHE_ERR_OPTION_CLASH` if `register(cacheCore, …)`
   * gives another value for one of them, whichever is registered first.
   */
  configureFor (by: string, { rollout, defaultTtl, patterns, serializer }: SharedOptions): void {
    const given = resolveCoreOptions({ rollout, defaultTtl, patterns, serializer })
    refuseClash(this.#options, given, by)
    this.#rollout.refuseBesideOther(given.rollout)
    this.#siblingOptions = given
    this.#siblingName = by
    this.#app.give(given)
    this.registry.configure(given)
    if (given.rollout?.key !== undefined) this.requests.subject = given.rollout.key
    this.#rollout.configure({ ...given.rollout, ...this.#options.rollout })
  }

  /** Gives the canary the rollout store that the app's processes share; without one its state is that of this process alone. */
  shareRollout (store: RolloutStore): void {
    this.#rollout.share(store)
  }

  /** Ends the canary and frees the decider's lease. The package of the rollout store calls this before it closes its connection. */
  async closeRollout (): Promise<void> {
    await this.#rollout.close()
  }

  /**
   * Records that the plugin registration `by` puts its implementation into service. Throws `CACHE_ERR_IMPLEMENTATION_CLASH` if another
   * registration has done so: the later implementation would replace the earlier one unnoticed. `impl` is the implementation, if it exists.
   */
  chooseImplementation (by: string, impl?: Cache): void {
    if (this.#chosenBy !== undefined) throw new ImplementationClash(this.#chosenBy, by)
    this.#chosenBy = by
    this.#app.choose(impl)
  }

  /** Returns whether the internal endpoints are open, and the app's `guard` hook in front of them. */
  access (): InternalAccess {
    return { isOpen: needsNoGuard() || (this.#options.expose ?? CORE_DEFAULTS.expose), guard: this.#options.guard }
  }

  armOf (request: FastifyRequest): RequestArm {
    return this.requests.armOf(request)
  }

  /**
   * Returns the object that identifies a request's route: cheaper than `request.routeOptions`, which Fastify makes anew for each read.
   * `undefined` before the handler, and on routes that were declared before this plugin.
   */
  routeOf (request: FastifyRequest): RouteMark | undefined {
    return this.requests.routeOf(request)
  }

  /**
   * Sets the function that selects the requests whose loads are emitted as the event `loadedFor`; returns a function that removes it.
   * `isWatched` is called once per request, at its first use of the cache. A later call of `watch` replaces the function of an earlier one.
   */
  watch (isWatched: (request: FastifyRequest) => boolean): () => void {
    this.requests.isWatched = isWatched
    return () => { if (this.requests.isWatched === isWatched) this.requests.isWatched = undefined }
  }

  /** Runs at the start of the app: logs the state of the cache, and loads the warm items. */
  async start (): Promise<void> {
    this.#refuseMissing()
    this.registry.start()
    this.#isStarted = true
    this.announce()
    announceAccess(this.#log, this.access(), this.#rollout.paths)
    await this.#rollout.start()
    this.#announceIdle()
    const { warm } = this.#options
    if (warm === undefined) return
    const { pluginTimeout } = this.#fastify.initialConfig
    await warmAtStart(this.#rollout.warmingClient.warm(warm.items, { concurrency: warm.concurrency }), pluginTimeout, this.#log)
  }

  /** Throws `CACHE_ERR_IMPLEMENTATION_MISSING` if `implementation` is `'redis'` and no plugin has registered an implementation. */
  #refuseMissing (): void {
    if (this.#options.implementation !== 'redis' || !this.isEnabled || !this.registry.active.passThrough) return
    if (!this.#fastify.hasPlugin('@x/cache-redis')) throw new ImplementationMissing()
  }

  /** Logs once, after the start, that the cache is enabled, observing or disabled; implementations call it as they come into service. */
  announce (): void {
    const { implName, passThrough } = this.registry.active
    if (!this.#isStarted || this.#isAnnounced || this.registry.status().degraded === true) return
    this.#isAnnounced = true
    const state = !this.isEnabled ? 'disabled' : passThrough ? 'observing' : 'enabled'
    this.#log.info({}, `Cache: ${state} (impl: ${implName})`)
  }

  /** Logs why a canary counts no minutes, or shadow reads compare nothing: no cache that stores values, or a rollout of 100 %. */
  #announceIdle (): void {
    const { active: { implName, passThrough }, rollout, shadow, canaryStatus } = this.registry
    if (canaryStatus !== undefined && passThrough && this.isEnabled) this.#log.warn({}, `Cache: the canary counts no minutes, since ${implName} stores nothing; choose an implementation that stores`)
    if (shadow.isOn && passThrough) this.#log.warn({}, `Cache: shadow reads compare nothing, since ${implName} stores nothing; choose an implementation that stores, and set rollout.percent to 0`)
    else if (shadow.isOn && rollout.isComplete) this.#log.warn({}, 'Cache: shadow reads compare nothing, since rollout.percent is 100; they compare the loads of requests outside of the rollout')
  }

  async close (): Promise<void> {
    await this.#rollout.close()
    this.client.stop()
    this.#stopListening()
    this.#failures.close()
    if (this.#isStarted) this.registry.stop()
    const own = this.#own
    this.#app.leave()
    if (own === undefined || own === null) return
    await this.withdraw(own)
    await closeImplementation(own, this.#log)
  }

  /** Takes an implementation that a plugin of this app made out of service, before that plugin closes it. */
  async withdraw (impl: Cache): Promise<void> {
    await this.#app.withdraw(impl)
  }

  async #putIntoService (options: CacheCoreOptions): Promise<void> {
    const { implementation } = options
    if (!this.isEnabled) {
      this.#app.switchOff()
      if (!this.registry.active.passThrough) this.registry.register(new NullCache(), 'NullCache')
      return
    }
    if (implementation === undefined || implementation === 'redis') return
    this.chooseImplementation('option "implementation" of @x/cache-core', typeof implementation === 'object' ? implementation : undefined)
    if (typeof implementation === 'object') {
      this.registry.register(implementation)
      return
    }
    const made = await makeImplementation(implementation, this.#fastify, { ...options.memory, clock: this.registry.clock })
    this.#own = made
    this.registry.register(made, typeof implementation === 'function' ? undefined : implementation === 'memory' ? 'MemoryCache' : 'NullCache')
  }
}
