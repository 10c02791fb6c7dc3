import type { ArmSums } from './arm-sums.js'
import type { Difference, Evidence, WindowEvidence } from './evidence.js'
import type { ChangeEstimate, GroupDifference } from './group-difference.js'
import { ratioDifference, ratioLook, type RatioSums } from './ratio-sums.js'
import { differenceOf, differenceOfLook } from './sequential-test.js'
import { minutesOfWindow, WINDOW_MINUTES } from './windows.js'

/**
 * The change of latency that is tolerated in a window of the stage, as the logarithm of an odds ratio, by the window's length in minutes.
 * In a short window only some of the subjects send requests, and a burst changes the difference that both arms always have. The shortest
 * window is for sudden, large changes.
 */
const TOLERANCES: Readonly<Record<typeof WINDOW_MINUTES[number], number>> = { 20: 0.3, 120: 0.1, 1440: 0 }
/**
 * The minimum degrees of freedom of a variance in a window of the stage. The variance is at least that of independent requests, so it is
 * less likely to be too small by chance than one that is estimated from few groups alone.
 */
const MIN_DEGREES = 20
/**
 * The minimum weight of a comparison of latency, about the number of slow requests in each arm: from it on the logarithm of an odds ratio
 * is nearly normally distributed.
 */
const MIN_WEIGHT = 25

interface Ratios { readonly cached: RatioSums, readonly control: RatioSums }

/** The comparisons of the cached arm with the control arm, over the whole stage and over each of its windows. */
export class ComparedWindows {
  /**
   * Changes of the difference between the arms by channel (p50, p95, p99, failures, failures of the stage alone), then by window; the last
   * window is the whole stage.
   */
  readonly #changes: (readonly (ChangeEstimate | undefined)[])[]
  readonly #loads: readonly Ratios[]
  readonly #failed: readonly Ratios[]
  readonly #minutes: number

  /**
   * Creates the comparisons of the arms.
   * @param channels the channels of the stage; none in the baseline
   * @param minutes the number of minutes in the stage
   */
  constructor (channels: readonly GroupDifference[], cached: ArmSums, control: ArmSums, minutes: number) {
    this.#changes = channels.map((channel) => channel.estimates())
    if (channels.length > 0) this.#changes.push(channels.at(-1)!.ownEstimates())
    this.#loads = pairs(cached.loads.sums(), control.loads.sums())
    this.#failed = pairs(cached.failed.sums(), control.failed.sums())
    this.#minutes = minutes
  }

  /**
   * Returns the differences between the arms over the whole stage.
   * @param alpha the probability of a false alarm for each comparison; those of the three quantiles have this probability together
   */
  stage (alpha: number): Pick<Evidence, 'latency' | 'failures' | 'ownFailures' | 'loads'> {
    const change = (channel: number, budget: number): Difference | undefined => {
      const estimate = this.#changes[channel]?.at(-1)
      return estimate && differenceOf(estimate, budget)
    }
    const { cached, control } = this.#loads.at(-1)!
    const loads = ratioDifference(cached, control)
    return {
      latency: { p50: change(0, alpha / 3), p95: change(1, alpha / 3), p99: change(2, alpha / 3) },
      failures: change(3, alpha),
      ownFailures: change(4, alpha),
      loads: loads && differenceOf(loads, alpha)
    }
  }

  windows (): WindowEvidence[] {
    return WINDOW_MINUTES.map((length, at) => {
      const change = (channel: number, minWeight: number): Difference | undefined => {
        const estimate = this.#changes[channel]?.[at]
        if (estimate === undefined || estimate.weight < minWeight) return undefined
        return differenceOfLook({ ...estimate, degrees: Math.max(MIN_DEGREES, estimate.degrees) })
      }
      const loads = this.#loads[at]!
      const { cached, control } = this.#failed[at]!
      return {
        minutes: minutesOfWindow(length, this.#minutes),
        tolerance: TOLERANCES[length],
        cached: { requests: cached.reads, failures: cached.count },
        control: { requests: control.reads, failures: control.count },
        latency: { p50: change(0, MIN_WEIGHT), p95: change(1, MIN_WEIGHT), p99: change(2, MIN_WEIGHT) },
        // The comparison of failures has no minimum weight: few failures are judged by their exact counts as well.
        failures: change(3, 0),
        ownFailures: change(4, 0),
        loads: ratioLook(loads.cached, loads.control)
      }
    })
  }
}

function pairs (cached: readonly RatioSums[], control: readonly RatioSums[]): Ratios[] {
  return cached.map((sums, at) => ({ cached: sums, control: control[at]! }))
}
