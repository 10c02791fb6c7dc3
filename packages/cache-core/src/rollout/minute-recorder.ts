import type { Cohorts } from './cohorts.js'
import { LatencySketch } from './latency-sketch.js'
import { MinuteCounts, type ArmCounts } from './minute-counts.js'
import type { Rollout } from './rollout.js'

/** Counts of the cache's calls in this process since its start, by arm. */
export interface ProcessCounts { readonly cached: ArmCounts; readonly control: ArmCounts }

/**
 * The measurements of requests in one arm in one process since its start. Percentiles are in milliseconds, and absent if there were no
 * requests.
 */
export interface MeasuredArm {
  readonly requests: number
  readonly failures: number
  readonly p50?: number
  readonly p95?: number
  readonly p99?: number
}

interface ArmSums { requests: number; failures: number; readonly sketch: LatencySketch }

const NAMES = ['reads', 'hits', 'loads', 'cacheErrors', 'operations'] as const

/** Counts the requests of one process, by minute and by group of subjects. */
export class MinuteRecorder {
  readonly #cohorts: Cohorts
  readonly #rollout: Rollout
  readonly #totals: () => ProcessCounts
  readonly #arms: Record<'cached' | 'control', ArmSums> = {
    cached: { requests: 0, failures: 0, sketch: new LatencySketch() },
    control: { requests: 0, failures: 0, sketch: new LatencySketch() }
  }

  #counts: MinuteCounts
  #minute = NaN
  #patterns: Rollout['patterns']
  #before: ProcessCounts

  constructor (cohorts: Cohorts, rollout: Rollout, totals: () => ProcessCounts) {
    this.#cohorts = cohorts
    this.#rollout = rollout
    this.#totals = totals
    this.#patterns = rollout.patterns
    this.#before = totals()
    this.#counts = new MinuteCounts(cohorts, rollout.limit)
  }

  /** Counts one request of a subject's bucket: its duration in milliseconds, and whether its status was 500 or more. */
  addRequest (bucket: number, milliseconds: number, failed: boolean): void {
    this.#counts.addRequest(this.#cohorts.groupOf(bucket), milliseconds, failed)
  }

  /**
   * Excludes the current minute from comparisons of the arms if the percent has changed since the minute began, since both arms are then
   * mixed in it.
   */
  notePercent (): void {
    if (this.#counts.limit !== this.#rollout.limit || this.#patterns !== this.#rollout.patterns) this.markMixed()
  }

  /** Excludes the current minute from comparisons of the arms. */
  markMixed (): void {
    this.#counts.limit = undefined
    this.#patterns = this.#rollout.patterns
  }

  /** Ends the current minute of counting if `minute` is the number of another one; returns the counts of the ended minute. */
  roll (minute: number): { minute: number; counts: MinuteCounts } | undefined {
    if (minute === this.#minute) return undefined
    const ended = { minute: this.#minute, counts: this.#counts }
    this.#minute = minute
    if (Number.isNaN(ended.minute)) return undefined
    const now = this.#totals()
    for (const arm of ['cached', 'control'] as const) {
      for (const name of NAMES) ended.counts[arm][name] = Math.max(0, now[arm][name] - this.#before[arm][name])
    }
    this.#before = now
    this.#counts = new MinuteCounts(this.#cohorts, this.#rollout.limit)
    this.#patterns = this.#rollout.patterns
    this.#addToArms(ended.counts)
    return ended
  }

  /**
   * Returns the measurements of both arms in this process since its start, without the current minute and without minutes in which the
   * percent changed.
   */
  arms (): { cached: MeasuredArm; control: MeasuredArm } {
    return { cached: shownArm(this.#arms.cached), control: shownArm(this.#arms.control) }
  }

  #addToArms (counts: MinuteCounts): void {
    const { limit } = counts
    const stage = this.#cohorts.stages.findIndex((_percent, at) => this.#cohorts.limitOf(at + 1) === limit) + 1
    // A percent that is none of the stages does not show which groups of subjects were cached, so the minute is left out.
    if (limit !== this.#cohorts.limitOf(stage)) return
    for (let group = 0; group < this.#cohorts.groups; group++) {
      if (counts.requests[group] === 0) continue
      const arm = this.#arms[this.#cohorts.isCached(group, stage) ? 'cached' : 'control']
      arm.requests += counts.requests[group]!
      arm.failures += counts.failures[group]!
      counts.addDurations(group, arm.sketch)
    }
  }
}

function shownArm ({ requests, failures, sketch }: ArmSums): MeasuredArm {
  if (requests === 0) return { requests, failures }
  const quantile = (share: number): number => Number(sketch.quantile(share)!.toPrecision(3))
  return { requests, failures, p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) }
}
