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

/** The maximum number of history records in the response of `GET /internal/cache/rollout`. */
const SHOWN_RECORDS = 100

/** The status of a rollout as one process knows it, without the counts of other processes. */
export interface CanaryStatus {
  /**
   * The percent of subjects that this process caches now; during a ramp it lies between two stages. At 100 percent the hold-out is still
   * not cached.
   */
  readonly percent: number
  /** The number of the canary's current stage. 0: the baseline; 1: the first stage. */
  readonly stage: number
  /** The percents of cached subjects in the stages of the canary. */
  readonly stages: readonly number[]
  readonly paused: boolean
  /** Whether an operator has used the kill switch, so that no process caches. */
  readonly killed: boolean
  /** Whether the last stage of the canary has met its criteria. */
  readonly completed: boolean
  readonly advance: 'auto' | 'manual'
  readonly holdOut: number
  /** The percents of key patterns that an operator has limited, by key pattern. */
  readonly patterns: Readonly<Record<string, number>>
  /** The minutes that were counted in the current stage, and the minutes to count before the next stage may begin. */
  readonly observedMinutes: number
  readonly minutesToCount: number
  /** The last verdict on the stage; present only in the process that decides for all processes. */
  readonly lastVerdict?: StageVerdict
  /** The change that the canary recommends to the operator, with `advance: 'manual'`. */
  readonly recommendation?: string
  /** The reason why this process does not take part in decisions on the stage, and what the operator can do about it. */
  readonly problem?: string
  /** A notice that no minute counts, or that a criterion of the stage cannot be applied, such as a comparison without a control arm. */
  readonly note?: string
  /** The counts of requests in this process since its start, by arm. */
  readonly arms: { readonly cached: MeasuredArm | ArmTotals; readonly control: MeasuredArm | ArmTotals }
}

/** The response of `GET /internal/cache/rollout`. */
export interface CanaryView extends CanaryStatus {
  /** The counts of requests of all processes since the beginning of the stage, by arm. */
  readonly arms: { readonly cached: ArmTotals | MeasuredArm; readonly control: ArmTotals | MeasuredArm }
  /** The difference between the cached arm and the control arm in latency, errors and loads, as a sentence. */
  readonly comparison?: string
  readonly verdict?: StageVerdict
  /** The reason for the verdict on the current stage: one sentence with the numbers. */
  readonly reason?: string
  readonly gates?: readonly GateRow[]
  /** The last changes of the rollout, the newest first. */
  readonly history: readonly HistoryRecord[]
}

/** The parts of a process that the status of its canary shows. */
interface ShownHost { readonly rollout: Rollout; readonly isServing: () => boolean }

/** Returns the status of a rollout as this process knows it. */
export function statusOf (plan: CanaryPlan, shared: SharedState, { rollout, isServing }: ShownHost, arms: CanaryStatus['arms']): CanaryStatus {
  const { state, problem } = shared
  const isOwn = state?.plan === plan.hash
  const notes = [
    ...isServing() ? [] : ['no minute counts, since no cache in service in this process stores values'],
    ...plan.holdOut === 0 && plan.stages.at(-1)!.percent === 100 ? ['holdOut is 0: at 100 there is no control arm, and only absolute criteria hold'] : []
  ]
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
    ...notes.length === 0 ? {} : { note: notes.join('; ') },
    arms
  }
}

/**
 * Adds the history of the rollout and the counts of all processes to a status; returns the status alone if the rollout store cannot be
 * reached. Never rejects.
 */
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
    // A rollout store that cannot be reached is no error here: the property `problem` of the status reports it when the state is older than
    // five seconds.
    return { ...status, history: [] }
  }
}

function parseRecord (text: string): HistoryRecord[] {
  try {
    return [JSON.parse(text) as HistoryRecord]
  } catch {
    // Only foreign software can have written a history record that is not JSON, so the record is left out.
    return []
  }
}
