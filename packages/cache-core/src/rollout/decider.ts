import type { CanaryPlan } from './canary-options.js'
import { adopt, initialState, type Transition } from './canary-state.js'
import type { Cohorts } from './cohorts.js'
import { Comparison } from './comparison.js'
import { decodeEvidence, encodeEvidence, type EvidenceDocument } from './evidence-document.js'
import type { Evidence } from './evidence.js'
import type { StageVerdict } from './gates.js'
import { MinuteCounts } from './minute-counts.js'
import { REPORT_MINUTES } from './rollout-store.js'
import type { SharedState } from './shared-state.js'
import { decideStage, judgeStage } from './stage-decision.js'
import type { StoreCalls } from './store-calls.js'

/** Milliseconds after which the decider's lease ends unless it is extended. */
export const LEASE_MS = 15_000
/** Minutes without a decision by processes with other options (another plan), after which this process continues their rollout. */
const ADOPT_MINUTES = 2
/** Milliseconds for which an empty rollout store is left empty, so that a process that knows the lost state can write it again. */
const EMPTY_MS = 15_000
/** The maximum number of milliseconds for which the decider waits for the counts of other processes after the end of a minute. */
const REPORT_WAIT_MS = 5000
const MINUTES_PER_DAY = 1440
/** The number of attempts at a decision on the stage while other processes replace the state document in between. */
const ATTEMPTS = 5

/** The functions and objects of the process that a decider uses. */
export interface DeciderHost {
  readonly plan: CanaryPlan
  readonly processId: string
  readonly shared: SharedState
  readonly calls: () => StoreCalls
  /** Loads the warm items; never rejects. */
  readonly warm: () => Promise<void>
  /** Called after a decision on the stage has been written to the rollout store. */
  readonly decided: (transition: Transition) => void
}

/** Sums up the counts of all processes by minute and decides on the canary's stage, while this process holds the lease. */
export class Decider {
  readonly #host: DeciderHost
  #document: EvidenceDocument | undefined
  /** The last verdict on the stage; `undefined`: another process decides on the stage, or no verdict was reached yet. */
  lastVerdict: StageVerdict | undefined
  #isLeading = false

  constructor (host: DeciderHost) {
    this.#host = host
  }

