import { isolate, read, type Serializer, type SerializerName } from '../contract/isolation.js'
import { isResponse } from '../contract/response-keys.js'
import { OTHER } from './key-pattern.js'
import { changeOf, isKeptByRich } from './stored-form.js'

/** Seconds above which a ttl given as a number is reported as a likely mistake: the app has most likely given milliseconds. */
const DOUBTED_TTL = 24 * 3600
/**
 * Seconds above which a stale window is reported as a likely mistake. The limit is higher than that of a ttl, since some apps serve a stale
 * value for days.
 */
const DOUBTED_WINDOW = 30 * 24 * 3600
/** The default of `Doubts.samples`. */
const SAMPLES = 8
/** Texts of failed interpolations, found in time that grows with the length of the text alone. `argumentText` makes none of them, since an argument of a wrapped function may be `null`. */
const HOLLOW = /(?:^|[^A-Za-z0-9])((?:undefined|null|NaN|Invalid Date|\[object [A-Za-z]+\])(?![A-Za-z0-9])|function\b ?[\w$]{0,64} ?\([\w$, {}]{0,256}\)(?= \{)|\([\w$, {}]{0,256}\) =>(?= [\w{(]))/
/** Seconds above which the ttl of a lock is reported as a likely mistake: the lock of a process that ended is held for so long. */
const DOUBTED_LOCK = 3600

/** A function that receives a likely mistake of the app in the values, ttls or tags of a key pattern. */
export type OnDoubt = (keyPattern: string, message: string) => void

/** The schema of a key pattern; `refusal` returns the reason why a value does not match, `undefined` if it matches. */
export interface DoubtedSchema { refusal (value: unknown): string | undefined }

/** The options of a store of a value, as the caller gave them, unchecked: a member of a wrong type is ignored here. */
export interface DoubtedOptions {
  readonly ttl?: unknown
  readonly staleWhileRevalidate?: unknown
  readonly staleIfError?: unknown
  readonly softTimeoutMs?: unknown
  readonly tags?: unknown
}

interface Seen { samples: number; change: string | undefined; readonly reasons: Set<string> }

/**
 * Reports likely mistakes of the app in keys, ttls, tags and values, once per key pattern and reason. Calls that store or
 * remove are checked, never hits.
 */
export class Doubts {
  /** The number of stored values per key pattern that are checked for mistakes; later values are not checked. */
  samples = SAMPLES
  readonly #seen = new Map<string, Seen>()
  readonly #onDoubt: OnDoubt
  readonly #serializer: () => SerializerName | Serializer
  readonly #schemaOf: (key: string) => DoubtedSchema | undefined

  constructor (
    onDoubt: OnDoubt,
    serializer: () => SerializerName | Serializer = () => 'json',
    schemaOf: (key: string) => DoubtedSchema | undefined = () => undefined
  ) {
    this.#onDoubt = onDoubt
    this.#serializer = serializer
    this.#schemaOf = schemaOf
  }

  /**
   * Checks one store of a value for likely mistakes of the app.
   * @param options as the caller gave them; functions and `Infinity` are never reported
   * @param tags the tags of the entry, where they are known; by default those of the options
   */
  look (keyPattern: string, key: string, value: unknown, options: DoubtedOptions, tags = options.tags): void {
    const seen = this.lookAtCall(keyPattern, key, options, tags)
    if (seen === undefined || seen.samples >= this.samples) return
    seen.samples++
    const serializer = this.#serializer()
    const schema = this.#schemaOf(key)
    if (schema !== undefined) this.#lookAtCopy(seen, keyPattern, value, schema)
    if (seen.change !== undefined) return
    // Values are not checked if the app has a serializer of its own, since only the app knows which values that serializer preserves.
    if (typeof serializer === 'object') return
    seen.change = changeOf(value, serializer)
    if (seen.change === undefined) return
    const advice = serializer === 'json' && isKeptByRich(seen.change) ? ", or set the option serializer: 'rich'" : ''
    const name = serializer === 'json' ? 'JSON' : 'the rich serializer'
    this.#onDoubt(keyPattern, `changes when stored: ${seen.change}: ${name} does not keep it, so that a hit returns another value than a miss, or the store refuses it. Load a value of plain objects, arrays, strings and finite numbers${advice}`)
  }

  /**
   * Checks the key, the times and the tags of a call, such as `touch`, that has no value. Returns the findings on the key pattern so far;
   * `undefined`: the key is that of a stored response.
   */
  lookAtCall (keyPattern: string, key: string, options: DoubtedOptions, tags = options.tags): Seen | undefined {
    // A stored response is not checked: @x/cache-edge makes its key and value, and clients choose its URL, so a mistake would not be the
    // app's.
    if (isResponse(key)) return undefined
    const seen = this.#seenOf(keyPattern)
    const { ttl, staleWhileRevalidate, staleIfError } = options
    if (isAbove(ttl, DOUBTED_TTL)) this.#say(seen, keyPattern, 'ttl', `a ttl of ${ttl} seconds is above one day: a ttl is given in seconds, not in milliseconds`)
    const window = isAbove(staleWhileRevalidate, DOUBTED_WINDOW) ? staleWhileRevalidate : staleIfError
    if (isAbove(window, DOUBTED_WINDOW)) this.#say(seen, keyPattern, 'window', `a stale window of ${window} seconds is above 30 days: it is given in seconds, not in milliseconds`)
    if (options.softTimeoutMs !== undefined && staleIfError === undefined) {
      this.#say(seen, keyPattern, 'soft timeout', 'softTimeoutMs has no effect without staleIfError: a caller that waits that long gets only a stale value within staleIfError. Give both, or neither')
    }
    const hollow = HOLLOW.exec(key)?.[1]
    if (hollow !== undefined) this.#say(seen, keyPattern, 'key', `a key has the part ${hollow}: its entry answers every call whose key lacks that part. Leave such calls uncached, or complete the key`)
    const hollowTag = Array.isArray(tags) && tags.length > 0 ? hollowIn(tags) : undefined
    if (hollowTag !== undefined) this.#say(seen, keyPattern, 'tag', `a tag has the part ${hollowTag}: no invalidation of a complete tag reaches its entry. Complete the tag, or leave it out`)
    return seen
  }

  /** Checks the key and the ttl of a lock. The pattern of a key is looked up for a message alone, since locks have no metric labels. */
  lookAtLock (key: string, { ttl }: { readonly ttl: number }, patternOf: (key: string) => string): void {
    const hollow = HOLLOW.exec(key)?.[1]
    const isLong = isAbove(ttl, DOUBTED_LOCK)
    if (hollow === undefined && !isLong) return
    const keyPattern = patternOf(key)
    const seen = this.#seenOf(keyPattern)
    if (hollow !== undefined) this.#say(seen, keyPattern, 'lock key', `the key of a lock has the part ${hollow}: all calls whose key lacks that part share one lock. Complete the key`)
    if (isLong) this.#say(seen, keyPattern, 'lock ttl', `a lock has a ttl of ${ttl} seconds, above an hour, for which it is held if its process ends: a ttl is given in seconds, not in milliseconds`)
  }

  /**
   * Checks the keys or tags of a removal for a text such as `undefined`, where an interpolation has failed: the removal then misses the
   * entries of the complete key or tag, and readers get outdated values.
   */
  lookAtRemoval (kind: 'key' | 'tag', names: readonly string[], patternOf: (name: string) => string): void {
    for (const name of names) {
      const hollow = isResponse(name) ? undefined : HOLLOW.exec(name)?.[1]
      if (hollow === undefined) continue
      const keyPattern = patternOf(name)
      this.#say(this.#seenOf(keyPattern), keyPattern, `removed ${kind}`, `a removal by ${kind} has the part ${hollow}, so it reaches no entry of a complete ${kind}. Complete the ${kind}`)
    }
  }

  /**
   * Checks the stored form of a value against the schema: a schema of Dates accepts a loaded value and refuses its JSON text, so that every
   * read of the entry is a miss.
   */
  #lookAtCopy (seen: Seen, keyPattern: string, value: unknown, schema: DoubtedSchema): void {
    if (seen.reasons.has('schema') || schema.refusal(value) !== undefined) return
    const serializer = this.#serializer()
    const isolated = isolate(value, serializer)
    if ('error' in isolated) return
    let why: string | undefined
    try {
      why = schema.refusal(read(isolated))
    } catch {
      // A value that the app's own serializer cannot read is an error of the read, which reports it.
      return
    }
    if (why === undefined) return
    const advice = serializer === 'json' ? ": let the schema accept a Date as a string, or set the option serializer: 'rich'" : ': let the schema accept the value that the serializer makes'
    this.#say(seen, keyPattern, 'schema', `a loaded value passes the schema, but its stored form does not (${why}), so that every read is a miss and loads again${advice}`)
  }

  /**
   * Checks the return value of a loader of several keys: a Map by ids, with none of the keys, is reported, since all values are then
   * `undefined`. A Map with other keys of their kind is not: its loader may return a whole table, and the wanted keys are unknown.
   */
  lookAtLoadedMany (keys: readonly string[], loaded: unknown, patternOf: (key: string) => string): void {
    try {
      if (!(loaded instanceof Map) || loaded.size === 0 || keys.some((key) => loaded.has(key) || loaded.get(key) !== undefined)) return
      if (hasKind(loaded, keys)) return
    } catch {
      // A Map of the app that throws when it is read is an error of the load.
      return
    }
    for (const keyPattern of new Set(keys.map((key) => typeof key === 'string' ? patternOf(key) : OTHER))) {
      this.#say(this.#seenOf(keyPattern), keyPattern, 'loaded many', 'the loader of a getOrSetMany returned a Map that has none of the keys, so that all values are undefined, and none is stored. Make a Map by the keys that the loader gets, as texts')
    }
  }

  #seenOf (keyPattern: string): Seen {
    let seen = this.#seen.get(keyPattern)
    if (seen === undefined) this.#seen.set(keyPattern, seen = { samples: 0, change: undefined, reasons: new Set() })
    return seen
  }

  #say (seen: Seen, keyPattern: string, reason: string, message: string): void {
    if (seen.reasons.has(reason)) return
    seen.reasons.add(reason)
    this.#onDoubt(keyPattern, message)
  }

  /**
   * Returns the first member of a pattern's values that the serializer changes or refuses, such as `Date at .createdAt`; `undefined`: no
   * such member was found.
   */
  changeIn (keyPattern: string): string | undefined {
    return this.#seen.get(keyPattern)?.change
  }

  /** Whether the maximum number of values of a pattern, `samples`, was checked for changes. */
  hasChecked (keyPattern: string): boolean {
    return (this.#seen.get(keyPattern)?.samples ?? 0) >= this.samples
  }
}

/**
 * Whether a Map has a text as key that is of the kind of one of the keys: texts with the same part before the first colon, or without a
 * colon.
 */
export function hasKind (loaded: ReadonlyMap<unknown, unknown>, keys: readonly unknown[]): boolean {
  const kinds = new Set(keys.map(kindOf))
  for (const key of loaded.keys()) if (typeof key === 'string' && kinds.has(kindOf(key))) return true
  return false
}

function kindOf (key: unknown): unknown {
  return typeof key === 'string' ? key.slice(0, Math.max(0, key.indexOf(':'))) : key
}

function isAbove (seconds: unknown, limit: number): seconds is number {
  return typeof seconds === 'number' && seconds > limit && Number.isFinite(seconds)
}

/**
 * Returns the first text such as `undefined` or `[object Object]` in the tags, where an interpolation has failed; `undefined`: no tag has
 * such a text.
 */
function hollowIn (tags: readonly unknown[]): string | undefined {
  for (const tag of tags) {
    const hollow = typeof tag === 'string' ? HOLLOW.exec(tag)?.[1] : undefined
    if (hollow !== undefined) return hollow
  }
  return undefined
}
