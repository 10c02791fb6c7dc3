import { HASHES } from '../hash.js'
import { CLEAR, INVALIDATION } from '../curve/access-kinds.js'
import { AccessRing, type Accesses } from './access-ring.js'

/**
 * The number of entries with which the accesses can simulate each cache size. It is twice that of the running estimate, whose tables need memory
 * all the time; with more, the times of the rings would be too short to fill the caches.
 */
export const JOINT_SAMPLE = 1024

/** The limits of the hashes of the strata for these cache sizes, highest first. A stratum has the keys from the next limit up to its own. */
export function strataOf (entries: readonly number[]): number[] {
  return [HASHES, ...[...entries].sort((a, b) => a - b).filter((size) => size > JOINT_SAMPLE).map((size) => JOINT_SAMPLE / size * HASHES)]
}

/** The accesses of a key pattern or route in a form that can be stored and sent: a ring for each stratum, and one of the invalidations. */
export interface SavedAccesses {
  readonly strata: readonly SavedRing[]
  readonly invalidations: SavedRing
}

/** The accesses of one ring; `isWhole`: none was dropped. */
export interface SavedRing extends Accesses { readonly isWhole: boolean }

/**
 * The last accesses to the sampled keys of one key pattern or route, from which the accesses of several processes can be merged and simulated
 * again. A larger cache needs a longer time and a smaller share of the keys. So each stratum of the keys has a ring of its own: of the few keys
 * that the largest cache is simulated with, the accesses of a long time are known; of all keys, those of a short one.
 */
export class SampledAccesses {
  readonly #limits: readonly number[]
  readonly #strata: readonly AccessRing[]
  readonly #invalidations: AccessRing

  /**
   * Makes an empty record.
   * @param limits the limits of the hashes of the strata, by `strataOf`
   * @param max the maximum number of accesses of each ring
   */
  constructor (limits: readonly number[], max: number) {
    this.#limits = limits
    this.#strata = limits.map(() => new AccessRing(max))
    this.#invalidations = new AccessRing(max)
  }

  /** The number of rings of a record with these limits. */
  static ringsOf (limits: readonly number[]): number {
    return limits.length + 1
  }

  get bytes (): number { return this.#strata.reduce((sum, { bytes }) => sum + bytes, this.#invalidations.bytes) }

  /**
   * Adds an access of one of the kinds.
   * @param word its time in milliseconds since 1970; of a tag, the hash of the tag
   */
  add (kind: number, hash: number, word: number): void {
    if (kind === INVALIDATION || kind === CLEAR) return this.#invalidations.add(kind, hash, word)
    let stratum = 0
    while (stratum + 1 < this.#limits.length && hash < this.#limits[stratum + 1]!) stratum++
    this.#strata[stratum]!.add(kind, hash, word)
  }

  limitTo (max: number): void {
    for (const ring of [...this.#strata, this.#invalidations]) ring.limitTo(max)
  }

  save (): SavedAccesses {
    return { strata: this.#strata.map(saved), invalidations: saved(this.#invalidations) }
  }

  /** Adds accesses that were saved. */
  restore ({ strata, invalidations }: SavedAccesses): void {
    for (const [at, ring] of [...strata, invalidations].entries()) {
      const { kinds, hashes, words, isWhole } = ring
      for (let access = 0; access < kinds.length; access++) this.add(kinds[access]!, hashes[access]!, words[access]!)
      if (!isWhole) (this.#strata[at] ?? this.#invalidations).hasDropped = true
    }
  }
}

function saved (ring: AccessRing): SavedRing {
  return { ...ring.accesses(), isWhole: !ring.hasDropped }
}
