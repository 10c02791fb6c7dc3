import type { CanaryPlan } from './canary-options.js'
import type { HistoryRecord } from './canary-state.js'
import { decodeEvidence } from './evidence-document.js'
import type { ArmTotals } from './evidence.js'
import type { GateRow, StageVerdict } from './gates.js'
import type { MeasuredArm } from './minute-recorder.js'
import type { Rollout } from './rollout.js'
import { armSentence } from './sentence.js'
import type { SharedState } from './shared-state.js'
import { judgeStage, minutesToCount } from './stage-decision.js'
import type { StoreCalls } from './store-calls.js'

/** The number of history records that a view has. */
const SHOWN_RECORDS = 100

/** A rollout as one process knows it. */
export interface CanaryStatus {
  /** The percent that this process applies now, during a ramp between two stages; the hold-out is outside at 100, too. */
  readonly percent: number
  /** 0: the baseline; 1: the first stage. */
  readonly stage: number
  /** The percents of the stages. */
  readonly stages: readonly number[]
  readonly paused: boolean
  /** The kill switch was used. */
  readonly killed: boolean
  /** The last stage has met its criteria. */
  readonly completed: boolean
  readonly advance: 'auto' | 'manual'
  readonly holdOut: number
  /** Percents of single key patterns. */
  readonly patterns: Readonly<Record<string, number>>
  /** Minutes that were counted in this stage, and those to count before the next one. */
  readonly observedMinutes: number
  readonly minutesToCount: number
  /** The change that the canary would make, where it only recommends. */
  readonly recommendation?: string
  /** Why this process decides nothing, and what to do. */
  readonly problem?: string
  /** A criterion that cannot be applied. */
  readonly note?: string
  /** This process since its start, by arm. */
  readonly arms: { readonly cached: MeasuredArm | ArmTotals; readonly control: MeasuredArm | ArmTotals }
}

/** The response of `GET /internal/cache/rollout`. */
export interface CanaryView extends CanaryStatus {
  /** All processes since the beginning of the stage, by arm. */
  readonly arms: { readonly cached: ArmTotals | MeasuredArm; readonly control: ArmTotals | MeasuredArm }
  /** The difference of the arms in words. */
  readonly comparison?: string
  readonly verdict?: StageVerdict
  /** The reason of the verdict, with its numbers. */
  readonly reason?: string
  readonly gates?: readonly GateRow[]
  /** The last records, the newest first. */
  readonly history: readonly HistoryRecord[]
}

/** Returns the status of a rollout as this process knows it. */
export function statusOf (plan: CanaryPlan, shared: SharedState, rollout: Rollout, arms: CanaryStatus['arms']): CanaryStatus {
  const { state, problem } = shared
  const isOwn = state?.plan === plan.hash
  return {
    percent: rollout.percent,
    stage: state?.stage ?? 0,
    stages: plan.cohorts.stages,
    paused: state?.paused ?? false,
    killed: state?.killed ?? false,
    completed: state?.completed ?? false,
    advance: plan.advance,
    holdOut: plan.holdOut,
    patterns: rollout.patterns,
    observedMinutes: state?.observedMinutes ?? 0,
    minutesToCount: minutesToCount(plan, state !== undefined && isOwn ? state : { stage: 0, failures: {} }),
    ...state?.recommendation === undefined ? {} : { recommendation: state.recommendation },
    ...problem === undefined ? {} : { problem: problem.text },
    ...plan.holdOut === 0 && plan.stages.at(-1)!.percent === 100 ? { note: 'holdOut is 0: at 100 there is no control arm, and only absolute criteria hold' } : {},
    arms
  }
}

/** Adds to a status what all processes measured, and the history; nothing if the store cannot be reached. Never rejects. */
export async function viewOf (status: CanaryStatus, plan: CanaryPlan, { state }: SharedState, calls: StoreCalls): Promise<CanaryView> {
  try {
    const [bytes, records] = await Promise.all([
      calls.call('readEvidence', (store) => store.readEvidence()),
      calls.call('history', (store) => store.history(SHOWN_RECORDS))
    ])
    const history = records.flatMap(parseRecord)
    const document = bytes === undefined ? undefined : decodeEvidence(bytes, plan.cohorts)
    if (document === undefined || state?.plan !== plan.hash || document.since !== state.since) return { ...status, history }
    const evidence = document.comparison.evidence()
    const { cached, control } = document.comparison.measurements()
    const { kind, reason, gates } = judgeStage(plan, state, evidence)
    return {
      ...status,
      arms: { cached: evidence.cached, control: evidence.control },
      ...state.stage === 0 ? {} : { comparison: armSentence(cached, control) },
      verdict: kind,
      reason,
      gates,
      history
    }
  } catch {
    // The store is away: `problem` of the status says so once the state is too old.
    return { ...status, history: [] }
  }
}

function parseRecord (text: string): HistoryRecord[] {
  try {
    return [JSON.parse(text) as HistoryRecord]
  } catch {
    // A record that is no JSON was not written by this package.
    return []
  }
}
