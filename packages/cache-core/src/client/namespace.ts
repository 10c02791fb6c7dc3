import type { Entry, Lock, LockOptions, ReadHint, SetItem, SetOptions, Tags } from '../contract/cache.js'
import { OptionInvalid, type CacheError } from '../contract/errors.js'
import type { GetOrSetOptions, LoadedMany, Loader, ManyLoader } from '../contract/loader.js'
import type { ArgumentsOf, CacheNamespace, FastifyCache, NamespaceOptions, WarmItem, WarmOptions, WarmReport, WrapOptions, Wrapped } from './fastify-cache.js'
import { checkDefaults, inheritedDefaults, overlay, withDefaults, withSetDefaults } from './namespace-defaults.js'
import { wrap } from './wrap.js'
import type { CacheRegistry } from '../service/registry.js'
import { ofNamespace, RESERVED } from '../contract/reserved-tags.js'
import { err, ok, type Result } from '../contract/result.js'
import { shown } from '../contract/shown.js'
import { isBuiltIn } from '../contract/option-names.js'
import { hasKind } from '../telemetry/doubts.js'

/**
 * A cache client whose keys and tags are prefixed. Each entry has the tag of the namespace itself, which `clear` invalidates, and the tags
 * of the namespaces around it.
 */
export class NamespacedCache implements FastifyCache {
  readonly tags: Required<Tags>
  readonly registry: CacheRegistry
  readonly #cache: FastifyCache
  readonly #name: string
  /** The tags of this namespace, and of the namespaces around it. */
  readonly #own: readonly string[]
  /** The tags, with their prefixes, that the defaults of this namespace and of the namespaces around it add to each entry. */
  readonly #tags: readonly string[]
  readonly #defaults: NamespaceOptions | undefined

