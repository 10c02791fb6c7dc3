import type { ByteReader, ByteWriter } from './bytes.js'
import { GROUPS_PER_COHORT } from './cohorts.js'
import type { Estimate } from './sequential-test.js'

/** Sums of one channel over minutes, by group: the numerator and the denominator of the group's part of the difference. */
class Sums {
  readonly excess: Float64Array
  readonly weight: Float64Array
  /** The variance of the numerator if requests were independent. */
  spread = 0

  constructor (groups: number) {
    this.excess = new Float64Array(groups)
    this.weight = new Float64Array(groups)
  }

  clear (): void {
    this.excess.fill(0)
    this.weight.fill(0)
    this.spread = 0
  }

  write (writer: ByteWriter): void {
    writer.doubles(this.excess)
    writer.doubles(this.weight)
    writer.double(this.spread)
  }

  read (reader: ByteReader): void {
    reader.doubles(this.excess)
    reader.doubles(this.weight)
    this.spread = reader.double()
  }
}

/** Fewer groups with requests on one side give no variance. */
const MIN_GROUPS = 5

/** The side of the cohort, or of the control groups, in one period. */
interface Side { readonly mean: number, readonly weight: number }

/**
 * The difference in differences of one channel (a share of requests, such as those slower than a threshold): the cohort that a stage adds
 * against all groups that are control in the stage, now against before.
 *
 * Minutes are strata (Mantel-Haenszel), so that a burst, which slows down both sides of a minute, cancels. A minute in which the share is
 * above `cap` weighs less by that ratio: in a burst a standing difference of the sides has another size, which is no sign of a change.
 */
export class GroupDifference {
  readonly #first: number
  readonly #control: number
  readonly #end: number
  readonly #cap: number
  readonly #before: Sums
  readonly #now: Sums

  /**
   * Creates a difference without minutes.
   * @param stage 1 to the number of stages
   * @param groups the number of groups of all cohorts
   * @param cap the share above which a minute weighs less
   */
  constructor (stage: number, groups: number, cap: number) {
    this.#first = (stage - 1) * GROUPS_PER_COHORT
    this.#control = stage * GROUPS_PER_COHORT
    this.#end = groups
    this.#cap = cap
    this.#before = new Sums(groups - this.#first)
    this.#now = new Sums(groups - this.#first)
  }

  /** Drops the minutes of the stage. */
  restart (): void {
    this.#now.clear()
  }

  /** Folds one minute: requests, and those that the channel counts, by group. */
  fold (period: 'before' | 'now', requests: ArrayLike<number>, counted: ArrayLike<number>): void {
    const { excess, weight } = period === 'now' ? this.#now : this.#before
    let cohort = 0
    let control = 0
    let sum = 0
    for (let group = this.#first; group < this.#control; group++) {
      cohort += requests[group]!
      sum += counted[group]!
    }
    for (let group = this.#control; group < this.#end; group++) {
      control += requests[group]!
      sum += counted[group]!
    }
    if (cohort === 0 || control === 0) return
    const all = cohort + control
    const share = sum / all
    const factor = share > this.#cap ? this.#cap / share : 1
    const cohortFactor = factor * control / all
    const controlFactor = factor * cohort / all
    for (let group = this.#first, at = 0; group < this.#end; group++, at++) {
      const own = group < this.#control ? cohortFactor : controlFactor
      const of = requests[group]!
      if (of === 0) continue
      excess[at]! += own * (counted[group]! - of * share)
      weight[at]! += own * of
    }
    if (period === 'now') this.#now.spread += factor * cohortFactor * cohort * share * (1 - share)
    else this.#before.spread += factor * cohortFactor * cohort * share * (1 - share)
  }

  /** The difference of the sides before the stage; 0 without minutes. */
  get standing (): number {
    const cohort = this.#side(this.#before, 'cohort')
    return cohort.weight === 0 ? 0 : cohort.mean - this.#side(this.#before, 'control').mean
  }

  /** The change of the difference; `undefined`: a side has too few groups with requests, before or now. */
  estimate (): Estimate | undefined {
    const cohort = this.#variance('cohort')
    const control = this.#variance('control')
    if (cohort === undefined || control === undefined) return undefined
    const weightBefore = this.#side(this.#before, 'cohort').weight
    const weightNow = this.#side(this.#now, 'cohort').weight
    const independent = this.#before.spread / weightBefore ** 2 + this.#now.spread / weightNow ** 2
    const variance = cohort.variance + control.variance
    return {
      estimate: cohort.change - control.change,
      variance: Math.max(variance, independent),
      // Satterthwaite.
      degrees: variance === 0 ? GROUPS_PER_COHORT - 1 : variance ** 2 / (cohort.variance ** 2 / cohort.degrees + control.variance ** 2 / control.degrees),
      information: 1 / (1 / weightBefore + 1 / weightNow)
    }
  }

  #range (side: 'cohort' | 'control'): [from: number, to: number] {
    const split = this.#control - this.#first
    return side === 'cohort' ? [0, split] : [split, this.#end - this.#first]
  }

  #side ({ excess, weight }: Sums, side: 'cohort' | 'control'): Side {
    let numerator = 0
    let denominator = 0
    for (let [at, to] = this.#range(side); at < to; at++) {
      numerator += excess[at]!
      denominator += weight[at]!
    }
    return { mean: denominator === 0 ? 0 : numerator / denominator, weight: denominator }
  }

  /**
   * The change of one side's mean and its variance by groups. A group's deviation is divided by one minus its share of the side, which is the
   * variance by leaving one group out (CR3 of Bell and McCaffrey, "Bias reduction in standard errors", Survey Methodology 2002): few groups
   * of unequal size would give too small a variance otherwise. The degrees of freedom are those of the effective number of groups (Carter,
   * Schnepel and Steigerwald, "Asymptotic behavior of a t-test robust to cluster heterogeneity", 2017).
   */
  #variance (name: 'cohort' | 'control'): { change: number, variance: number, degrees: number } | undefined {
    const now = this.#side(this.#now, name)
    const before = this.#side(this.#before, name)
    let variance = 0
    let squares = 0
    let groups = 0
    for (let [at, to] = this.#range(name); at < to; at++) {
      const shareNow = this.#now.weight[at]! / now.weight
      const shareBefore = this.#before.weight[at]! / before.weight
      if (!(shareNow > 0 || shareBefore > 0)) continue
      if (shareNow > 0 && shareBefore > 0) groups++
      const deviationNow = this.#deviation(this.#now, now, at) / (1 - shareNow)
      variance += (deviationNow - this.#deviation(this.#before, before, at) / (1 - shareBefore)) ** 2
      squares += ((shareNow + shareBefore) / 2) ** 2
    }
    if (groups < MIN_GROUPS) return undefined
    return { change: now.mean - before.mean, variance: variance * (1 - squares), degrees: Math.max(1, 1 / squares - 1) }
  }

  #deviation ({ excess, weight }: Sums, { mean, weight: all }: Side, at: number): number {
    return (excess[at]! - mean * weight[at]!) / all
  }

  write (writer: ByteWriter): void {
    this.#before.write(writer)
    this.#now.write(writer)
  }

  /** Reads what `write` wrote. @throws `Malformed` for other bytes */
  read (reader: ByteReader): void {
    this.#before.read(reader)
    this.#now.read(reader)
  }
}
