import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { RolloutActionInvalid, RolloutConflict } from '../contract/errors.js'
import { shown } from '../contract/shown.js'
import { isLabel } from '../telemetry/key-pattern.js'
import type { CanaryPlan } from './canary-options.js'
import { amend, initialState, kill, limitPattern, MAX_PATTERNS, moveTo, stepBack, type CanaryState, type Cause, type Transition } from './canary-state.js'
import type { SharedState } from './shared-state.js'
import { percentOf } from './stage-decision.js'

const ACTIONS = ['pause', 'resume', 'back', 'to', 'off'] as const

const actionSchema = Type.Object({
  action: Type.Unsafe<typeof ACTIONS[number]>(Type.Union(ACTIONS.map((name) => Type.Literal(name)))),
  percent: Type.Optional(Type.Number({ minimum: 0, maximum: 100 })),
  pattern: Type.Optional(Type.String())
}, { additionalProperties: false })

/** An operator's action on the canary: the body of `POST /internal/cache/rollout`. */
export type OperatorAction = Readonly<Static<typeof actionSchema>>

/**
 * Checks the body of an operator's action on the canary.
 * @throws `CACHE_ERR_ROLLOUT_ACTION`, whose message has the allowed actions
 */
export function checkAction (body: unknown, plan: CanaryPlan): OperatorAction {
  if (!Value.Check(actionSchema, body)) {
    const { action } = (body ?? {}) as { action?: unknown }
    const got = ACTIONS.includes(action as never) ? 'other members, or wrong ones' : `the action ${shown(action)}`
    throw new RolloutActionInvalid(got, `{ action: ${ACTIONS.map((name) => `"${name}"`).join(' | ')}, percent?: 0 to 100, pattern?: a key pattern }`)
  }
  const { action, percent, pattern } = body
  if ((action === 'to') !== (percent !== undefined)) {
    throw new RolloutActionInvalid(`the action "${action}" ${percent === undefined ? 'without' : 'with'} a percent`, 'a percent with "to", and with no other action')
  }
  if (pattern === undefined) {
    const percents = [0, ...plan.stages.map((stage) => stage.percent)]
    if (percent !== undefined && !percents.includes(percent)) throw new RolloutActionInvalid(`the percent ${percent}`, percents.join(', '))
    return body
  }
  if (action === 'pause' || action === 'back') throw new RolloutActionInvalid(`the action "${action}" with a pattern`, '"to", "off" and "resume" with a pattern')
  if (!isLabel(pattern)) throw new RolloutActionInvalid('a pattern that no key has', 'a letter and up to 63 of A-Z a-z 0-9 _ . / -, and no id')
  return body
}

/**
 * Returns the transition of the canary that an operator's action causes.
 * @throws `CACHE_ERR_ROLLOUT_CONFLICT` if the stored state does not allow the action
 */
export function actOn (shared: SharedState, wanted: OperatorAction, plan: CanaryPlan, now: number): Transition {
  const { action, percent, pattern } = wanted
  const state = stateToChange(shared, wanted, plan, now)
  const because = (reason: string): Cause => ({ now, by: 'operator', reason, from: shared.rampPercent })
  if (pattern !== undefined) {
    const limit = action === 'to' ? percent! : action === 'off' ? 0 : 100
    if (!Object.hasOwn(state.patterns, pattern) && Object.keys(state.patterns).length >= MAX_PATTERNS) {
      throw new RolloutConflict(`${MAX_PATTERNS} key patterns have a percent of their own`, 'resume one of them')
    }
    return limitPattern(state, pattern, limit, because(`an operator set the key pattern ${pattern} to ${limit}`))
  }
  switch (action) {
    case 'pause': return amend(state, { paused: true }, because('an operator paused the rollout'))
    case 'resume': {
      const reason = state.killed ? 'an operator ended the kill switch: the rollout begins with the baseline' : 'an operator resumed the rollout'
      return amend(state, { paused: false, killed: false }, because(reason))
    }
    case 'off': return kill(state, because('an operator used the kill switch'))
    case 'back':
      if (state.plan !== plan.hash) throw new RolloutConflict('the state is that of other stages', 'send "to" or "off", or send "back" to a process with those stages')
      if (state.stage === 0) throw new RolloutConflict('the rollout is at the baseline, with no stage below it', 'send "to" with the percent of a stage')
      return stepBack(state, (stage) => percentOf(plan, stage), because('an operator stepped back'))
    case 'to': {
      const stage = [0, ...plan.stages.map((each) => each.percent)].indexOf(percent!)
      return moveTo({ ...state, plan: plan.hash, killed: false }, { stage, percent: percent!, rampMs: plan.rampMs }, because(`an operator set the percent to ${percent}`))
    }
  }
}

/**
 * Returns the state of the canary that an operator's action changes. If the stored state cannot be read, only `to` and `off` are allowed,
 * which replace it.
 */
function stateToChange (
  { state, unreadable, storedRevision }: SharedState, { action, pattern }: OperatorAction, plan: CanaryPlan, now: number
): CanaryState {
  if (unreadable === undefined) return state ?? initialState(plan.hash, now, 0)
  if (pattern !== undefined || (action !== 'to' && action !== 'off')) throw new RolloutConflict(unreadable.text, 'send "to" or "off"')
  return { ...state ?? initialState(plan.hash, now), revision: storedRevision! }
}
