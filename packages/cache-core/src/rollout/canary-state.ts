import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { MAX_REVISION, revisionOf } from './rollout-store.js'

/** The format number of the state document of a rollout that this version of the package writes. */
export const FORMAT = 1
/** The minutes up to which earlier failures of a stage can extend the time before its next attempt; a longer hold time is not shortened. */
const MAX_WAIT_MINUTES = 7 * 24 * 60
/** The maximum number of key patterns for which an operator may limit the percent. */
export const MAX_PATTERNS = 100

const percent = () => Type.Number({ minimum: 0, maximum: 100 })
const count = () => Type.Integer({ minimum: 0 })

const stateSchema = Type.Object({
  format: Type.Literal(FORMAT),
  /** The number of replacements of the state document so far; shows whether another process has replaced it. */
  revision: Type.Integer({ minimum: 0, maximum: MAX_REVISION }),
  /** The hash of the canary's options in the process that last wrote the state document. */
  plan: Type.String(),
  /** The number of the canary's stage. 0: the baseline; 1: the first stage. */
  stage: count(),
  /** The percent of cached subjects in the stage; during a ramp the percent that the ramp ends at. */
  percent: percent(),
  /**
   * The time from which on the evidence of the stage counts, in milliseconds since 1970 by the rollout store's clock: the last change of
   * the percent, or a later new start of the evidence.
   */
  since: Type.Number(),
  /** Present while the percent is raised gradually: from `from` percent at the time `since`, over `ms` milliseconds. */
  ramp: Type.Optional(Type.Object({ from: percent(), ms: Type.Number({ minimum: 0 }) })),
  /** The number of minutes of this stage whose counts are part of its evidence. */
  observedMinutes: count(),
  /** Whether an operator has paused the canary: it does not raise the percent, but it still steps back. */
  paused: Type.Boolean(),
  /** Whether an operator used the kill switch: no request is cached, and the canary decides nothing before the action `resume` or `to`. */
  killed: Type.Boolean(),
  /** Whether the last stage of the canary has met its criteria. */
  completed: Type.Boolean(),
  /** The percents of key patterns that an operator has limited, by key pattern. */
  patterns: Type.Record(Type.String(), percent()),
  /** How often each stage has failed, so that the rollout stepped back to the stage below; by number of the stage. */
  failures: Type.Record(Type.String(), count()),
  /** The change that the canary recommends to the operator, with `advance: 'manual'`; absent: it recommends none. */
  recommendation: Type.Optional(Type.String()),
  /** The time at which the canary last evaluated the stage, in milliseconds since 1970 by the rollout store's clock. */
  decidedAt: Type.Number()
})

/** The state of a canary that the processes of one app share. */
export type CanaryState = Readonly<Static<typeof stateSchema>>

/** One change of the rollout, described for an operator; the history of the rollout has the last changes. */
export interface HistoryRecord {
  /** The time of the change in ISO 8601, by the clock of the rollout store. */
  readonly at: string
  /** The percents of cached subjects before and after the change; equal if another setting was changed. */
  readonly from: number
  readonly to: number
  readonly reason: string
  /** The author of the change. `canary`: it follows from the criteria of the stage; `operator`: the endpoint or the command caused it. */
  readonly by: 'canary' | 'operator'
  readonly stage: number
  /** The key pattern whose percent was changed. */
  readonly pattern?: string
  /** The measurements and criteria on which the canary based the change. */
  readonly numbers?: unknown
}

/** A new state of the canary, and the history record of the change; without a record if an operator need not see the change. */
export interface Transition { readonly state: CanaryState; readonly record?: HistoryRecord }

/**
 * The result of parsing a state document. `older`, `newer`: the document has the format of an older or newer version of the package;
 * `corrupt`: it is no state document.
 */
export type ParsedState = { readonly kind: 'state'; readonly state: CanaryState } |
  { readonly kind: 'older' | 'newer' | 'corrupt'; readonly problem: string; readonly revision: number }

