import type { Cache, ImplementationStatus } from '../contract/cache.js'
import { monotonicClock, type Clock } from '../lib/clock.js'
import { defaultsOf } from '../lib/schema-defaults.js'
import { Deadlines } from '../lib/deadlines.js'
import { Doubts } from '../telemetry/doubts.js'
import { ImplementationStale, implementationFailed, NotACache, OptionInvalid } from '../contract/errors.js'
import { Events } from '../telemetry/events.js'
import { Flights } from '../loading/single-flight.js'
import { NullCache } from '../caches/null-cache.js'
import type { Serializer, SerializerName } from '../contract/isolation.js'
import { joinRegistry, type JoinsRegistry } from '../contract/join-registry.js'
import { checked, copyBy } from '../contract/option-schema.js'
import { Observer } from '../telemetry/read-outcomes.js'
import type { PatternOptions } from './pattern-options.js'
import { PatternSettings } from './pattern-settings.js'
import { PersonalPaths } from './personal-paths.js'
import { RecentStats } from '../telemetry/recent-stats.js'
import { Registration } from './registration.js'
import { registrySchema, type RegistryOptions } from './registry-options.js'
import type { CanaryStatus } from '../rollout/canary-view.js'
import { Rollout } from '../rollout/rollout.js'
import { SHADOW_PERCENT } from '../rollout/rollout-options.js'
import { ShadowSettings } from '../loading/shadow/shadow-settings.js'
import { shown } from '../contract/shown.js'
import { CONTROL_LABEL, Stats, type ImplStats, type Totals } from '../telemetry/counters.js'
import { UnseenPatterns, type NamedPatterns } from '../telemetry/unseen-patterns.js'

export type { RegistryOptions }

/** The result of `register`, which replaces the implementation of the registry. */
export interface Swap {
  /** The implementation that went out of service; its creator may close it once it has drained. */
  previous: Cache
  /** Resolves when all pending calls of the implementation `previous` have ended. */
  drained: Promise<void>
}

/** The response of `GET /internal/cache`. `recentStats` has the counts of the last five minutes. */
export interface CacheStatus extends ImplementationStatus {
  /** Whether the implementation in service stores values. */
  enabled: boolean
  implName: string
  /** The time at which the implementation was registered, in ISO 8601. */
  registeredAt: string
  recentStats: Totals
  /** The options of key patterns that apply now; absent if no pattern has options. */
  patterns?: Record<string, PatternOptions>
  /** The rollout; absent if it caches all subjects and key patterns. With a canary it includes the status of the canary. */
  rollout?: { percent: number; allow: string[]; holdOut?: number } & Partial<CanaryStatus>
}

const DEFAULTS = defaultsOf(registrySchema, 'readTimeoutMs', 'writeTimeoutMs')
const shared = Symbol.for('@x/cache-core.registry')
const NAME = /^[A-Za-z][\w.-]{0,63}$/
/** The name of a registration whose implementation has no name. */
const FALLBACK_NAME = 'custom'
/** The maximum length of the class names that bundlers make. Such names change with each build, whereas a metric label must not change. */
const MAX_BUNDLED_NAME = 2

/** The implementation in service of an app, and the parts of the cache that outlive it: counters, events, pending loads, the rollout. */
export class CacheRegistry {
  /** Returns the registry that the process shares, for several Fastify instances with one cache. */
  static getInstance (): CacheRegistry {
    // The registry is stored on globalThis, since a process may load two copies of this package.
    const holder = globalThis as { [shared]?: CacheRegistry }
    holder[shared] ??= new CacheRegistry()
    return holder[shared]
  }

  readonly events = new Events()
  readonly flights = new Flights()
  readonly stats: Stats = new Stats((how, cause) => this.observer.fail(this.controlStats, 'keyPattern', implementationFailed('keyPattern', how, { cause })))
  readonly observer = new Observer(this.events, this.stats.patterns)
  readonly rollout = new Rollout(
    (percent) => this.events.emit('rollout', percent),
    (patterns) => this.stats.patterns.reserve(patterns)
  )

  /** Lifetimes, tags and limits by key pattern; `set` changes them at run time. */
  readonly patterns = new PatternSettings(
    this.stats.patterns, () => this.current.tags !== undefined, (...doubt) => this.events.emit('doubted', ...doubt), () => this.flights.supersedeAll()
  )

