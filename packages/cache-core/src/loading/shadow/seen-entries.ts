import { ownText } from '../../lib/own-text.js'
import { printOf, type Form } from './form.js'

/** The maximum number of keys. */
const MAX_KEYS = 1000

/** The first times at which entries were seen, for implementations that do not record the time of a store. */
export class SeenEntries {
  readonly #seen = new Map<string, { readonly print: string; readonly at: number }>()

  /** Returns the seconds since this entry was first seen; `NaN` if it is seen for the first time. */
  ageOf (key: string, entry: Form, now: number): number {
    const print = printOf(entry)
    const seen = this.#seen.get(key)
    if (seen?.print === print) return (now - seen.at) / 1000
    this.#seen.delete(key)
    if (this.#seen.size >= MAX_KEYS) this.#seen.delete(this.#seen.keys().next().value!)
    this.#seen.set(ownText(key), { print, at: now })
    return NaN
  }
}
