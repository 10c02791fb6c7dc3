import type { SetOptions } from '../contract/cache.js'
import type { EntryLimit, EntryLimits } from '../contract/join-registry.js'
import type { GetOrSetOptions } from '../contract/loader.js'
import { withPatternTags } from '../contract/reserved-tags.js'
import { isResponse } from '../contract/response-keys.js'
import type { KeyPatterns } from '../telemetry/key-pattern.js'
import { OptionInvalid } from '../contract/errors.js'
import { KeyRule, type KeyRules } from './key-rule.js'
import { checkedPattern, type PatternOptions } from './pattern-options.js'

const NONE = Object.freeze({})

/** The options of one key pattern, with the limit that its `maxEntries` sets, and the rule that its `schema` and `version` set. */
interface Settings {
  readonly options: Readonly<PatternOptions>
  readonly limit: EntryLimit | undefined
  readonly rule: KeyRule | undefined
}

/** Emits an event about a likely mistake of the app in the keys or values of a key pattern. */
type OnDoubt = (keyPattern: string, message: string) => void

/** The parts of a call's options that the options of a key pattern may change. */
type Changeable = Pick<GetOrSetOptions<any>, 'ttl' | 'staleWhileRevalidate' | 'staleIfError' | 'tags' | 'coveringTags'>

/**
 * The options of key patterns. Their lifetimes replace the numbers in calls, since an operator chooses them from measurements, at the start
 * or at run time. Their tags are added to those of calls.
 */
export class PatternSettings implements EntryLimits, KeyRules {
  hasRules = false
  readonly #byName = new Map<string, Settings>()
  readonly #patterns: KeyPatterns
  readonly #hasTags: () => boolean
  readonly #onDoubt: OnDoubt
  readonly #onVersion: () => void

  /**
   * Makes an empty table of options.
   * @param patterns finds the pattern of a key
   * @param hasTags whether the implementation in service has tags; an implementation without tags refuses entries with tags
   * @param onDoubt is called once per key pattern if stored values do not match its schema, and once if loaded values do not
   * @param onVersion is called when the version of a key pattern has changed, and with it the keys in the store: the values of pending
   * loads must then not be stored, since their leases are for the earlier keys
   */
  constructor (patterns: KeyPatterns, hasTags: () => boolean, onDoubt: OnDoubt, onVersion: () => void) {
    this.#patterns = patterns
    this.#hasTags = hasTags
    this.#onDoubt = onDoubt
    this.#onVersion = onVersion
  }