  readonly personal = new PersonalPaths()
  /** Names that no namespace of the app may have: the keys and tags of sibling packages begin with these names. */
  readonly reservedNames = new Set<string>()
  /** Functions by name whose results sibling packages add to `status()`; a function must not throw. */
  readonly statusParts = new Map<string, () => unknown>()
  /** The clock by which all lifetimes in this process are measured. */
  clock: Clock = monotonicClock
  /** The serializer of values in the memory of this process. */
  serializer: SerializerName = 'json'
  /** The counters of cache calls that the rollout does not serve from the cache, under the label `null`. */
  readonly controlStats: ImplStats = this.stats.for(CONTROL_LABEL)
  /** Emits the event `doubted` for likely mistakes of the app, once per key pattern and reason. */
  readonly doubts = new Doubts((...doubt) => this.events.emit('doubted', ...doubt), () => this.valueSerializer, (key) => this.patterns.ruleOf(key))
  /** Returns the status of the canary; `undefined`: no canary runs. */
  canaryStatus: (() => CanaryStatus) | undefined
  /** The settings of shadow reads: the sample of keys that they compare, and the counts of their outcomes. */
  readonly shadow = new ShadowSettings((key) => this.rollout.allows(this.stats.patterns.of(key)))
  readonly #unseen = new UnseenPatterns(this.stats, () => this.#namedPatterns(), (...doubt) => this.events.emit('doubted', ...doubt))
  readonly #recent = new RecentStats(this.stats, () => this.#unseen.look())
  readonly #limits = { reads: new Deadlines(DEFAULTS.readTimeoutMs), writes: new Deadlines(DEFAULTS.writeTimeoutMs) }
  /**
   * Implementations that were in service before, each with a promise that resolves when the last calls of the implementation have ended.
   * Such an implementation may hold entries that were invalidated while it was out of service.
   */
  readonly #retired = new WeakMap<Cache, Promise<unknown>>()
  #active: Registration
  #users = 0

  constructor (options: RegistryOptions = {}) {
    this.configure(checked(registrySchema, copyBy(registrySchema, options)))
    this.#active = this.#registration(new NullCache(), 'NullCache')
  }

  /**
   * Applies the given options and leaves the other settings unchanged. Timeouts apply to implementations that are registered afterwards.
   */
  configure (options: RegistryOptions): void {
    const { readTimeoutMs, writeTimeoutMs, maxKeyPatterns, keyPattern, patterns = {}, serializer, rollout, clock } = options
    if (readTimeoutMs !== undefined) this.#limits.reads = new Deadlines(readTimeoutMs)
    if (writeTimeoutMs !== undefined) this.#limits.writes = new Deadlines(writeTimeoutMs)
    if (maxKeyPatterns !== undefined) this.stats.patterns.max = maxKeyPatterns
    if (keyPattern !== undefined) this.stats.patterns.patternOf = keyPattern
    if (clock !== undefined) this.clock = clock
    if (serializer !== undefined) this.serializer = serializer
    for (const [name, own] of Object.entries(patterns)) this.patterns.set(name, own)
    if (rollout?.salt !== undefined) this.rollout.salt = rollout.salt
    if (rollout?.allow !== undefined) this.rollout.allow = rollout.allow
    if (rollout?.holdOut !== undefined) this.rollout.holdOut = rollout.holdOut
    if (rollout?.percent !== undefined) this.rollout.percent = rollout.percent
    if (rollout?.shadow !== undefined) this.shadow.percent = rollout.shadow.percent ?? SHADOW_PERCENT
  }