  /**
   * Makes a namespace.
   * @param around the namespace around the new one; `cache` is the cache without a namespace
   */
  constructor (cache: FastifyCache, name: string, defaults?: NamespaceOptions, around?: NamespacedCache) {
    if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) {
      throw new OptionInvalid('namespace', shown(name), '1 to 64 of A-Z a-z 0-9 _ . -')
    }
    if (around === undefined && cache.registry.reservedNames.has(name)) {
      throw new OptionInvalid('namespace', shown(name), `a name other than ${[...cache.registry.reservedNames].join(', ')}, which another package of the suite uses`)
    }
    this.#cache = cache
    this.#name = around === undefined ? name : `${around.#name}:${name}`
    this.#own = around === undefined ? [RESERVED + this.#name] : [RESERVED + this.#name, ...around.#own]
    if (defaults !== undefined) checkDefaults(defaults)
    this.#tags = [...around === undefined ? [] : around.#tags, ...this.#prefixed(Array.isArray(defaults?.tags) ? defaults.tags : [])]
    const inherited = around === undefined || around.#defaults === undefined ? undefined : inheritedDefaults(around.#defaults)
    this.#defaults = defaults === undefined ? inherited : overlay(inherited ?? {}, defaults)
    this.registry = cache.registry
    this.tags = {
      capture: (tags) => cache.tags.capture(Array.isArray(tags) ? this.#withOwn(tags) : tags),
      isCurrent: (snapshot) => cache.tags.isCurrent(snapshot),
      invalidate: (tags, options) => cache.tags.invalidate(this.#prefixed(typeof tags === 'string' ? [tags] : tags), options)
    }
  }

  get<T> (key: string): Promise<Result<T | null>> { return this.#cache.get(this.#key(key)) }
  async getEntry<T> (key: string, hint?: ReadHint): Promise<Result<Entry<T> | null>> {
    const result = await this.#cache.getEntry<T>(this.#key(key), { ...hint, tags: this.#withOwn(hint?.tags) })
    return result.ok && result.value !== null ? ok({ ...result.value, tags: this.#unprefixedTags(result.value.tags) }) : result
  }

  getMany<T> (keys: string[]): Promise<Result<(T | null)[]>> { return this.#cache.getMany(this.#keys(keys)) }
  set (key: string, value: unknown, ttl?: number | SetOptions): Promise<Result<void>> {
    const options = this.#setOptions(value, ttl)
    return options instanceof Error ? this.#refuse('set', options) : this.#cache.set(this.#key(key), value, options)
  }

  setMany (items: SetItem[]): Promise<Result<void>> {
    if (!Array.isArray(items)) return this.#cache.setMany(items)
    const own: SetItem[] = []
    for (const item of items) {
      if (isNoItem(item)) own.push(item)
      else {
        const { key, value, options: given } = item
        const options = this.#setOptions(value, given)
        if (options instanceof Error) return this.#refuse('setMany', options)
        own.push({ ...item, key: this.#key(key), value, options: options as SetOptions })
      }
    }
    return this.#cache.setMany(own)
  }

  touch (key: string, ttl?: number): Promise<Result<boolean>> {
    const ofNamespace = this.#defaults?.ttl
    return this.#cache.touch(this.#key(key), ttl === undefined && typeof ofNamespace === 'number' ? ofNamespace : ttl)
  }

  del (key: string): Promise<Result<void>> { return this.#cache.del(this.#key(key)) }
  delMany (keys: string[]): Promise<Result<void>> { return this.#cache.delMany(this.#keys(keys)) }
  lock (key: string, options: LockOptions): Promise<Result<Lock | null>> { return this.#cache.lock(this.#key(key), options) }
  clear (): Promise<Result<void>> { return this.#cache.tags.invalidate(ofNamespace([this.#own[0]!])) }
  health (): Promise<Result<void>> { return this.#cache.health() }

  getOrSet<T> (key: string, loader: Loader<T>, options?: number | GetOrSetOptions<T>): Promise<T> {
    return this.#cache.getOrSet(this.#key(key), loader, this.#loadOptions(options))
  }

  getOrSetMany<T> (keys: readonly string[], loadMany: ManyLoader<T>, options?: number | GetOrSetOptions<T>): Promise<(T | undefined)[]> {
    // The app's loader receives and returns keys without the prefix of the namespace, as the app named them.
    const load: ManyLoader<T> = async (prefixed, context) => {
      const own = prefixed.map((key) => this.#unprefixed(key))
      const loaded: LoadedMany<T> = await loadMany([...own], {
        get signal () { return context.signal },
        skip: (key) => context.skip(this.#key(key))
      })
      if (!(loaded instanceof Map)) return loaded
      const values = own.map((key) => (loaded as ReadonlyMap<string, T>).get(key))
      if (values.some((value) => value !== undefined)) return values
      // A Map that has none of the keys, nor others of their kind, is passed on as it is, so that the cache reports it.
      return hasKind(loaded, own) ? values : loaded
    }
    return this.#cache.getOrSetMany(this.#keys(keys), load, this.#loadOptions(options))
  }

  wrap<A extends unknown[], T> (fn: (this: void, ...args: A) => T | Promise<T>, options: WrapOptions<ArgumentsOf<A>, T>): Wrapped<A, T> {
    return wrap(this, fn, options as WrapOptions<A, T>)
  }

  namespace (name: string, defaults?: NamespaceOptions): FastifyCache
  namespace<V> (name: string, defaults?: NamespaceOptions<V>): CacheNamespace<V>
  namespace (name: string, defaults?: NamespaceOptions): FastifyCache { return new NamespacedCache(this.#cache, name, defaults, this) }

  warm (items: WarmItem[], options?: WarmOptions): Promise<WarmReport> {
    if (!Array.isArray(items)) return this.#cache.warm(items, options)
    return this.#cache.warm(Array.from(items, (item: WarmItem) => {
      if (isNoItem(item)) return item
      const { key, loader, options: given } = item
      return { ...item, key: this.#key(key), loader, options: this.#loadOptions(given) }
    }), options)
  }

  // Adds the prefix to a key. A key that is no string, or empty, is not changed, so that the cache refuses it.
  #key (key: string): string { return typeof key === 'string' && key !== '' ? `${this.#name}:${key}` : key }
  #keys (keys: readonly string[]): string[] { return Array.isArray(keys) ? keys.map((key) => this.#key(key)) : keys as string[] }

  #unprefixed (key: string): string {
    const prefix = `${this.#name}:`
    return typeof key === 'string' && key.startsWith(prefix) ? key.slice(prefix.length) : key
  }

  #prefixed (tags: string[]): string[] { return this.#keys(tags) }

  // Returns the tags without the prefix, so that a tag read from an entry can be invalidated in the namespace.
  #unprefixedTags (tags: string[]): string[] {
    return tags.filter((tag) => tag.startsWith(`${this.#name}:`)).map((tag) => this.#unprefixed(tag))
  }

  #withOwn (tags: string[] | undefined): string[] {
    if (tags !== undefined && !Array.isArray(tags)) return tags
    const given = [...this.#tags, ...this.#prefixed(tags ?? [])]
    return this.registry.current.tags === undefined ? given : ofNamespace([...this.#own, ...given])
  }

  #loadOptions<T> (given: number | GetOrSetOptions<T> | null | undefined): GetOrSetOptions<T> {
    const options = typeof given === 'number' ? { ttl: given } : given ?? {}
    // A text, an array, a Map or another built-in object is passed on as it is, so that the cache refuses it: a copy of its members would
    // be a plain object.
    if (typeof options !== 'object' || isBuiltIn(options)) return options
    const merged = this.#defaults === undefined ? options : withDefaults(this.#defaults, options)
    const { tags, coveringTags } = merged
    const named = { ...merged, coveringTags: coveringTags === undefined ? undefined : this.#prefixed(coveringTags) }
    if (typeof tags !== 'function') return { ...named, tags: this.#withOwn(tags) }
    return {
      ...named,
      tags: (value) => this.#prefixed(tags(value)),
      // The namespace's own tag is invalidated by `clear` alone, so it covers no tag of the app: without a covering tag of the app the list
      // of covering tags is empty.
      coveringTags: coveringTags === undefined || coveringTags?.length === 0 ? [] : this.#withOwn(coveringTags)
    }
  }

  #setOptions (value: unknown, given: number | SetOptions | undefined): number | SetOptions | CacheError | undefined {
    if (given === null || (given !== undefined && typeof given !== 'number' && typeof given !== 'object') || isBuiltIn(given)) return given
    const options = typeof given === 'object' ? given : given === undefined ? {} : { ttl: given }
    const merged = this.#defaults === undefined ? options : withSetDefaults(this.#defaults, value, options)
    if (merged instanceof Error) return merged
    // The entry of a `set` with a snapshot and without `tags` has the tags of the snapshot, which include the tag of the namespace.
    if (merged.tags === undefined && merged.snapshot !== undefined) return merged
    const tags = this.#withOwn(merged.tags)
    return merged.tags === undefined && tags.length === 0 ? merged : { ...merged, tags }
  }

  #refuse (operation: string, error: CacheError): Promise<Result<never>> {
    this.registry.observer.fail(this.registry.active.stats, operation, error)
    return Promise.resolve(err(error))
  }
}

/** Whether an item of `setMany` or `warm` is no object with members: it is passed on as it is, so that the cache refuses it. */
function isNoItem (item: unknown): boolean {
  return typeof item !== 'object' || item === null || isBuiltIn(item)
}