/** Parses a state document of a rollout; never throws. */
export function parseState (text: string): ParsedState {
  const revision = revisionOf(text)
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    // A corrupt document is no failure of the read, since an operator's action may replace the document.
    return { kind: 'corrupt', revision, problem: 'the stored state is no JSON' }
  }
  if (Value.Check(stateSchema, document)) return { kind: 'state', state: document }
  const format = (document as { format?: unknown } | null)?.format
  if (typeof format === 'number' && format > FORMAT) return { kind: 'newer', revision, problem: `the stored state has the format ${format} of a newer version; this version reads ${FORMAT}` }
  if (typeof format === 'number' && format < FORMAT) return { kind: 'older', revision, problem: `the stored state has the format ${format} of an older version; this version reads ${FORMAT}` }
  return { kind: 'corrupt', revision, problem: 'the stored state lacks members, or has wrong ones' }
}

/** Returns the state at the start of a rollout: the baseline. */
export function initialState (plan: string, now: number, revision = 1): CanaryState {
  return {
    format: FORMAT,
    revision,
    plan,
    stage: 0,
    percent: 0,
    since: now,
    observedMinutes: 0,
    paused: false,
    killed: false,
    completed: false,
    patterns: {},
    failures: {},
    decidedAt: now
  }
}

/**
 * Returns the percent of cached subjects in a state: during a ramp it lies between the percents before and after the ramp.
 * @param rampedMs the milliseconds since the ramp began
 */
export function effectivePercent ({ percent, ramp }: Pick<CanaryState, 'percent' | 'ramp'>, rampedMs: number): number {
  if (ramp === undefined || ramp.ms <= 0) return percent
  const share = Math.min(Math.max(rampedMs / ramp.ms, 0), 1)
  // The percent is rounded to two decimals, so that it is a whole number of buckets.
  return Math.round(100 * (ramp.from + (percent - ramp.from) * share)) / 100
}

/**
 * Returns the minutes that must be counted in a stage before the next one may begin. Each earlier failure of the next stage doubles them,
 * to seven days at most.
 */
export function requiredMinutes (holdMinutes: number, failures: CanaryState['failures'], stage: number): number {
  const doubled = holdMinutes * 2 ** Math.min(failures[stage + 1] ?? 0, 30)
  return Math.min(doubled, Math.max(holdMinutes, MAX_WAIT_MINUTES))
}

/**
 * The reason for a change of the rollout, and the author of the change. `from`: the percent of cached subjects before the change, which
 * during a ramp is not that of the state; absent: it is that of the state.
 */
export interface Cause {
  readonly now: number
  readonly by: HistoryRecord['by']
  readonly reason: string
  readonly numbers?: unknown
  readonly from?: number
}

/** Returns the transition of the canary to a stage and its percent; a higher percent is reached by a ramp of `rampMs` milliseconds. */
export function moveTo (
  state: CanaryState, { stage, percent, rampMs }: { stage: number; percent: number; rampMs: number }, cause: Cause
): Transition {
  const { recommendation: _done, ramp: _ended, ...rest } = state
  const { from = state.percent } = cause
  return change({
    ...rest,
    stage,
    percent,
    since: cause.now,
    ...percent > from && rampMs > 0 ? { ramp: { from, ms: rampMs } } : {},
    observedMinutes: 0,
    completed: false
  }, from, cause)
}

/** Returns the transition of the canary to the stage below a failed one. That stage lasts longer before the failed stage is tried again. */
export function stepBack (state: CanaryState, percentOf: (stage: number) => number, cause: Cause): Transition {
  const stage = Math.max(0, state.stage - 1)
  const failures = { ...state.failures, [state.stage]: (state.failures[state.stage] ?? 0) + 1 }
  return moveTo({ ...state, failures }, { stage, percent: percentOf(stage), rampMs: 0 }, cause)
}

