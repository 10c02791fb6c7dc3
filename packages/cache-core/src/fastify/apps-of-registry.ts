import { isDeepStrictEqual } from 'node:util'
import { NullCache } from '../caches/null-cache.js'
import type { Cache } from '../contract/cache.js'
import type { Log } from '../lib/harmless.js'
import type { CacheRegistry } from '../service/registry.js'
import type { CacheCoreOptions } from './options.js'

/** The options of the core that apply to all apps of a registry. */
const COMMON = ['serializer', 'keyPattern', 'maxKeyPatterns', 'readTimeoutMs', 'writeTimeoutMs', 'clock'] as const
/** The members of option `rollout` that apply to all apps of a registry; `key` and `canary` belong to one app. */
const ROLLOUT = ['percent', 'allow', 'salt', 'holdOut', 'shadow'] as const

/** The values that an app gave, by name of the option, such as `rollout.percent` and `patterns.user`. */
type Given = Readonly<Record<string, unknown>>

/** The apps of a registry that run, with the values they gave, and the implementations that were in service when an app ended. */
interface Apps { readonly given: Map<AppOfRegistry, Given>; readonly left: WeakSet<Cache> }

const appsOf = new WeakMap<CacheRegistry, Apps>()

/**
 * One app of a registry. It logs each change that the app makes for other apps of the registry: a registry has one implementation and one
 * value of each option, and the last app that gives one decides.
 */
export class AppOfRegistry {
  readonly #registry: CacheRegistry
  readonly #log: Log
  readonly #apps: Apps

  constructor (registry: CacheRegistry, log: Log) {
    this.#registry = registry
    this.#log = log
    this.#apps = appsOf.get(registry) ?? { given: new Map(), left: new WeakSet() }
    appsOf.set(registry, this.#apps)
  }

  get #others (): Given[] { return [...this.#apps.given].filter(([app]) => app !== this).map(([, given]) => given) }

  /** Records the options that a registration of the app gives; logs those for which another app gave another value. */
  give (options: CacheCoreOptions): void {
    const given = givenOf(options)
    const others = this.#others
    const isReplaced = (name: string): boolean => others.some((other) => Object.hasOwn(other, name) && !isAlike(other[name], given[name]))
    const names = Object.keys(given).filter(isReplaced)
    this.#apps.given.set(this, { ...this.#apps.given.get(this), ...given })
    if (names.length > 0) this.#log.warn({}, `Cache: another app with this registry gave other values of ${names.join(', ')}; these now apply to all of its apps. Give each of these options the same value, or in one app alone`)
  }

  /**
   * Logs that the app replaces an implementation that stores. Apps that run one after the other replace nothing that is in use.
   * @param impl the new implementation, if it exists already
   */
  choose (impl?: Cache): void {
    if (this.#replaces(impl)) this.#log.warn({}, `Cache: ${this.#registry.active.implName}, which was in service in this registry, is replaced for all apps of the registry, and its entries are lost to them. Give the option implementation in one app alone`)
  }

  /** Logs that option `enabled` of this app takes an implementation out of service that other apps use. */
  switchOff (): void {
    if (this.#others.length > 0 && this.#replaces()) this.#log.warn({}, `Cache: option enabled: false takes ${this.#registry.active.implName} out of service for all apps of the registry. Give this app a registry of its own, or leave out the option`)
  }

  #replaces (impl?: Cache): boolean {
    const { active, current } = this.#registry
    return !active.passThrough && impl !== current && (this.#others.length > 0 || !this.#apps.left.has(current))
  }

  /**
   * Takes an implementation that the app made out of service, before it is closed: another app may still use the registry. Resolves when
   * its pending calls have ended.
   */
  async withdraw (impl: Cache): Promise<void> {
    const { current, active: { implName, passThrough } } = this.#registry
    if (current !== impl) return
    if (!passThrough && this.#others.length > 0) this.#log.warn({}, `Cache: the app that made ${implName} closes, so the other apps of its registry load each value from now on. Choose the implementation in the app that closes last`)
    await this.#registry.register(new NullCache(), 'NullCache').drained
  }

  /** Forgets the app, which closes. */
  leave (): void {
    this.#apps.given.delete(this)
    this.#apps.left.add(this.#registry.current)
  }
}

function givenOf (options: CacheCoreOptions): Given {
  const all: [string, unknown][] = [
    ...COMMON.map((name) => [name, options[name]] as [string, unknown]),
    ...ROLLOUT.map((name) => [`rollout.${name}`, options.rollout?.[name]] as [string, unknown]),
    ...Object.entries(options.patterns ?? {}).map(([name, own]) => [`patterns.${name}`, own] as [string, unknown])
  ]
  return Object.fromEntries(all.filter(([, value]) => value !== undefined))
}

/**
 * Whether two apps gave the same value. Functions of one text count as the same, since two apps of one code have functions that are not
 * identical. Schemas of key patterns are not compared: they may be large, or circular, and two apps of one code make one each.
 */
function isAlike (one: unknown, other: unknown): boolean {
  if (typeof one === 'function' && typeof other === 'function') return String(one) === String(other)
  return isDeepStrictEqual(withoutSchema(one), withoutSchema(other))
}

function withoutSchema (value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'schema')) return value
  return { ...value, schema: undefined }
}
