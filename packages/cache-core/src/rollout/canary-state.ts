import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { MAX_REVISION, revisionOf } from './rollout-store.js'

/** The format of the state document that this version writes. */
export const FORMAT = 1
/** The most minutes that a stage waits because of earlier failures; a longer hold time remains. */
const MAX_WAIT_MINUTES = 7 * 24 * 60
/** The most key patterns that may have a percent of their own. */
export const MAX_PATTERNS = 100

const percent = () => Type.Number({ minimum: 0, maximum: 100 })
const count = () => Type.Integer({ minimum: 0 })

const stateSchema = Type.Object({
  format: Type.Literal(FORMAT),
  /** Grows with each replacement of the document. */
  revision: Type.Integer({ minimum: 0, maximum: MAX_REVISION }),
  /** The hash of the plan whose decider wrote the document. */
  plan: Type.String(),
  /** 0: the baseline; 1: the first stage. */
  stage: count(),
  /** The percent of the stage, towards which a ramp goes. */
  percent: percent(),
  /** The time from which the evidence counts: that of the last change of the percent, in milliseconds since 1970 by the store's clock. */
  since: Type.Number(),
  /** A raise that adds its subjects over `ms` milliseconds from `since` on. */
  ramp: Type.Optional(Type.Object({ from: percent(), ms: Type.Number({ minimum: 0 }) })),
  /** Minutes that were counted in this stage. */
  observedMinutes: count(),
  /** The decider raises nothing; it steps back as ever. */
  paused: Type.Boolean(),
  /** The kill switch: percent 0, and no decision before `resume` or `to`. */
  killed: Type.Boolean(),
  /** The last stage has met its criteria. */
  completed: Type.Boolean(),
  /** Percents of single key patterns. */
  patterns: Type.Record(Type.String(), percent()),
  /** The number of times that each stage was stepped back from. */
  failures: Type.Record(Type.String(), count()),
  /** The change that the canary would make, if it only recommends; absent: none. */
  recommendation: Type.Optional(Type.String()),
  /** The time at which a decider last looked, in milliseconds since 1970 by the store's clock. */
  decidedAt: Type.Number()
})

/** The state that the processes of one app share. */
export type CanaryState = Readonly<Static<typeof stateSchema>>

/** One change, in the words of an operator; the history holds the last ones. */
export interface HistoryRecord {
  /** ISO 8601, by the store's clock. */
  readonly at: string
  /** The percents before and after, equal where another setting changed. */
  readonly from: number
  readonly to: number
  readonly reason: string
  /** `canary`: by the criteria; `operator`: by the endpoint or the command. */
  readonly by: 'canary' | 'operator'
  readonly stage: number
  /** The key pattern whose percent changed. */
  readonly pattern?: string
  /** The numbers behind a decision of the canary. */
  readonly numbers?: unknown
}

/** A new state, and its record in the history; without a record the change is none that an operator needs to see. */
export interface Transition { readonly state: CanaryState; readonly record?: HistoryRecord }

/** A state document that was read. `older`, `newer`: another format; `corrupt`: no state document at all. */
export type ParsedState = { readonly kind: 'state'; readonly state: CanaryState } |
  { readonly kind: 'older' | 'newer' | 'corrupt'; readonly problem: string; readonly revision: number }

/** Parses a state document; never throws. */
export function parseState (text: string): ParsedState {
  const revision = revisionOf(text)
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    // The text is replaced by an operator's action.
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
 * Returns the percent of a state: during a ramp between the percents before and after.
 * @param rampedMs the milliseconds since the ramp began
 */
export function effectivePercent ({ percent, ramp }: Pick<CanaryState, 'percent' | 'ramp'>, rampedMs: number): number {
  if (ramp === undefined || ramp.ms <= 0) return percent
  const share = Math.min(Math.max(rampedMs / ramp.ms, 0), 1)
  // Two decimals, so that each step is a whole number of buckets.
  return Math.round(100 * (ramp.from + (percent - ramp.from) * share)) / 100
}

/** Returns the minutes to count before `stage + 1` may begin: twice as many after each failure of that stage, at most seven days. */
export function requiredMinutes (holdMinutes: number, failures: CanaryState['failures'], stage: number): number {
  const doubled = holdMinutes * 2 ** Math.min(failures[stage + 1] ?? 0, 30)
  return Math.min(doubled, Math.max(holdMinutes, MAX_WAIT_MINUTES))
}

/** How a change came about. `from`: the percent before it, during a ramp; absent: no ramp runs. */
export interface Cause {
  readonly now: number
  readonly by: HistoryRecord['by']
  readonly reason: string
  readonly numbers?: unknown
  readonly from?: number
}

/** Returns the transition to a stage and its percent; a raise ramps over `rampMs`. */
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

/** Returns the transition after a stage failed: to the stage below, which is held longer before the next attempt. */
export function stepBack (state: CanaryState, percentOf: (stage: number) => number, cause: Cause): Transition {
  const stage = Math.max(0, state.stage - 1)
  const failures = { ...state.failures, [state.stage]: (state.failures[state.stage] ?? 0) + 1 }
  return moveTo({ ...state, failures }, { stage, percent: percentOf(stage), rampMs: 0 }, cause)
}

/** Returns the transition of the kill switch. */
export function kill (state: CanaryState, cause: Cause): Transition {
  return moveTo({ ...state, killed: true }, { stage: 0, percent: 0, rampMs: 0 }, cause)
}

/** Returns a transition that changes no percent. */
export function amend (
  state: CanaryState, changed: Partial<Pick<CanaryState, 'paused' | 'killed' | 'recommendation'>>, cause: Cause
): Transition {
  return change({ ...state, ...changed }, state.percent, cause)
}

/**
 * Returns the transition after the last stage has met its criteria: the first one completes the rollout. The evidence begins anew, since a
 * harm would not show in the sum of many good weeks.
 */
export function complete (state: CanaryState, cause: Cause): Transition {
  const { ramp: _ended, ...rest } = state
  const again = { ...rest, since: cause.now, observedMinutes: 0, completed: true }
  const { state: next, record } = change(again, state.percent, { ...cause, reason: `the rollout is complete: ${cause.reason}` })
  return state.completed ? { state: next } : { state: next, record: record! }
}

/**
 * Returns the transition to another percent of one key pattern; 100: the pattern has no percent of its own any more. The evidence of the
 * stage begins anew, since the cached arm is another one from now on; during a ramp it has not begun, and in the baseline no arm is cached.
 */
export function limitPattern (state: CanaryState, pattern: string, percent: number, cause: Cause): Transition {
  const { [pattern]: stored, ...others } = state.patterns
  // A key pattern may have the name of a member that every object inherits, such as `constructor`.
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

/** Returns the state of another plan as one of this plan: its stage is the highest whose percent is not above. */
export function adopt (state: CanaryState, plan: string, percents: readonly number[], now: number): Transition {
  const stage = percents.filter((each) => each <= state.percent).length
  const percent = stage === 0 ? 0 : percents[stage - 1]!
  const reason = `goes on with the stages of another plan, whose processes have not decided for two minutes${percent === state.percent ? '' : `; ${state.percent} is none of its percents`}`
  return moveTo({ ...state, plan, failures: {} }, { stage, percent, rampMs: 0 }, { now, by: 'canary', reason })
}

/** Returns a state again for a store that lost it. */
export function rewritten (state: CanaryState, now: number): Transition {
  return change(state, state.percent, { now, by: 'canary', reason: 'the store lost the state; a process that knew it wrote it again' })
}

/** Returns the state after a decider looked and changed nothing that an operator needs to see. */
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
