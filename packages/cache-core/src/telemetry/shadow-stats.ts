/** The outcomes of shadow reads, in the order in which the metrics list them. */
export const SHADOW_OUTCOMES = ['match', 'mismatch', 'explained', 'differs', 'absent', 'undecided', 'failed', 'dropped'] as const

/**
 * The outcome of a shadow read. `match`: the entry equals the loaded value. `mismatch`: the entry differed, and was not invalidated within
 * 5 s. `explained`: the entry differed, and was invalidated or replaced within 5 s. `differs`: only members that differ on every load
 * differed. `absent`: no fresh entry. `undecided`: the entry ends so soon that the 5 s cannot be awaited, or it may be newer than the load.
 * `failed`: the read failed, or the value has no stored form. `dropped`: too many comparisons were in flight, or the value was too large or
 * had parts, such as a `Map`, that the serializer changes.
 */
export type ShadowOutcome = typeof SHADOW_OUTCOMES[number]

/** Upper bounds, in seconds, of the buckets by which the ages of entries in shadow reads are counted. */
export const SHADOW_AGES: readonly number[] = [1, 5, 15, 60, 300, 900, 3600, 21_600, 86_400]
/**
 * The number of groups of keys in shadow reads; the spread between groups shows to what extent a rate of mismatches is due to a few keys.
 */
export const SHADOW_GROUPS = 64
/** The maximum number of member paths of a key pattern that shadow reads count. */
const MAX_PATHS = 8

/**
 * Counts of the ages of entries in shadow reads, by bound of `SHADOW_AGES`, not cumulative; the last count is that of ages above all
 * bounds.
 */
export class AgeHistogram {
  readonly counts = new Array<number>(SHADOW_AGES.length + 1).fill(0)
  count = 0
  sum = 0

  /** Counts the age of an entry in seconds; `NaN`, an unknown age, is not counted. */
  observe (age: number): void {
    if (Number.isNaN(age)) return
    let bucket = 0
    while (bucket < SHADOW_AGES.length && age > SHADOW_AGES[bucket]!) bucket++
    this.counts[bucket]!++
    this.count++
    this.sum += age
  }
}

/** One shadow read with its outcome. `age`: the seconds since the entry was stored; `NaN` if they are unknown or there was no entry. */
export interface ShadowRead {
  readonly outcome: ShadowOutcome
  readonly age: number
  /** The group of the key in shadow reads, 0 to 63. */
  readonly group: number
  /**
   * The path of the first member in which the entry differs from the loaded value, such as `.price`; an empty text stands for the value
   * itself.
   */
  readonly path: string | undefined
}

/** The outcomes of the shadow reads of one key pattern. */
export class ShadowCounts {
  readonly outcomes = Object.fromEntries(SHADOW_OUTCOMES.map((outcome) => [outcome, 0])) as Record<ShadowOutcome, number>
  readonly ages = { match: new AgeHistogram(), differs: new AgeHistogram(), mismatch: new AgeHistogram() }
  /** The number of loaded values that shadow reads have passed to the implementation to be stored. */
  stored = 0
  /**
   * The counts of shadow reads in each group of keys: `stale` counts mismatches, `fresh` counts entries that equal the loaded value except
   * for members that differ on every load. An entry whose whole value differs on every load is not counted.
   */
  readonly groups = Array.from({ length: SHADOW_GROUPS }, () => ({ fresh: 0, stale: 0 }))
  /** The number of mismatches by path of the differing member; at most eight paths. */
  readonly mismatchPaths = new Map<string, number>()
  /** The number of comparisons by path of a member that differs on every load; at most eight paths. */
  readonly volatilePaths = new Map<string, number>()

  constructor (readonly keyPattern: string) {}

  note ({ outcome, age, group, path }: ShadowRead): void {
    this.outcomes[outcome]++
    if (outcome === 'mismatch') this.groups[group]!.stale++
    else if (outcome === 'match' || (outcome === 'differs' && path !== '')) this.groups[group]!.fresh++
    else return this.#notePath(outcome, path)
    this.ages[outcome].observe(age)
    this.#notePath(outcome, path)
  }

  #notePath (outcome: ShadowOutcome, path: string | undefined): void {
    if (path === undefined) return
    const paths = outcome === 'differs' ? this.volatilePaths : this.mismatchPaths
    const count = paths.get(path)
    if (count !== undefined || paths.size < MAX_PATHS) paths.set(path, (count ?? 0) + 1)
  }
}

/** The outcomes of the shadow reads of a process, by key pattern. */
export class ShadowStats {
  readonly patterns = new Map<string, ShadowCounts>()

  of (keyPattern: string): ShadowCounts {
    let counts = this.patterns.get(keyPattern)
    if (counts === undefined) this.patterns.set(keyPattern, counts = new ShadowCounts(keyPattern))
    return counts
  }
}
