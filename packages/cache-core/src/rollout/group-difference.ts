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

/** The change of one group's share, and its variance if requests were independent. */
interface Change { readonly change: number, readonly variance: number }

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

  /** The change of the difference; `undefined`: a side has too few groups with requests, before or now. */
  estimate (): Estimate | undefined {
    const cohort = this.#change(0, this.#control - this.#first)
    const control = this.#change(this.#control - this.#first, this.#end - this.#first)
    if (cohort === undefined || control === undefined) return undefined
    const variance = cohort.variance + control.variance
    return {
      estimate: cohort.mean - control.mean,
      variance,
      // Satterthwaite.
      degrees: variance === 0 ? 1 : variance ** 2 / (cohort.variance ** 2 / cohort.degrees + control.variance ** 2 / control.degrees),
      information: 1 / (1 / this.#weight(this.#before) + 1 / this.#weight(this.#now))
    }
  }

  /** The minutes' weights of the cohort: the number of requests of an equal sample, which is that of the control groups, too. */
  #weight ({ weight }: Sums): number {
    let sum = 0
    for (let at = 0; at < this.#control - this.#first; at++) sum += weight[at]!
    return sum
  }

  /**
   * The mean change of the groups of one side. Groups are weighed as in a meta-analysis with random effects (DerSimonian and Laird,
   * "Meta-analysis in clinical trials", 1986): by their requests as long as chance is what sets them apart, equally if subjects do. So one
   * subject with many requests does not decide. A group's deviation is divided by one minus its weight, which is the variance by leaving one
   * group out (CR3; Bell and McCaffrey, "Bias reduction in standard errors", Survey Methodology 2002). The degrees of freedom are those of
   * the effective number of groups (Carter, Schnepel and Steigerwald, "Asymptotic behavior of a t-test robust to cluster heterogeneity",
   * 2017).
   */
  #change (from: number, to: number): { mean: number, variance: number, degrees: number } | undefined {
    const chanceNow = this.#now.spread / this.#weight(this.#now)
    const chanceBefore = this.#before.spread / this.#weight(this.#before)
    const changes: Change[] = []
    for (let at = from; at < to; at++) {
      const now = this.#now.weight[at]!
      const before = this.#before.weight[at]!
      if (now === 0 || before === 0) continue
      changes.push({
        change: this.#now.excess[at]! / now - this.#before.excess[at]! / before,
        variance: chanceNow / now + chanceBefore / before
      })
    }
    return changes.length < MIN_GROUPS ? undefined : meanChange(changes)
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

function meanChange (changes: readonly Change[]): { mean: number, variance: number, degrees: number } {
  const between = varianceBetween(changes)
  const weights = changes.map(({ variance }) => 1 / (variance + between))
  const all = sumOf(weights)
  if (!Number.isFinite(all)) {
    // No request counts, or each one does: all groups are equal.
    return { mean: sumOf(changes.map(({ change }) => change)) / changes.length, variance: 0, degrees: changes.length - 1 }
  }
  let mean = 0
  for (const [at, { change }] of changes.entries()) mean += weights[at]! / all * change
  let variance = 0
  let squares = 0
  for (const [at, { change }] of changes.entries()) {
    const share = weights[at]! / all
    variance += (share * (change - mean) / (1 - share)) ** 2
    squares += share ** 2
  }
  return { mean, variance: Math.max(variance * (1 - squares), 1 / sumOf(changes.map(({ variance }) => 1 / variance))), degrees: Math.max(1, 1 / squares - 1) }
}

/** The variance between groups beyond chance, by the method of moments of DerSimonian and Laird. */
function varianceBetween (changes: readonly Change[]): number {
  const weights = changes.map(({ variance }) => 1 / variance)
  const all = sumOf(weights)
  if (!Number.isFinite(all)) return 0
  let mean = 0
  for (const [at, { change }] of changes.entries()) mean += weights[at]! / all * change
  let heterogeneity = 0
  for (const [at, { change }] of changes.entries()) heterogeneity += weights[at]! * (change - mean) ** 2
  const squares = sumOf(weights.map((weight) => weight * weight))
  return Math.max(0, (heterogeneity - (changes.length - 1)) / (all - squares / all))
}

function sumOf (values: readonly number[]): number {
  let sum = 0
  for (const value of values) sum += value
  return sum
}
