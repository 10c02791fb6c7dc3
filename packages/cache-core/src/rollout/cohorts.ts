/** The number of buckets to which a rollout assigns subjects. */
const BUCKETS = 10_000
/**
 * The number of groups per cohort of subjects. A variance is computed between groups. More groups give a better estimate, and a larger
 * evidence document.
 */
export const GROUPS_PER_COHORT = 20

/**
 * The division of subjects into cohorts and groups. Cohort `i` holds the buckets that stage `i + 1` adds to the cached arm; the last cohort
 * holds the buckets that no stage caches, among them the hold-out. A cohort has 20 groups. A subject belongs to one group at all times.
 *
 * Stages are counted from 1; stage 0 is the baseline, in which no subject is cached.
 */
export class Cohorts {
  /** The percents of cached subjects in the stages, ascending, as they were given. */
  readonly stages: readonly number[]
  /** The share of subjects that no stage caches, in percent. */
  readonly holdOut: number
  /** The number of groups of all cohorts. */
  readonly groups: number
  /** A hash of the division of subjects: processes with the same number assign each subject to the same group. */
  readonly layout: number
  readonly #limits: readonly number[]
  readonly #cohortByBucket = new Uint8Array(BUCKETS)

  /**
   * Creates the division of subjects into cohorts and groups.
   * @param stages percents above 0 and at most 100, ascending, at most 50
   * @param holdOut percent of the subjects, 0 to 50, that are in the control arm at every stage, at 100 %, too
   */
  constructor (stages: readonly number[], holdOut = 1) {
    this.stages = [...stages]
    this.holdOut = holdOut
    this.groups = (stages.length + 1) * GROUPS_PER_COHORT
    const cacheable = BUCKETS - Math.round(holdOut * (BUCKETS / 100))
    this.#limits = stages.map((percent) => Math.min(Math.round(percent * (BUCKETS / 100)), cacheable))
    let cohort = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      while (cohort < stages.length && bucket >= this.#limits[cohort]!) cohort++
      this.#cohortByBucket[bucket] = cohort
    }
    this.layout = layoutOf([...this.#limits, cacheable])
  }

  /** Returns the group of subjects that a bucket (0 to 9999) belongs to: `20 * cohort + bucket % 20`. */
  groupOf (bucket: number): number {
    return this.#cohortByBucket[bucket]! * GROUPS_PER_COHORT + bucket % GROUPS_PER_COHORT
  }

  /** Returns the cohort that a group of subjects belongs to: `0` to the number of stages. */
  cohortOf (group: number): number {
    return Math.floor(group / GROUPS_PER_COHORT)
  }

  /** Returns the number of buckets whose subjects are cached in a stage: 0 to 10 000, or 9900 at 100 % with a hold-out of 1 percent. */
  limitOf (stage: number): number {
    return stage === 0 ? 0 : this.#limits[stage - 1]!
  }

  /** Whether the subjects of a group are cached in a stage. */
  isCached (group: number, stage: number): boolean {
    return this.cohortOf(group) < stage
  }

  /** Whether a stage leaves subjects in the control arm, to compare the cached arm with. */
  hasControl (stage: number): boolean {
    return this.limitOf(stage) < BUCKETS
  }
}

/** Computes the FNV-1a hash (32 bit) of a list of numbers below 65 536. */
function layoutOf (numbers: readonly number[]): number {
  let hash = 0x811c9dc5
  for (const number of numbers) {
    hash = Math.imul(hash ^ (number & 0xff), 0x01000193)
    hash = Math.imul(hash ^ (number >>> 8), 0x01000193)
  }
  return hash >>> 0
}
