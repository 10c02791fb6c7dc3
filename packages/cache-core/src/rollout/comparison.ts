import type { Result } from '../contract/result.js'
import type { Cohorts } from './cohorts.js'
import type { Evidence } from './evidence.js'
import type { Minute } from './minute-counts.js'

/** Folds minutes into the evidence of a stage. Its state is small and serialisable, so that another decider can go on. */
export class Comparison {
  readonly #cohorts: Cohorts
  #stage = 0
  #minutes = 0

  /** Creates a comparison in the baseline, without evidence. */
  constructor (cohorts: Cohorts) {
    this.#cohorts = cohorts
  }

  /** The stage whose evidence is folded: 0 is the baseline. */
  get stage (): number { return this.#stage }

  /** Minutes folded in this stage. */
  get observedMinutes (): number { return this.#minutes }

  /** Begins a stage, or begins it again. The evidence of the time before the stage stays, the evidence of the stage is dropped. */
  startStage (stage: number): void {
    this.#stage = stage
    this.#minutes = 0
  }

  /**
   * Folds one minute, the merged counts of all processes. Returns whether it counts: a minute of other cohorts, of another percent than
   * the stage's, or one that is not later than the last one does not.
   * @param minute minutes since the epoch by the store's clock; a gap is allowed
   */
  fold (minute: number, counts: Minute): boolean {
    if (counts.layout !== this.#cohorts.layout || counts.limit !== this.#cohorts.limitOf(this.#stage)) return false
    this.#minutes++
    return minute > 0
  }

  evidence (): Evidence {
    throw new Error('to come')
  }

  /** The state as bytes, with a version and a checksum. */
  encode (): Uint8Array {
    throw new Error('to come')
  }

  /** Reads what `encode` wrote. Bytes of another version, of other cohorts and damaged bytes are the error `CACHE_ERR_CORRUPT`. */
  static decode (_bytes: Uint8Array, _cohorts: Cohorts): Result<Comparison> {
    throw new Error('to come')
  }
}
