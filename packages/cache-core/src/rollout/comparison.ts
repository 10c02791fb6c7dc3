import { corrupt } from '../contract/errors.js'
import { err, ok, type Result } from '../contract/result.js'
import { ByteReader, ByteWriter, Malformed } from './bytes.js'
import { ArmSums } from './arm-sums.js'
import { GROUPS_PER_COHORT, type Cohorts } from './cohorts.js'
import { ComparedWindows } from './compared-windows.js'
import type { Evidence } from './evidence.js'
import { GroupDifference } from './group-difference.js'
import { HitHistory } from './hit-history.js'
import type { Minute } from './minute-counts.js'
import { ratioLook } from './ratio-sums.js'
import { RecentWindow } from './recent-window.js'
import type { ArmMeasurement } from './sentence.js'
import { oddsOfRegression } from './slowdown.js'
import { Thresholds } from './thresholds.js'

const MAGIC = 0xc4
const VERSION = 3
/**
 * The share of slow or failed requests above which a minute weighs less, by channel: requests slower than p50, p95 and p99 of the control
 * arm, and failures.
 */
const CAPS = [0.5, 0.15, 0.03, 0.01] as const
const FAILURES = 3
/** The number of minutes whose loads and reads form one block, the observation for the variance of loads per read. */
const BLOCK_MINUTES = 5
/**
 * The probability of a false alarm, by which a stage steps back although the arms do not differ: for p50, p95 and p99 together, and for
 * each other comparison. Three stages with four such comparisons each give a rollout about 0.6 %.
 */
const ALPHA = 0.0005

/**
 * Adds the counts of minutes to the evidence of a stage. The evidence takes 20 to 50 KB and is stored, so that another process can continue
 * as the decider. The subjects that a stage adds are compared with the control arm of the stage, and this difference with that of the same
 * subjects before the stage (difference in differences). Each arm is a fixed set of subjects, which may always be slower or faster than the
 * other set: that difference does not show an effect of the cache.
 */
export class Comparison {
  readonly #cohorts: Cohorts
  #stage = 0
  #minutes = 0
  #lastMinute = 0
  #arms = { cached: new ArmSums(), control: new ArmSums() }
  /** The latency thresholds of each stage, by stage. */
  readonly #thresholds: readonly Thresholds[]
  readonly #recent: RecentWindow
  readonly #hits = new HitHistory()
  /**
   * The differences between the arms by stage, then by channel: the shares of requests above the thresholds of p50, p95 and p99, and
   * failures.
   */
  readonly #differences: readonly (readonly GroupDifference[])[]
  /** Requests above a latency threshold by channel and group, in the minute whose counts are being added. */
  readonly #above: readonly Float64Array[]

  /** Creates a comparison of the arms in the baseline, without evidence. */
  constructor (cohorts: Cohorts) {
    this.#cohorts = cohorts
    this.#recent = new RecentWindow(cohorts.groups)
    this.#differences = cohorts.stages.map((_percent, at) => CAPS.map((cap) => new GroupDifference(at + 1, cohorts.groups, cap)))
    this.#thresholds = cohorts.stages.map(() => new Thresholds())
    this.#above = CAPS.slice(0, FAILURES).map(() => new Float64Array(cohorts.groups))
  }

