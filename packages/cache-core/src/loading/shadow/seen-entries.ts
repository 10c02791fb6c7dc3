import { ownText } from '../../lib/own-text.js'

/** The maximum number of keys whose entries are remembered with the time at which they were first seen. */
const MAX_KEYS = 1000

/** The times at which the entries of keys were first seen, for implementations that do not record when an entry was stored. */
export class SeenEntries {
  readonly #seen = new Map<string, { readonly print: string; readonly at: number }>()

  /** Returns the seconds since the entry with this fingerprint was first seen; `NaN` if it is seen for the first time. */
  ageOf (key: string, print: string, now: number): number {
    const seen = this.#seen.get(key)
    if (seen?.print === print) return (now - seen.at) / 1000
    this.#seen.delete(key)
    if (this.#seen.size >= MAX_KEYS) this.#seen.delete(this.#seen.keys().next().value!)
    this.#seen.set(ownText(key), { print, at: now })
    return NaN
  }
}
