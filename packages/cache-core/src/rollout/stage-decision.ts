import type { CanaryPlan } from './canary-options.js'
import { amend, complete, looked, moveTo, requiredMinutes, stepBack, type CanaryState, type Cause, type Transition } from './canary-state.js'
import { baselineCriteria } from './criteria.js'
import type { Evidence } from './evidence.js'
import { judge, type Verdict } from './gates.js'

/** Returns the percent of cached subjects in a stage; 0 for the baseline. */
export function percentOf (plan: CanaryPlan, stage: number): number {
  return stage === 0 ? 0 : plan.stages[stage - 1]!.percent
}

/** Returns the minutes that must be counted in the current stage before the next one may begin. */
export function minutesToCount (plan: CanaryPlan, { stage, failures }: Pick<CanaryState, 'stage' | 'failures'>): number {
  const holdHours = stage === 0 ? plan.baselineHours : plan.stages[stage - 1]!.criteria.holdHours
  return Math.ceil(requiredMinutes(60 * holdHours, failures, stage))
}

/** Judges the current stage by its evidence. The baseline is judged by its length alone, since no request is cached in it. */
export function judgeStage (plan: CanaryPlan, state: Pick<CanaryState, 'stage' | 'failures'>, evidence: Evidence): Verdict {
  const holdHours = minutesToCount(plan, state) / 60
  return judge(evidence, state.stage === 0 ? baselineCriteria(holdHours) : { ...plan.stages[state.stage - 1]!.criteria, holdHours })
}

/**
 * A decision of the canary: the transition to another state, and whether it raises the percent, so that the warm items must be loaded
 * first.
 */
export interface StageDecision { readonly transition: Transition; readonly isRaise: boolean }

/** Decides on the current stage of the canary. A pure function: the same verdict at the same time gives the same transition. */
export function decideStage (plan: CanaryPlan, state: CanaryState, verdict: Verdict, evidence: Evidence, now: number): StageDecision {
  const { observedMinutes } = evidence
  const seen: CanaryState = { ...state, observedMinutes }
  const isLast = state.stage >= plan.stages.length
  const cause: Cause = { now, by: 'canary', reason: verdict.reason, numbers: { gates: verdict.gates, cached: evidence.cached, control: evidence.control } }
  const isDue = verdict.kind === 'back' ? state.stage > 0 : verdict.kind === 'go' && !state.paused
  if (!isDue || state.killed) return { transition: unchanged(seen, now), isRaise: false }
  if (verdict.kind === 'go' && isLast) return { transition: complete(seen, cause), isRaise: false }
  const next = verdict.kind === 'back' ? state.stage - 1 : state.stage + 1
  const percent = percentOf(plan, next)
  if (plan.advance === 'manual') return { transition: recommend(seen, `would go ${next < state.stage ? 'back ' : ''}to ${percent}`, cause), isRaise: false }
  if (verdict.kind === 'back') return { transition: stepBack(seen, (stage) => percentOf(plan, stage), cause), isRaise: false }
  return { transition: moveTo(seen, { stage: next, percent, rampMs: plan.rampMs }, cause), isRaise: true }
}

/** Records a recommendation of the canary to the operator; a repeated recommendation of the same change adds no history record. */
function recommend (state: CanaryState, change: string, cause: Cause): Transition {
  if (state.recommendation?.startsWith(`${change}:`) === true) return looked(state, cause.now, state.observedMinutes)
  const recommendation = `${change}: ${cause.reason}`
  return amend(state, { recommendation }, { ...cause, reason: recommendation })
}

/**
 * Returns the transition that leaves the percent of cached subjects as it is; an earlier recommendation ends, since the verdict no longer
 * supports it.
 */
function unchanged (state: CanaryState, now: number): Transition {
  const { recommendation: _ended, ...rest } = state
  return looked(rest, now, state.observedMinutes)
}
