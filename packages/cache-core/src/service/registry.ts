import type { Cache, ImplementationStatus } from '../contract/cache.js'
import { monotonicClock, type Clock } from '../lib/clock.js'
import { Deadlines } from './deadlines.js'
import { Doubts } from '../telemetry/doubts.js'
import { ImplementationStale, implementationFailed, NotACache, OptionInvalid } from '../contract/errors.js'
import { Events } from '../telemetry/events.js'
import { Flights } from '../loading/single-flight.js'
import { NullCache } from '../caches/null-cache.js'
import { refuseNames } from '../contract/option-names.js'
import { PersonalPaths } from './personal-paths.js'
import { RecentStats } from '../telemetry/recent-stats.js'
import { Registration } from './registration.js'
import { Rollout, type RolloutSettings } from './rollout.js'
import { shown } from '../contract/shown.js'
import { CONTROL_LABEL, Stats, type ImplStats, type Totals } from '../telemetry/stats.js'

/** What a registry is made with. */
export interface RegistryOptions {
  /** Milliseconds that a read of the implementation may take. Default 500. */
  readTimeoutMs?: number
  /** Milliseconds that a write may take. Default 2000. */
  writeTimeoutMs?: number
  /** Labels for key patterns. Default 100. */
  maxKeyPatterns?: number
  /** The pattern of a key or tag; default: the text before the first `:`. */
  keyPattern?: (key: string) => string
  rollout?: RolloutSettings
  clock?: Clock
}

/** What `register` did. */
export interface Swap {
  /** Out of service now; whoever created it may close it once it drained. */
  previous: Cache
  /** Resolves when the calls that were under way on it have ended. */
  drained: Promise<void>
}

/** What `GET /internal/cache` shows. `recentStats` are of the last five minutes. */
export interface CacheStatus extends ImplementationStatus {
  /** An implementation that stores is in service. */
  enabled: boolean
  implName: string
  /** ISO 8601. */
  registeredAt: string
  recentStats: Totals
  /** There when not everybody is in. */
  rollout?: { percent: number; allow: string[] }
}

const shared = Symbol.for('@x/cache-core.registry')
const NAME = /^[A-Za-z][\w.-]{0,63}$/
/** The name of an implementation without one. */
const FALLBACK_NAME = 'custom'
/** Characters of the names that bundlers give to classes: they change with each build, and a metric label must not. */
const MAX_BUNDLED_NAME = 2

/** Holds the implementation in service, and all that outlives it: counters, events, loads under way, the rollout. */
export class CacheRegistry {
  /** The registry that all of this process shares, for apps that want one cache between several Fastify instances. */
  static getInstance (): CacheRegistry {
    // On globalThis since a process may hold two copies of this package.
    const holder = globalThis as { [shared]?: CacheRegistry }
    holder[shared] ??= new CacheRegistry()
    return holder[shared]
  }

  readonly events = new Events()
  readonly flights = new Flights()
  readonly stats = new Stats()
  readonly rollout = new Rollout(
    (percent) => this.events.emit('rollout', percent),
    (patterns) => this.stats.patterns.reserve(patterns)
  )

  readonly personal = new PersonalPaths()
  /** Namespaces that the app cannot have: other packages of the suite begin their keys and tags with these. */
  readonly reservedNames = new Set<string>()
  /** What time it is, for all that has a lifetime in this process. */
  clock: Clock = monotonicClock
  /** Counts what stays outside of the rollout. */
  readonly controlStats: ImplStats = this.stats.for(CONTROL_LABEL)
  /** Announces once per key pattern what is most likely not meant. */
  readonly doubts = new Doubts((...doubt) => this.events.emit('doubted', ...doubt))
  readonly #recent = new RecentStats(this.stats)
  readonly #limits = { reads: new Deadlines(500), writes: new Deadlines(2000) }
  /** Implementations that were in service, and so may hold what was invalidated since, with the end of their last calls. */
  readonly #retired = new WeakMap<Cache, Promise<unknown>>()
  #active: Registration
  #users = 0

  constructor (options: RegistryOptions = {}) {
    refuseNames('CacheRegistry', options)
    this.stats.patterns.onFailure = (how, cause) => {
      const error = implementationFailed('keyPattern', how, { cause })
      this.controlStats.countError(error)
      this.events.emit('failed', this.controlStats.label, 'keyPattern', error)
    }
    this.configure(options)
    this.#active = this.#registration(new NullCache(), 'NullCache')
  }

  /** Changes what is given and leaves the rest. Timeouts hold for implementations that are registered from then on. */
  configure (options: RegistryOptions): void {
    const { readTimeoutMs, writeTimeoutMs, maxKeyPatterns, keyPattern, rollout, clock } = options
    if (readTimeoutMs !== undefined) this.#limits.reads = new Deadlines(readTimeoutMs)
    if (writeTimeoutMs !== undefined) this.#limits.writes = new Deadlines(writeTimeoutMs)
    if (maxKeyPatterns !== undefined) this.stats.patterns.max = maxKeyPatterns
    if (keyPattern !== undefined) this.stats.patterns.patternOf = keyPattern
    if (clock !== undefined) this.clock = clock
    if (rollout?.salt !== undefined) this.rollout.salt = rollout.salt
    if (rollout?.allow !== undefined) this.rollout.allow = rollout.allow
    if (rollout?.percent !== undefined) this.rollout.percent = rollout.percent
  }

  /** The registration in service. */
  get active (): Registration { return this.#active }
  /** The implementation in service. */
  get current (): Cache { return this.#active.impl }

  /**
   * Puts an implementation into service at once; calls that are under way end on the one that they started on. One that was
   * in service before is cleared first, since no invalidation reached it in the meantime.
   * @throws `CACHE_ERR_NOT_A_CACHE`, `CACHE_ERR_IMPLEMENTATION_STALE` and, for a bad name, `CACHE_ERR_OPTION_INVALID`
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
    // What was loaded for one implementation is not stored in it after it went out of service.
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
    const { percent, allow } = this.rollout
    return {
      enabled: !passThrough,
      implName: own.degraded === true ? 'NullCache' : implName,
      registeredAt: registeredAt.toISOString(),
      recentStats: this.#recent.totals(stats.label),
      ...own,
      ...this.rollout.isComplete ? {} : { rollout: { percent, allow } }
    }
  }

  /** Keeps `recentStats` recent until `stop` was called as often; the timer does not hold the process. */
  start (): void {
    this.#users++
    this.#recent.start()
  }

  /** Whether nobody uses the registry any more. */
  stop (): boolean {
    if (--this.#users > 0) return false
    this.#recent.stop()
    return true
  }

  #registration (impl: Cache, implName: string): Registration {
    return new Registration(impl, implName, this.stats.for(impl.name ?? implName), this.#limits)
  }
}

/** The name of an implementation: as given, else that of its class, else its own; `undefined`: its class has none that says what it is. */
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