  /** The serializer of the implementation in service; if it has none of its own, the registry's `serializer`. */
  get valueSerializer (): SerializerName | Serializer { return this.serializerOf(this.#active) }

  /** Returns the serializer that copies a registration's values for several callers: the implementation's own, else the registry's. */
  serializerOf (target: Pick<Registration, 'serializer'>): SerializerName | Serializer { return target.serializer ?? this.serializer }

  /** The registration whose implementation is in service. */
  get active (): Registration { return this.#active }
  /**
   * Whether no call is served from a cache: no implementation that stores is in service, or the rollout includes no subject. Every read
   * then runs its loader, so that the observed loads represent all reads.
   */
  get isObserving (): boolean { return this.#active.passThrough || this.rollout.limit === 0 }
  /** The implementation that is in service. */
  get current (): Cache { return this.#active.impl }

  /**
   * Puts an implementation into service at once; pending calls end on the implementation that they started on. An implementation that was
   * in service before is cleared first, since it got no invalidation while it was out of service. Throws `CACHE_ERR_NOT_A_CACHE`,
   * `CACHE_ERR_IMPLEMENTATION_STALE` and, for an invalid name, `CACHE_ERR_OPTION_INVALID`.
   */
  register (impl: Cache, name?: string): Swap {
    const outgoing = this.#active
    if (impl === outgoing.impl) return { previous: impl, drained: Promise.resolve() }
    const implName = nameOf(impl, name)
    const incoming = this.#registration(impl, implName ?? FALLBACK_NAME)
    if (implName === undefined) this.events.emit('unnamed', FALLBACK_NAME)
    const lastCalls = this.#retired.get(impl)
    if (lastCalls !== undefined && impl.passThrough !== true) {
      if (impl.clear === undefined) throw new ImplementationStale(incoming.implName)
      incoming.forget(lastCalls)
    }
    // A value that was loaded for an implementation is not stored once the implementation is out of service.
    this.flights.supersedeAll()
    const drained = outgoing.drain()
    this.#retired.set(outgoing.impl, Promise.all([this.#retired.get(outgoing.impl), drained]))
    this.#active = incoming
    this.events.emit('swapped', outgoing.implName, incoming.implName)
    return { previous: outgoing.impl, drained }
  }

  status (): CacheStatus {
    const { implName, passThrough, registeredAt, stats } = this.#active
    const own = this.#active.status()
    const { percent, allow, holdOut } = this.rollout
    const canary = this.canaryStatus?.()
    return {
      enabled: !passThrough,
      implName: own.degraded === true ? 'NullCache' : implName,
      registeredAt: registeredAt.toISOString(),
      ...Object.fromEntries([...this.statusParts].map(([name, part]) => [name, part()])),
      recentStats: this.#recent.totals(stats.label),
      ...this.patterns.isEmpty ? {} : { patterns: this.patterns.shown() },
      ...own,
      ...this.rollout.isComplete && canary === undefined
        ? {}
        : { rollout: { percent, allow, ...holdOut === 0 ? {} : { holdOut }, ...canary } }
    }
  }

  /**
   * Starts the timer that copies the counters for `recentStats`. It runs until `stop` was called as often as `start`, and does not keep the
   * process running.
   */
  start (): void {
    this.#users++
    this.#recent.start()
  }

  #namedPatterns (): NamedPatterns {
    return {
      'rollout.allow': this.rollout.allow.filter((pattern) => pattern !== '*'),
      'rollout.patterns': Object.keys(this.rollout.patterns),
      patterns: Object.keys(this.patterns.all())
    }
  }

  /** Records that one of the apps has stopped using the registry; returns `true` if it was the last one. */
  stop (): boolean {
    if (--this.#users > 0) return false
    this.#recent.stop()
    return true
  }

  #registration (impl: Cache, implName: string): Registration {
    if (joinRegistry in impl) (impl as Cache & JoinsRegistry)[joinRegistry]({ limits: this.patterns, serializer: this.serializer })
    return new Registration(impl, implName, this.stats.for(impl.name ?? implName), this.#limits, this.patterns)
  }
}

/**
 * Returns the name of an implementation: the given name, else that of its class, else its property `name`, else `custom` for a plain
 * object. `undefined`: the class has no name, or a name that a bundler made.
 */
function nameOf (impl: Cache, name: string | undefined): string | undefined {
  for (const method of ['get', 'set', 'del'] as const) {
    if (typeof impl?.[method] !== 'function') throw new NotACache(shown(name ?? impl), method)
  }
  for (const each of [name, impl.name]) {
    if (each !== undefined && (typeof each !== 'string' || !NAME.test(each))) {
      throw new OptionInvalid('name', shown(each), 'a letter and up to 63 of A-Z a-z 0-9 _ . -')
    }
  }
  if (name !== undefined) return name
  const { constructor } = impl
  const ofClass = constructor === Object ? undefined : constructor?.name
  if (typeof ofClass === 'string' && NAME.test(ofClass) && ofClass.length > MAX_BUNDLED_NAME) return ofClass
  return impl.name ?? (constructor === Object || constructor === undefined ? FALLBACK_NAME : undefined)
}