  /** Whether no key pattern has options. */
  get isEmpty (): boolean { return this.#byName.size === 0 }

  /** Returns the options of a key pattern; `undefined`: the pattern has no options. */
  get (name: string): Readonly<PatternOptions> | undefined {
    return this.#byName.get(name)?.options
  }

  /**
   * Sets the options of a key pattern, in place of its earlier ones; `undefined` removes them. They apply to calls that begin afterwards:
   * stored entries keep their lifetimes and tags. If the version changes, the values of pending loads are not stored.
   * @throws `CACHE_ERR_OPTION_INVALID`
   */
  set (name: string, options: PatternOptions | undefined): void {
    const before = this.get(name)?.version
    if (options === undefined) {
      this.#byName.delete(name)
    } else {
      const own = Object.freeze(checkedPattern(name, options))
      const { maxEntries } = own
      const limit = maxEntries === undefined ? undefined : { keyPattern: name, maxEntries }
      const rule = ruleOf(name, own)
      this.#patterns.reserve([name])
      this.#byName.set(name, { options: own, limit, rule })
    }
    this.hasRules = [...this.#byName.values()].some(({ rule }) => rule !== undefined)
    if (this.get(name)?.version !== before) this.#onVersion()
  }

  /** Returns the options of all key patterns, by name of the pattern. */
  all (): Record<string, Readonly<PatternOptions>> {
    return Object.fromEntries([...this.#byName].map(([name, { options }]) => [name, options]))
  }

  /** Returns the options of all key patterns for the status, without schemas. */
  shown (): Record<string, Omit<PatternOptions, 'schema'>> {
    return Object.fromEntries([...this.#byName].map(([name, { options: { schema, ...shown } }]) => [name, shown]))
  }

  ruleOf (key: string): KeyRule | undefined {
    return this.#of(key)?.rule
  }

  report (rule: KeyRule, kind: 'stored' | 'loaded', why: string): void {
    if (rule.reported[kind]) return
    rule.reported[kind] = true
    this.#onDoubt(rule.keyPattern, kind === 'stored'
      ? `a stored value does not pass the schema (${why}), and counts as a miss: another version of the app may have stored it, or the serializer has changed it, as JSON makes a string of a Date. Give the options of the key pattern another version, or a schema that accepts the stored form`
      : `a value that is to be stored does not pass the schema (${why}): its caller gets it, and it is not stored`)
  }

  limitOf (key: string): EntryLimit | undefined {
    return this.#of(key)?.limit
  }

  /** Returns the options of a `getOrSet` call, with the lifetimes and tags that the options of the key's pattern set. */
  forLoad<T> (key: string, options: GetOrSetOptions<T>): GetOrSetOptions<T> {
    const own = this.#of(key)?.options
    if (own === undefined || typeof options !== 'object' || options === null) return options
    return { ...options, ...lifetimes(own, options), ...this.#tags(own, options) }
  }

  /** Returns the checked options of a `set`, with the lifetimes and tags that the options of the key's pattern set. */
  forSet (key: string, options: SetOptions): SetOptions {
    const own = this.#of(key)?.options
    if (own === undefined) return options
    // A `set` without `tags` gives the entry the tags of its snapshot; the pattern's tags, if passed on here, would replace the tags of the
    // snapshot.
    const tags = options.tags === undefined && options.snapshot !== undefined ? NONE : this.#tags(own, options)
    return { ...options, ...lifetimes(own, options) as SetOptions, ...tags }
  }

  /** Returns the settings of a key's pattern; `undefined`: none. Stored responses have none, since their lifetimes are those of HTTP. */
  #of (key: string): Settings | undefined {
    if (this.#byName.size === 0 || typeof key !== 'string' || isResponse(key)) return undefined
    return this.#byName.get(this.#patterns.of(key))
  }

  #tags ({ tags: own = [] }: PatternOptions, { tags, coveringTags }: Changeable): Pick<SetOptions, 'tags'> & Pick<Changeable, 'coveringTags'> {
    if (own.length === 0 || !this.#hasTags()) return NONE
    // The app invalidates a tag of `coveringTags` whenever it invalidates a tag that a `tags` function returns, but not a tag of the
    // pattern. So the tags of the pattern are added to `coveringTags`, and cannot replace them.
    if (typeof tags === 'function') return Array.isArray(coveringTags) && coveringTags.length > 0 ? { coveringTags: withPatternTags(coveringTags, own) } : NONE
    return tags === undefined || Array.isArray(tags) ? { tags: withPatternTags(tags ?? [], own) } : NONE
  }
}

function ruleOf (name: string, own: PatternOptions): KeyRule | undefined {
  if (own.schema === undefined && own.version === undefined) return undefined
  try {
    return new KeyRule(name, own)
  } catch {
    throw new OptionInvalid(`patterns.${name}.schema`, 'a schema that cannot be compiled', 'a Standard Schema, a TypeBox or JSON Schema, or a function')
  }
}

/** Returns the lifetimes of a call, with its numbers replaced by those in the options of the key pattern. */
function lifetimes (own: PatternOptions, given: Changeable): Pick<Changeable, 'ttl' | 'staleWhileRevalidate' | 'staleIfError'> {
  return {
    ttl: replaced(own.ttl, given.ttl),
    staleWhileRevalidate: replaced(own.staleWhileRevalidate, given.staleWhileRevalidate),
    staleIfError: replaced(own.staleIfError, given.staleIfError)
  }
}

/**
 * Returns the lifetime of the key pattern, unless the call gives 0 or a function: both depend on the value, which the options of the
 * pattern do not know. A lifetime of a wrong type is returned as well, so that the call is refused.
 */
function replaced<G> (own: number | undefined, given: G): G | number {
  if (own === undefined) return given
  return given === undefined || (typeof given === 'number' && given > 0) ? own : given
}