  /** The stage of the canary whose evidence is collected; 0 is the baseline. */
  get stage (): number { return this.#stage }

  /** The number of minutes whose counts were added in this stage. */
  get observedMinutes (): number { return this.#minutes }

  /** Begins a stage, or begins it again. The evidence from before the stage remains, that of the stage itself is dropped. */
  startStage (stage: number): void {
    this.#stage = stage
    this.#minutes = 0
    this.#arms = { cached: new ArmSums(), control: new ArmSums() }
    this.#recent.clear()
    this.#hits.clear()
    for (const channel of this.#differences[stage - 1] ?? []) channel.restart()
  }

  /**
   * Adds the counts of one minute, summed over all processes. Returns whether the minute counts. A minute with other cohorts or another
   * percent than those of the stage does not count, nor does one that is not later than the last minute.
   * @param minute minutes since the epoch by the store's clock; minutes may be missing
   */
  fold (minute: number, counts: Minute): boolean {
    if (counts.layout !== this.#cohorts.layout || counts.limit !== this.#cohorts.limitOf(this.#stage)) return false
    if (!(minute > this.#lastMinute)) return false
    this.#lastMinute = minute
    const { cached, control } = this.#arms
    for (const sums of [cached, control, ...this.#differences[this.#stage - 1] ?? []]) sums.roll(this.#minutes)
    this.#minutes++
    const firstControl = this.#stage * GROUPS_PER_COHORT
    for (let group = 0; group < this.#cohorts.groups; group++) {
      const arm = group < firstControl ? cached : control
      arm.addGroup(counts.requests[group]!, counts.failures[group]!)
      counts.addDurations(group, arm.sketches[group % GROUPS_PER_COHORT]!)
    }
    const endsBlock = this.#minutes % BLOCK_MINUTES === 0
    cached.addCounts(counts.cached, endsBlock)
    control.addCounts(counts.control, endsBlock)
    this.#recent.add(counts)
    this.#hits.add(minute, counts.cached.hits, counts.cached.reads)
    this.#foldDifferences(counts)
    return true
  }

  #foldDifferences (counts: Minute): void {
    // The stages below the current one have ended, so the minute is not added to the differences between their arms.
    for (let stage = Math.max(1, this.#stage); stage <= this.#differences.length; stage++) {
      if (!this.#cohorts.hasControl(stage)) continue
      const period = stage === this.#stage ? 'now' : 'before'
      const thresholds = this.#thresholds[stage - 1]!
      const buckets = this.#bucketsOf(stage)
      if (buckets !== undefined) this.#countAbove(counts, buckets, (stage - 1) * GROUPS_PER_COHORT)
      for (const [channel, difference] of this.#differences[stage - 1]!.entries()) {
        const counted = channel === FAILURES ? counts.failures : buckets === undefined ? undefined : this.#above[channel]
        if (counted !== undefined) difference.fold(period, counts.requests, counted)
      }
      // The minute is added to the latency thresholds last, since it must be compared with thresholds from before it.
      thresholds.add(counts, stage * GROUPS_PER_COHORT)
    }
  }

  /**
   * The latency thresholds of a stage. Until its control arm has had enough requests, they are the thresholds of the nearest earlier stage
   * that has some: the control arm of that stage is larger, and includes the subjects of this one. Comparisons therefore need not wait
   * until a small hold-out has had enough requests.
   */
  #bucketsOf (stage: number): readonly number[] | undefined {
    return this.#thresholds.slice(0, stage).findLast(({ buckets }) => buckets !== undefined)?.buckets
  }

  #countAbove (counts: Minute, buckets: readonly number[], first: number): void {
    for (const [channel, above] of this.#above.entries()) {
      const bucket = buckets[channel]!
      for (let group = first; group < above.length; group++) above[group] = counts.above(group, bucket)
    }
  }

  evidence (): Evidence {
    const stage = this.#stage
    const firstControl = stage * GROUPS_PER_COHORT
    const { cached, control } = this.#arms
    const hasControl = this.#cohorts.hasControl(stage)
    const compared = new ComparedWindows(this.#differences[stage - 1] ?? [], cached, control, this.#minutes)
    const durations = control.durations()
    return {
      stage,
      percent: stage === 0 ? 0 : this.#cohorts.stages[stage - 1]!,
      observedMinutes: this.#minutes,
      hasControl,
      cached: cached.totals(),
      control: control.totals(),
      ...compared.stage(ALPHA),
      missing: hasControl ? this.#differences[stage - 1]?.[0]?.missing() : undefined,
      regression: durations.total === 0
        ? undefined
        : { p50: oddsOfRegression(durations, 0.5), p95: oddsOfRegression(durations, 0.95), p99: oddsOfRegression(durations, 0.99) },
      windows: compared.windows(),
      recent: {
        minutes: this.#recent.minutes,
        cached: this.#recent.counts(0, firstControl),
        control: this.#recent.counts(firstControl, this.#cohorts.groups),
        loads: ratioLook(this.#recent.loads('cached'), this.#recent.loads('control')),
        hitRates: this.#hits.recentRates()
      },
      hitRates: this.#hits.rates(ALPHA)
    }
  }

  /** Returns the measurements of both arms in this stage, from which `armSentence` makes the sentence that compares the arms. */
  measurements (): { cached: ArmMeasurement, control: ArmMeasurement } {
    return { cached: this.#arms.cached.measurement(), control: this.#arms.control.measurement() }
  }

  /** Returns the evidence of all stages as bytes, with a format version and a checksum. */
  encode (): Uint8Array {
    const writer = new ByteWriter()
    writer.byte(MAGIC)
    writer.byte(VERSION)
    writer.integer(this.#cohorts.layout)
    for (const value of [this.#stage, this.#minutes, this.#lastMinute]) writer.integer(value)
    this.#arms.cached.write(writer)
    this.#arms.control.write(writer)
    for (const thresholds of this.#thresholds) thresholds.write(writer)
    this.#recent.write(writer)
    this.#hits.write(writer)
    for (const channels of this.#differences) for (const channel of channels) channel.write(writer)
    return writer.end()
  }

  /**
   * Reads the bytes that `encode` returned. Damaged bytes, and bytes of another format version or of other cohorts, give the error
   * `CACHE_ERR_CORRUPT`.
   */
  static decode (bytes: Uint8Array, cohorts: Cohorts): Result<Comparison> {
    try {
      const reader = new ByteReader(bytes)
      if (reader.byte() !== MAGIC) throw new Malformed('bytes that are no comparison')
      if (reader.byte() !== VERSION) throw new Malformed('a comparison in another version of the format')
      if (reader.integer() !== cohorts.layout) throw new Malformed('a comparison of other stages')
      const comparison = new Comparison(cohorts)
      comparison.#stage = reader.integer(cohorts.stages.length)
      comparison.#minutes = reader.integer()
      comparison.#lastMinute = reader.integer()
      comparison.#arms = { cached: ArmSums.read(reader), control: ArmSums.read(reader) }
      for (const thresholds of comparison.#thresholds) thresholds.read(reader)
      comparison.#recent.read(reader)
      comparison.#hits.read(reader)
      for (const channels of comparison.#differences) for (const channel of channels) channel.read(reader)
      reader.end()
      return ok(comparison)
    } catch (error) {
      if (!(error instanceof Malformed)) throw error
      return err(corrupt('rollout evidence', error.message))
    }
  }
}
