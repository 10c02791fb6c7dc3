import { changeOf } from './stored-form.js'

/** Seconds above which a ttl given as a number is doubted: milliseconds were meant, most likely. */
const DOUBTED_TTL = 24 * 3600
/** Values of a pattern that are looked into: the first ones. */
const SAMPLES = 8
const HOLLOW = /(?:^|[^A-Za-z0-9])(undefined|null|NaN|\[object Object\])(?![A-Za-z0-9])/

/** One thing that was asked for and is not likely to be meant. */
export interface Doubt { keyPattern: string; message: string }

interface Seen { samples: number; ttl: boolean; key: boolean; value: boolean }

/** Says once per key pattern what an app most likely does not mean; looks at what is stored alone, never at a hit. */
export class Doubts {
  readonly #seen = new Map<string, Seen>()
  readonly #tell: (doubt: Doubt) => void

  constructor (tell: (doubt: Doubt) => void) {
    this.#tell = tell
  }

  /**
   * Looks at one store.
   * @param ttl seconds as the caller gave them; not a number: nothing is said of it
   */
  look (keyPattern: string, key: string, value: unknown, ttl: unknown): void {
    let seen = this.#seen.get(keyPattern)
    if (seen === undefined) this.#seen.set(keyPattern, seen = { samples: 0, ttl: false, key: false, value: false })
    if (!seen.ttl && typeof ttl === 'number' && ttl > DOUBTED_TTL && Number.isFinite(ttl)) {
      seen.ttl = true
      this.#tell({ keyPattern, message: `a ttl of ${ttl} seconds is above one day: a ttl is given in seconds, not in milliseconds` })
    }
    if (seen.samples >= SAMPLES) return
    seen.samples++
    this.#lookAtKey(seen, keyPattern, key)
    if (seen.value) return
    const change = changeOf(value)
    if (change === undefined) return
    seen.value = true
    this.#tell({ keyPattern, message: `changes when stored: ${change}: a hit gives what JSON keeps of it, a miss the value itself` })
  }

  #lookAtKey (seen: Seen, keyPattern: string, key: string): void {
    const hollow = seen.key ? undefined : HOLLOW.exec(key)?.[1]
    if (hollow === undefined) return
    seen.key = true
    this.#tell({ keyPattern, message: `a key has the part ${hollow}: one entry may answer for all who lack it` })
  }
}