/** Returns the transition that the kill switch causes: the percent of cached subjects becomes 0. */
export function kill (state: CanaryState, cause: Cause): Transition {
  return moveTo({ ...state, killed: true }, { stage: 0, percent: 0, rampMs: 0 }, cause)
}

/** Returns the transition that replaces the members `changed` of the state and leaves the percent of cached subjects as it is. */
export function amend (
  state: CanaryState, changed: Partial<Pick<CanaryState, 'paused' | 'killed' | 'recommendation'>>, cause: Cause
): Transition {
  return change({ ...state, ...changed }, state.percent, cause)
}

/**
 * Returns the transition after the last stage has met its criteria; the first such transition completes the rollout. The evidence starts
 * again from zero, since harm that begins later would not show in sums over weeks without harm.
 */
export function complete (state: CanaryState, cause: Cause): Transition {
  const { ramp: _ended, ...rest } = state
  const again = { ...rest, since: cause.now, observedMinutes: 0, completed: true }
  const { state: next, record } = change(again, state.percent, { ...cause, reason: `the rollout is complete: ${cause.reason}` })
  return state.completed ? { state: next } : { state: next, record: record! }
}

/**
 * Returns the transition to another percent of cached subjects for one key pattern; 100 removes the pattern's limit. The evidence of the
 * stage starts again from zero, since other requests are cached from then on. It does not start again during a ramp, when no evidence is
 * counted, or in the baseline, when no request is cached.
 */
export function limitPattern (state: CanaryState, pattern: string, percent: number, cause: Cause): Transition {
  const { [pattern]: stored, ...others } = state.patterns
  // A key pattern may have the name of a member that every object inherits, such as `constructor`, so only own members count.
  const before = Object.hasOwn(state.patterns, pattern) ? stored! : 100
  const isOther = before !== percent && state.stage > 0 && (cause.from ?? state.percent) === state.percent
  const { ramp: _ended, ...settled } = state
  const next = {
    ...isOther ? { ...settled, since: cause.now, observedMinutes: 0 } : state,
    patterns: percent === 100 ? others : { ...others, [pattern]: percent }
  }
  const { state: changed, record } = change(next, before, isOther ? { ...cause, reason: `${cause.reason}: the evidence of the stage begins anew` } : cause)
  return { state: changed, record: { ...record!, to: percent, pattern } }
}

/**
 * Converts the state of another plan (other options of the canary) to a state of this plan: to the highest stage whose percent does not
 * exceed the percent of the state, or to stage 0.
 */
export function adopt (state: CanaryState, plan: string, percents: readonly number[], now: number): Transition {
  const stage = percents.filter((each) => each <= state.percent).length
  const percent = stage === 0 ? 0 : percents[stage - 1]!
  const reason = `goes on with the stages of another plan, whose processes have not decided for two minutes${percent === state.percent ? '' : `; ${state.percent} is none of its percents`}`
  return moveTo({ ...state, plan, failures: {} }, { stage, percent, rampMs: 0 }, { now, by: 'canary', reason })
}

/** Returns the transition that stores a known state of the canary again, after the rollout store has lost it. */
export function rewritten (state: CanaryState, now: number): Transition {
  return change(state, state.percent, { now, by: 'canary', reason: 'the store lost the state; a process that knew it wrote it again' })
}

/** Returns the transition after an evaluation of the stage that changed nothing that an operator needs to see. */
export function looked (state: CanaryState, now: number, observedMinutes: number): Transition {
  return { state: { ...state, revision: state.revision + 1, decidedAt: now, observedMinutes } }
}

function change (state: Omit<CanaryState, 'revision'> & { readonly revision: number }, from: number, { now, by, reason, numbers }: Cause): { state: CanaryState; record: HistoryRecord } {
  return {
    state: { ...state, revision: state.revision + 1, decidedAt: now },
    record: {
      at: new Date(now).toISOString(),
      from,
      to: state.percent,
      reason,
      by,
      stage: state.stage,
      ...numbers === undefined ? {} : { numbers }
    }
  }
}
