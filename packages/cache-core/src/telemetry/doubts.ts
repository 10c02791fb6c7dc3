import { isResponse } from '../contract/response-keys.js'
import { changeOf } from './stored-form.js'

/** Seconds above which a ttl given as a number is doubted: such a number is most likely in milliseconds. */
const DOUBTED_TTL = 24 * 3600
/** Seconds above which a stale window is doubted. A stale window is often longer than a ttl: some apps serve a stale value for days. */
const DOUBTED_WINDOW = 30 * 24 * 3600
/** The number of values per key pattern that are checked; later values are not checked. */
const SAMPLES = 8
const HOLLOW = /(?:^|[^A-Za-z0-9])(undefined|null|NaN|\[object [A-Za-z]+\])(?![A-Za-z0-9])/

/** A function that is called with a doubt about a key pattern. */
export type OnDoubt = (keyPattern: string, message: string) => void

/** The options of a store, as the caller gave them; a member of another type is not doubted here. */
export interface DoubtedOptions {
  readonly ttl?: unknown
  readonly staleWhileRevalidate?: unknown
  readonly staleIfError?: unknown
  readonly tags?: unknown
}

interface Seen { samples: number; change: string | undefined; readonly reasons: Set<string> }

/** Reports likely mistakes in keys, ttls and values, once per key pattern and reason. Only stores are checked, never hits. */
export class Doubts {
  readonly #seen = new Map<string, Seen>()
  readonly #onDoubt: OnDoubt

  constructor (onDoubt: OnDoubt) {
    this.#onDoubt = onDoubt
  }

  /**
   * Checks one store for likely mistakes.
   * @param options as the caller gave them; lifetimes and tags that are functions, and `Infinity`, are not doubted
   * @param tags the tags of the entry, where they are known; by default those of the options
   */
  look (keyPattern: string, key: string, value: unknown, options: DoubtedOptions, tags = options.tags): void {
    // Keys and values of stored responses are made by @x/cache-edge, and clients choose the URLs.
    if (isResponse(key)) return
    let seen = this.#seen.get(keyPattern)
    if (seen === undefined) this.#seen.set(keyPattern, seen = { samples: 0, change: undefined, reasons: new Set() })
    const { ttl, staleWhileRevalidate, staleIfError } = options
    if (isAbove(ttl, DOUBTED_TTL)) this.#say(seen, keyPattern, 'ttl', `a ttl of ${ttl} seconds is above one day: a ttl is given in seconds, not in milliseconds`)
    const window = isAbove(staleWhileRevalidate, DOUBTED_WINDOW) ? staleWhileRevalidate : staleIfError
    if (isAbove(window, DOUBTED_WINDOW)) this.#say(seen, keyPattern, 'window', `a stale window of ${window} seconds is above 30 days: it is given in seconds, not in milliseconds`)
    const hollow = HOLLOW.exec(key)?.[1]
    if (hollow !== undefined) this.#say(seen, keyPattern, 'key', `a key has the part ${hollow}: its entry answers every call whose key lacks that part. Leave such calls uncached, or complete the key`)
    const hollowTag = Array.isArray(tags) && tags.length > 0 ? hollowIn(tags) : undefined
    if (hollowTag !== undefined) this.#say(seen, keyPattern, 'tag', `a tag has the part ${hollowTag}: no invalidation of a complete tag reaches its entry. Complete the tag, or leave it out`)
    if (seen.change !== undefined || seen.samples >= SAMPLES) return
    seen.samples++
    seen.change = changeOf(value)
    if (seen.change === undefined) return
    this.#onDoubt(keyPattern, `changes when stored: ${seen.change}: JSON does not keep it, so that a hit returns another value than a miss, or the store refuses it. Load a value of plain objects, arrays, strings and finite numbers`)
  }

  #say (seen: Seen, keyPattern: string, reason: string, message: string): void {
    if (seen.reasons.has(reason)) return
    seen.reasons.add(reason)
    this.#onDoubt(keyPattern, message)
  }

  /**
   * Returns the first member of a pattern's values that JSON changes or refuses, such as `Date at .createdAt`; `undefined`: no such member
   * was found.
   */
  changeIn (keyPattern: string): string | undefined {
    return this.#seen.get(keyPattern)?.change
  }
}

function isAbove (seconds: unknown, limit: number): seconds is number {
  return typeof seconds === 'number' && seconds > limit && Number.isFinite(seconds)
}

/** Returns the hollow part of the first tag that has one. */
function hollowIn (tags: readonly unknown[]): string | undefined {
  for (const tag of tags) {
    const hollow = typeof tag === 'string' ? HOLLOW.exec(tag)?.[1] : undefined
    if (hollow !== undefined) return hollow
  }
  return undefined
}
