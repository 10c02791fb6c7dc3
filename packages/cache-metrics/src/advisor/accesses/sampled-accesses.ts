import { HASHES } from '../hash.js'
import { CLEAR, INVALIDATION } from '../curve/access-kinds.js'
import { AccessRing, type Accesses } from './access-ring.js'

/**
 * The number of entries that simulate one cache size when the recorded accesses are simulated again. The reuse curve in each process has
 * half as many, since its tables use memory all the time. With a larger number, the rings would cover too short a time to fill the caches.
 */
export const JOINT_SAMPLE = 1024

/**
 * Returns the limits of the strata's hashes for these cache sizes, the highest first. A stratum contains the keys whose hashes lie between
 * the next limit and its own.
 */
export function strataOf (entries: readonly number[]): number[] {
  return [HASHES, ...[...entries].sort((a, b) => a - b).filter((size) => size > JOINT_SAMPLE).map((size) => JOINT_SAMPLE / size * HASHES)]
}

/**
 * The accesses of a key pattern or route in a form that can be stored and sent: a ring of accesses for each stratum, and a ring of
 * invalidations.
 */
export interface SavedAccesses {
  readonly strata: readonly SavedRing[]
  readonly invalidations: SavedRing
}

/** The accesses of one ring; `isWhole`: no access was dropped. */
export interface SavedRing extends Accesses { readonly isWhole: boolean }

/**
 * The last accesses to the sampled keys of one key pattern or route, from which the accesses of several processes can be merged and
 * simulated again. A larger cache needs a longer time and a smaller share of the keys. Each stratum of the keys therefore has a separate
 * ring. The ring of the few keys that simulate the largest cache covers a long time; the ring of all other keys covers a short time.
 */
export class SampledAccesses {
  readonly #limits: readonly number[]
  readonly #strata: readonly AccessRing[]
  readonly #invalidations: AccessRing

  /**
   * Makes an empty record of sampled accesses.
   * @param limits the limits of the strata's hashes, as `strataOf` returns them
   * @param max the maximum number of accesses of each ring
   */
  constructor (limits: readonly number[], max: number) {
    this.#limits = limits
    this.#strata = limits.map(() => new AccessRing(max))
    this.#invalidations = new AccessRing(max)
  }

  /** Returns the number of rings of accesses in a record with these limits of strata. */
  static ringsOf (limits: readonly number[]): number {
    return limits.length + 1
  }

  get bytes (): number { return this.#strata.reduce((sum, { bytes }) => sum + bytes, this.#invalidations.bytes) }

  /**
   * Adds an access of one of the kinds in `access-kinds.ts`.
   * @param word the time of the access in milliseconds since 1970; for a tag, the hash of the tag
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

  /** Adds accesses that an earlier process stored. */
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