  get isLeading (): boolean { return this.#isLeading }

  /** Returns the evidence by which this process decides on the stage; `undefined`: another process decides, or no minute was added yet. */
  get evidence (): Evidence | undefined {
    return this.#document?.comparison.evidence()
  }

  /**
   * Acquires or extends the decider's lease, if this process is able to decide on the stage; rejects if the rollout store cannot be
   * reached.
   */
  async lead (): Promise<void> {
    const { calls, processId } = this.#host
    if (!this.#mayLead()) return this.#stop()
    const isLeading = await calls().call('lead', (store) => store.lead(processId, LEASE_MS))
    if (!isLeading) return this.#stop()
    this.#isLeading = true
  }

  /** Releases the decider's lease. Rejects if the rollout store cannot be reached; the lease then ends by itself. */
  async resign (): Promise<void> {
    if (!this.#isLeading) return
    this.#stop()
    await this.#host.calls().call('resign', (store) => store.resign(this.#host.processId))
  }

  /** Makes this process no longer the decider, and forgets its evidence: it lost or released the lease, or may no longer extend it. */
  #stop (): void {
    this.#isLeading = false
    this.#document = this.lastVerdict = undefined
  }

  /**
   * Adds to the evidence the minutes that have ended since the last call, and decides once on the stage if there are any. Rejects if the
   * rollout store cannot be reached.
   */
  async look (): Promise<void> {
    const { shared, plan } = this.#host
    const now = shared.now()
    // A newer version of the package may have written a state document that this version cannot read, so only an operator replaces it.
    if (!this.#isLeading || now === undefined || shared.unreadable !== undefined) return
    if (shared.state === undefined) {
      if (this.#mayBegin()) await this.#write(initialState(plan.hash, now, 1))
      return
    }
    if (shared.state.plan !== plan.hash) {
      if (!this.#mayLead()) return this.#stop()
      await this.#write(adopt(shared.state, plan.hash, plan.stages.map(({ percent }) => percent), now))
      return
    }
    if (await this.#fold(now)) await this.#decide()
  }

  /** Whether this process may decide on the stage: it can read the state, and no process with other options (another plan) is deciding. */
  #mayLead (): boolean {
    const { shared, plan } = this.#host
    if (shared.now() === undefined) return false
    if (shared.problem === undefined) return true
    if (shared.problem.kind !== 'other-plan' || !shared.mayAdopt || shared.state!.ramp !== undefined) return false
    // The local clock is used, not `decidedAt`: after a jump of the rollout store's clock, a working decider would seem to have stopped.
    return shared.unchangedForMs() > ADOPT_MINUTES * plan.minuteMs
  }

  /** Whether an empty rollout store counts as new: every process that knows a state has had enough time to write it again. */
  #mayBegin (): boolean {
    const { shared, plan } = this.#host
    return shared.unreadable === undefined && shared.emptyForMs() >= Math.min(EMPTY_MS, plan.minuteMs / 4)
  }

  /** Writes a transition of the canary that does not follow from evidence, such as the first state of a rollout. */
  async #write (next: Transition | Transition['state']): Promise<void> {
    const transition = 'state' in next ? next : { state: next }
    if (await this.#host.shared.replace(transition)) this.#host.decided(transition)
    else await this.#host.shared.refresh()
  }

  /** Adds to the evidence the counts of the minutes that have ended since the last call; returns whether there were any. */
  async #fold (now: number): Promise<boolean> {
    const { shared, plan } = this.#host
    const { since, stage } = shared.state!
    const document = this.#document ??= await this.#read()
    let { comparison, lastMinute, shift } = document
    if (document.since !== since || comparison.stage !== stage) comparison.startStage(stage)
    const current = Math.floor((now - Math.min(REPORT_WAIT_MS, plan.minuteMs / 4)) / plan.minuteMs)
    // If the rollout store's clock was set back, the numbers of new minutes are shifted behind those of the minutes already added.
    if (lastMinute > current + 1) {
      shift += Math.ceil((lastMinute - current) / MINUTES_PER_DAY) * MINUTES_PER_DAY
      lastMinute = current - 1
    }
    const first = Number.isNaN(lastMinute) ? current - 1 : Math.max(lastMinute + 1, current - REPORT_MINUTES)
    for (let minute = first; minute < current; minute++) {
      const counts = await this.#countsOf(minute, plan.cohorts)
      if (counts !== undefined) comparison.fold(minute + shift, counts)
      lastMinute = minute
    }
    this.#document = { comparison, since, lastMinute, shift }
    return lastMinute !== document.lastMinute
  }

  /**
   * Returns the counts of one minute, summed over all processes; `undefined`: no process reported this minute with the percent of the
   * stage.
   */
  async #countsOf (minute: number, cohorts: Cohorts): Promise<MinuteCounts | undefined> {
    const reports = await this.#host.calls().call('reports', (store) => store.reports(minute))
    const limit = cohorts.limitOf(this.#host.shared.state!.stage)
    let sum: MinuteCounts | undefined
    for (const report of reports) {
      const counts = MinuteCounts.decode(report, cohorts)
      // The counts of a process with other stages, or whose percent changed within the minute, are left out.
      if (!counts.ok || counts.value.limit !== limit) continue
      if (sum === undefined) sum = counts.value
      else sum.merge(counts.value)
    }
    return sum
  }

  async #read (): Promise<EvidenceDocument> {
    const { calls, plan: { cohorts } } = this.#host
    const bytes = await calls().call('readEvidence', (store) => store.readEvidence())
    const stored = bytes === undefined ? undefined : decodeEvidence(bytes, cohorts)
    return stored ?? { comparison: new Comparison(cohorts), since: NaN, lastMinute: NaN, shift: 0 }
  }

  /**
   * Stores the evidence of the stage, and the decision that follows from it. If another process replaces the state first, the decision is
   * made again for the new state.
   */
  async #decide (): Promise<void> {
    const { shared, plan, calls, processId, warm, decided } = this.#host
    const document = this.#document!
    const isStored = await calls().call('writeEvidence', (store) => store.writeEvidence(processId, encodeEvidence(document)))
    if (!isStored) return this.#stop()
    const evidence = document.comparison.evidence()
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { state } = shared
      // Another process has changed the stage while this one stored the evidence, so the evidence belongs to a stage that has ended.
      if (state === undefined || shared.unreadable !== undefined || state.since !== document.since || state.plan !== plan.hash) return
      const verdict = judgeStage(plan, state, evidence)
      this.lastVerdict = verdict.kind
      const { isRaise, transition } = decideStage(plan, state, verdict, evidence, shared.now()!)
      let written = transition
      if (isRaise) {
        await warm()
        if (shared.state !== state || shared.unreadable !== undefined) continue
        // The decision on the stage is computed again after the warm items were loaded, so that the ramp begins at the present time.
        written = decideStage(plan, state, verdict, evidence, shared.now()!).transition
      }
      if (await shared.replace(written)) return decided(written)
      await shared.refresh()
    }
  }
}
