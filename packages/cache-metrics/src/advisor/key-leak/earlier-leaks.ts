import type { SampledKeys } from '../curve/key-sample.js'
import type { MissingDimension } from '../report/observation.js'
import { ENOUGH_KEYS, isDisprovedByKeys, isDisprovedByValues, isOutdated, type LeakEvidence } from './leak-evidence.js'

/** The maximum number of leaks of earlier processes, also in a state, each of which has a place among the observed dimensions. */
export const MAX_EARLIER_LEAKS = 8

/** The earlier observation of a key pattern or route. `seconds`: its length. `found`: the end of the process that found its leaks. */
export interface EarlierObservation { readonly keys: SampledKeys; readonly seconds: number; readonly found: number }

/** The approximate bytes of one key in an array and in a set. */
const BYTES_PER_KEY = 48

/** The leaks of earlier processes that nothing has disproved yet. A leak that has ended does not return, except by a new finding. */
export class EarlierLeaks {
  readonly #seconds: number
  readonly #found: number
  readonly #limit: number
  readonly #known: Set<number>
  /** The first new keys below the limit of the sample. */
  readonly #new = new Set<number>()
  #open: readonly MissingDimension[]
  /** The sample of the earlier keys; `undefined`: no leak is open, or a sampled key was requested, so that its leaks do not end by keys. */
  #keys: SampledKeys | undefined
  /** The number of requests for keys below the limit of the sample. */
  #sampled = 0

  /** Makes the list of earlier leaks. Of too many leaks, those with the fewest pairs are dropped. */
  constructor (leaks: readonly MissingDimension[], { keys, seconds, found }: EarlierObservation) {
    this.#open = [...leaks].sort((a, b) => b.pairs - a.pairs).slice(0, MAX_EARLIER_LEAKS)
    this.#seconds = seconds
    this.#found = found
    this.#limit = keys.limit
    this.#known = new Set([...keys.once, ...keys.more])
    // An empty sample, as of a process without requests, has no key that could be requested again.
    this.#keys = this.#known.size === 0 ? undefined : keys
  }

  get bytes (): number { return this.#known.size * BYTES_PER_KEY }
  get open (): readonly MissingDimension[] { return this.#open }

  /** The sample of the earlier keys while none of them was requested; `undefined`: a later process uses the keys of this one, too. */
  get unseenKeys (): SampledKeys | undefined { return this.#keys }

  noteRead (hash: number): void {
    if (this.#keys === undefined || hash >>> 0 >= this.#limit) return
    this.#sampled++
    if (this.#known.has(hash >>> 0)) this.#dropKeys()
    else if (this.#new.size < ENOUGH_KEYS) this.#new.add(hash >>> 0)
  }

  /**
   * Ends the leaks that this process has disproved, and all leaks once they are outdated.
   * @param own the dimension of the leak that this process has found itself
   * @param now the present time in milliseconds since 1970; `undefined`: it is not known
   */
  endDisproved (own: string | undefined, evidence: readonly LeakEvidence[], now?: number): void {
    if (this.#open.length === 0) return
    const areOutdated = now !== undefined && isOutdated(this.#found, now)
    this.#open = areOutdated ? [] : this.#open.filter((leak) => leak.dimension === own || !this.#isDisproved(leak, evidence))
    if (this.#open.length === 0) this.#dropKeys()
  }

  #isDisproved (leak: MissingDimension, evidence: readonly LeakEvidence[]): boolean {
    const requested = { sampled: this.#sampled, keys: this.#new.size, earlierKeys: this.#known.size, limit: this.#limit }
    if (this.#keys !== undefined && isDisprovedByKeys(leak, requested)) return true
    return evidence.some((each) => isDisprovedByValues(leak, each, this.#seconds))
  }

  #dropKeys (): void {
    this.#keys = undefined
    this.#known.clear()
  }
}
