import { NullCache } from '../caches/null-cache.js'
import type { Cache } from '../contract/cache.js'
import type { Log } from '../lib/harmless.js'
import type { CacheRegistry } from '../service/registry.js'
import type { CacheCoreOptions } from './options.js'
import { clashesOf } from './option-clash.js'

/**
 * Says once what an app changes for the other apps of its registry: a registry has one implementation and one value of each option, and the
 * last app that gives one decides.
 */
export class AppOfRegistry {
  readonly #registry: CacheRegistry
  readonly #log: Log

  constructor (registry: CacheRegistry, log: Log) {
    this.#registry = registry
    this.#log = log
  }

  /** Remembers the options that the app gives; logs those for which another app gave another value. */
  give ({ rollout: { key, ...rollout } = {}, patterns, serializer, keyPattern }: CacheCoreOptions): void {
    const { givenBy } = this.#registry
    const given = { rollout, patterns, serializer, keyPattern }
    const others = [...givenBy].filter(([app]) => app !== this).map(([, options]) => options)
    const names = new Set(others.flatMap((options) => [
      ...clashesOf(given, options),
      ...keyPattern !== undefined && options.keyPattern !== undefined && keyPattern !== options.keyPattern ? ['keyPattern'] : []
    ]))
    givenBy.set(this, { ...givenBy.get(this), ...definedOf(given) })
    if (names.size > 0) this.#log.warn({}, `Cache: another app with this registry gave other values of ${[...names].join(', ')}; these now apply to all of its apps. Give each of these options the same value, or in one app alone`)
  }

  /** Logs that the app's implementation replaces one that stores, which another app or the registry's maker chose. */
  replace (impl?: Cache): void {
    const { passThrough, implName } = this.#registry.active
    if (passThrough || impl === this.#registry.current) return
    this.#log.warn({}, `Cache: ${implName}, which was in service in this registry, is replaced for all apps of the registry, and its entries are lost to them. Give the option implementation in one app alone`)
  }

  /**
   * Takes an implementation that the app made out of service, before it is closed: another app may still use the registry. Resolves when
   * its pending calls have ended.
   */
  async withdraw (impl: Cache): Promise<void> {
    const { current, active: { implName, passThrough }, givenBy } = this.#registry
    if (current !== impl) return
    if (!passThrough && [...givenBy.keys()].some((app) => app !== this)) this.#log.warn({}, `Cache: the app that made ${implName} closes, so the other apps of its registry load each value from now on. Choose the implementation in the app that closes last`)
    await this.#registry.register(new NullCache(), 'NullCache').drained
  }

  /** Forgets the app, which closes. */
  leave (): void {
    this.#registry.givenBy.delete(this)
  }
}

function definedOf<T extends object> (options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>
}
