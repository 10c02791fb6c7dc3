/** The number of compared pairs from which on values can count as noise. */
const LEAST = 50
const NOISE_SHARE = 0.95
/** The number of compared pairs at which the counts are halved, so that recent traffic outweighs older traffic. */
const HALVED_AT = 1024

/** Counts of pairs of requests with equal keys and dimensions within a minute, and of those whose values differ. */
export class NoisePairs {
  #compared = 0
  #differing = 0

  /** Whether enough pairs were compared for `isNoise`. */
  get isKnown (): boolean { return this.#compared >= LEAST }

  /** Whether values change at nearly every load; `false` while too few pairs were compared. */
  get isNoise (): boolean { return this.isKnown && this.#differing >= NOISE_SHARE * this.#compared }

  add (isDiffering: boolean): void {
    this.#compared++
    if (isDiffering) this.#differing++
    if (this.#compared < HALVED_AT) return
    this.#compared /= 2
    this.#differing /= 2
  }
}
