import { isResponse } from '../contract/response-keys.js'
import { changeOf } from './stored-form.js'

/** Seconds above which a ttl given as a number is doubted: such a number is most likely in milliseconds. */
const DOUBTED_TTL = 24 * 3600
/** The number of values per key pattern that are checked; later values are not checked. */
const SAMPLES = 8
const HOLLOW = /(?:^|[^A-Za-z0-9])(undefined|null|NaN|\[object [A-Za-z]+\])(?![A-Za-z0-9])/

/** A function that is called with a doubt about a key pattern. */
export type OnDoubt = (keyPattern: string, message: string) => void

interface Seen { samples: number; ttl: boolean; key: boolean; change: string | undefined }

/** Reports likely mistakes in keys, ttls and values, once per key pattern and reason. Only stores are checked, never hits. */
export class Doubts {
  readonly #seen = new Map<string, Seen>()
  readonly #onDoubt: OnDoubt

  constructor (onDoubt: OnDoubt) {
    this.#onDoubt = onDoubt
  }

  /**
   * Checks one store for likely mistakes.
   * @param ttl seconds as the caller gave them; a function and `Infinity` are not doubted
   */
  look (keyPattern: string, key: string, value: unknown, ttl: unknown): void {
    // Keys and values of stored responses are made by @x/cache-edge, and clients choose the URLs.
    if (isResponse(key)) return
    let seen = this.#seen.get(keyPattern)
    if (seen === undefined) this.#seen.set(keyPattern, seen = { samples: 0, ttl: false, key: false, change: undefined })
    if (!seen.ttl && typeof ttl === 'number' && ttl > DOUBTED_TTL && Number.isFinite(ttl)) {
      seen.ttl = true
      this.#onDoubt(keyPattern, `a ttl of ${ttl} seconds is above one day: a ttl is given in seconds, not in milliseconds`)
    }
    if (!seen.key) {
      const hollow = HOLLOW.exec(key)?.[1]
      if (hollow !== undefined) {
        seen.key = true
        this.#onDoubt(keyPattern, `a key has the part ${hollow}: its entry answers every call whose key lacks that part. Leave such calls uncached, or complete the key`)
      }
    }
    if (seen.change !== undefined || seen.samples >= SAMPLES) return
    seen.samples++
    seen.change = changeOf(value)
    if (seen.change === undefined) return
    this.#onDoubt(keyPattern, `changes when stored: ${seen.change}: JSON does not keep it, so that a hit returns another value than a miss, or the store refuses it. Load a value of plain objects, arrays, strings and finite numbers`)
  }

  /**
   * Returns the first member of a pattern's values that JSON changes or refuses, such as `Date at .createdAt`; `undefined`: no such member
   * was found.
   */
  changeIn (keyPattern: string): string | undefined {
    return this.#seen.get(keyPattern)?.change
  }
}
