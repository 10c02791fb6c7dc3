import type { ByteReader, ByteWriter } from './bytes.js'
import { GROUPS_PER_COHORT } from './cohorts.js'
import type { Missing } from './evidence.js'
import { GroupSums } from './group-sums.js'
import type { Estimate } from './sequential-test.js'
import { WindowedSums } from './windows.js'

/** The minimum number of groups of subjects with requests in each arm: fewer groups give no usable variance. */
const MIN_GROUPS = 5

/** The change of the difference between the arms since the time before the stage. */
export interface ChangeEstimate extends Estimate {
  /**
   * The amount of information in the estimate: the inverse of the variance that it would have if requests were independent; bursts count
   * less.
   */
  readonly weight: number
}

/** The change of a channel's difference in one group of subjects, and the variance that it would have if requests were independent. */
interface Change { readonly change: number, readonly variance: number }

/**
 * A difference in differences of one channel (a share of requests, such as those slower than a threshold): first the groups that a stage
 * adds are compared with all groups that stay in the control arm, then this difference with the same difference before the stage.
 *
 * Each minute is a stratum, so that a burst, which slows down both arms in the same minute, cancels out. The difference is the logarithm of
 * an odds ratio, computed by one step from the expected counts (Mantel-Haenszel; Peto in Yusuf et al., "Beta blockade during and after
 * myocardial infarction", 1985). If one arm always has slower clients than the other, its odds ratio is about the same in a burst as
 * outside; the difference of the shares is not. A minute whose share is above `cap` gets less weight, in the proportion of `cap` to the
 * share, so that bursts do not dominate.
 */
export class GroupDifference {
  readonly #first: number
  readonly #control: number
  readonly #end: number
  readonly #cap: number
  readonly #before: GroupSums
  readonly #now: WindowedSums<GroupSums>

  /**
   * Creates a difference between the arms, without minutes.
   * @param stage 1 to the number of stages
   * @param groups the number of groups of all cohorts
   * @param cap the share above which a minute gets less weight
   */
  constructor (stage: number, groups: number, cap: number) {
    this.#first = (stage - 1) * GROUPS_PER_COHORT
    this.#control = stage * GROUPS_PER_COHORT
    this.#end = groups
    this.#cap = cap
    this.#before = new GroupSums(groups - this.#first)
    this.#now = new WindowedSums(() => new GroupSums(groups - this.#first))
  }

  /** Drops the sums of the stage's minutes; the sums of the minutes before the stage remain. */
  restart (): void {
    this.#now.clear()
  }

  /** Ends the windows of the stage whose length has passed; called before a minute of the stage is added. */
  roll (minutesBefore: number): void {
    this.#now.roll(minutesBefore)
  }

  /** Returns the reason why the stage cannot be compared with the time before it; `undefined`: nothing is missing. */
  missing (): Missing | undefined {
    if (this.#before.size === 0) return { of: 'before' }
    const stage = this.#now.sums().at(-1)!
    const filled = (from: number, to: number): number => {
      let count = 0
      for (let at = from; at < to; at++) if (stage.weight[at]! > 0 && this.#before.weight[at]! > 0) count++
      return count
    }
    const cohorts = this.#control - this.#first
    const count = Math.min(filled(0, cohorts), filled(cohorts, this.#end - this.#first))
    return count < MIN_GROUPS ? { of: 'groups', count, needed: MIN_GROUPS } : undefined
  }

  /**
   * Adds the counts of one minute.
   * @param period whether the minute lies in the stage or before it
   * @param requests all requests by group
   * @param counted the requests that the channel counts, such as slow ones, by group
   */
  fold (period: 'before' | 'now', requests: ArrayLike<number>, counted: ArrayLike<number>): void {
    const sums = period === 'now' ? this.#now.current : this.#before
    const { excess, weight } = sums
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
    sums.size += cohort * control / all
    if (sum === 0 || sum === all) return
    const share = sum / all
    const spread = share * (1 - share)
    const factor = share > this.#cap ? this.#cap / share : 1
    const cohortFactor = factor * control / all
    const controlFactor = factor * cohort / all
    for (let group = this.#first, at = 0; group < this.#end; group++, at++) {
      const own = group < this.#control ? cohortFactor : controlFactor
      const of = requests[group]!
      if (of === 0) continue
      excess[at]! += own * (counted[group]! - of * share)
      weight[at]! += own * of * spread
    }
    sums.cohortSpread += cohortFactor ** 2 * cohort * spread
    sums.controlSpread += controlFactor ** 2 * control * spread
  }

  /**
   * Returns the change of the difference between the arms, as the logarithm of an odds ratio: in each window, the shortest first, and at
   * the end in the whole stage. `undefined`: an arm has too few groups with requests, in the stage or before it. If the channel counts no
   * request, or every one, the change is 0 with a variance of 0.
   */
  estimates (): (ChangeEstimate | undefined)[] {
    return this.#now.sums().map((now) => this.#estimate(now, this.#before))
  }

  /** Returns the difference between the arms in each window and in the whole stage, without comparing it with the time before the stage. */
  ownEstimates (): (ChangeEstimate | undefined)[] {
    return this.#now.sums().map((now) => this.#estimate(now, undefined))
  }

  #estimate (now: GroupSums, before: GroupSums | undefined): ChangeEstimate | undefined {
    if (now.size === 0 || before?.size === 0) return undefined
    const information = 1 / ((before === undefined ? 0 : 1 / before.size) + 1 / now.size)
    const weight = this.#weight(now)
    if (weight === 0) return { estimate: 0, variance: 0, degrees: 1, information, weight }
    const cohort = this.#change(now, before, [0, this.#control - this.#first])
    const control = this.#change(now, before, [this.#control - this.#first, this.#end - this.#first])
    if (cohort === undefined || control === undefined) return undefined
    const variance = cohort.variance + control.variance
    return {
      estimate: cohort.mean - control.mean,
      variance,
      // The degrees of freedom of a sum of two variances follow from the Welch-Satterthwaite equation.
      degrees: variance === 0 ? 1 : variance ** 2 / (cohort.variance ** 2 / cohort.degrees + control.variance ** 2 / control.degrees),
      information,
      weight
    }
  }

  #weight ({ weight }: GroupSums): number {
    let sum = 0
    for (let at = 0; at < this.#control - this.#first; at++) sum += weight[at]!
    return sum
  }

  /**
   * The mean change of a channel in the groups of one arm. The groups are weighted as in a meta-analysis with random effects (DerSimonian
   * and Laird, "Meta-analysis in clinical trials", 1986): by their number of requests if chance explains their differences, and more
   * equally otherwise. One subject with many requests thus does not decide alone. Each group's deviation is divided by one minus its
   * weight, which gives the variance of leaving one group out (CR3; Bell and McCaffrey, "Bias reduction in standard errors", Survey
   * Methodology 2002). The degrees of freedom follow from the effective number of groups (Carter, Schnepel and Steigerwald, "Asymptotic
   * behavior of a t-test robust to cluster heterogeneity", 2017).
   */
  #change (now: GroupSums, before: GroupSums | undefined, [from, to]: readonly [number, number]): MeanChange | undefined {
    const chanceOf = (of: GroupSums): number => (from === 0 ? of.cohortSpread : of.controlSpread) / this.#weight(of)
    const chanceNow = chanceOf(now)
    // Before the stage the channel may have counted no request, such as no failure; the difference between the arms before the stage is
    // then taken as zero.
    const standing = before !== undefined && this.#weight(before) > 0 ? before : undefined
    const chanceBefore = standing === undefined ? 0 : chanceOf(standing)
    const changes: Change[] = []
    for (let at = from; at < to; at++) {
      const weight = now.weight[at]!
      const weightBefore = standing?.weight[at]
      if (weight === 0 || weightBefore === 0) continue
      changes.push({
        change: now.excess[at]! / weight - (weightBefore === undefined ? 0 : standing!.excess[at]! / weightBefore),
        variance: chanceNow / weight + (weightBefore === undefined ? 0 : chanceBefore / weightBefore)
      })
    }
    return changes.length < MIN_GROUPS ? undefined : meanChange(changes)
  }

  write (writer: ByteWriter): void {
    this.#before.write(writer)
    this.#now.write(writer)
  }

  /**
   * Reads the sums of both arms that `write` wrote.
   * @throws `Malformed` for other bytes
   */
  read (reader: ByteReader): void {
    this.#before.read(reader)
    this.#now.read(reader)
  }
}

interface MeanChange { readonly mean: number, readonly variance: number, readonly degrees: number }

function meanChange (changes: readonly Change[]): MeanChange {
  const between = varianceBetween(changes)
  const { mean, all } = weighedMean(changes, between)
  let variance = 0
  let squares = 0
  let certainty = 0
  for (const { change, variance: own } of changes) {
    const share = 1 / (own + between) / all
    variance += (share * (change - mean) / (1 - share)) ** 2
    squares += share ** 2
    certainty += 1 / own
  }
  return { mean, variance: Math.max(variance * (1 - squares), 1 / certainty), degrees: Math.max(1, 1 / squares - 1) }
}

/** The variance between the groups of subjects that chance does not explain, by the method of moments of DerSimonian and Laird. */
function varianceBetween (changes: readonly Change[]): number {
  const { mean, all } = weighedMean(changes, 0)
  let heterogeneity = 0
  let squares = 0
  for (const { change, variance } of changes) {
    heterogeneity += (change - mean) ** 2 / variance
    squares += 1 / variance ** 2
  }
  return Math.max(0, (heterogeneity - (changes.length - 1)) / (all - squares / all))
}

/**
 * The mean of the changes in groups of subjects. The weight of a change is 1 divided by the sum of its own variance and the variance
 * between groups (`between`); `all` is the sum of the weights.
 */
function weighedMean (changes: readonly Change[], between: number): { mean: number, all: number } {
  let all = 0
  let sum = 0
  for (const { change, variance } of changes) {
    const weight = 1 / (variance + between)
    all += weight
    sum += weight * change
  }
  return { mean: sum / all, all }
}
