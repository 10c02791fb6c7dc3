import { createHash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { OptionInvalid } from '../contract/errors.js'
import { shown } from '../contract/shown.js'
import { defaultsOf } from '../lib/schema-defaults.js'
import { Cohorts } from './cohorts.js'
import { defaultCriteria, type Criteria } from './criteria.js'
import { rolloutProperties } from './rollout-options.js'

/** The largest value that option `minSample` accepts. No stage reaches it: at 10 000 requests a second it would take three years. */
const MAX_SAMPLE = 1e12

const percentBelow100 = () => Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 100 })

const goSchema = Type.Object({
  /** The stage may go on only if less than this percent of the cached arm's responses have a status of 500 or more. */
  errorPercent: Type.Optional(percentBelow100()),
  /** The stage may go on only if less than this percent of the cache operations failed. */
  cacheErrorPercent: Type.Optional(percentBelow100()),
  /** The stage may go on only if the hit rate is above this percent. */
  hitPercent: Type.Optional(percentBelow100()),
  /** The stage may go on only if the 99th percentile of the cached arm's durations is below this number of milliseconds. */
  p99Ms: Type.Optional(Type.Number({ exclusiveMinimum: 0.1, maximum: 100_000 }))
}, { additionalProperties: false })

const backSchema = Type.Object({
  /**
   * The stage steps back if more than this percent of the cached arm's responses have a status of 500 or more. With a control arm, the
   * percentage must also be higher than that of the control arm.
   */
  errorPercent: Type.Optional(percentBelow100()),
  /** The stage steps back if more than this percent of the cache operations failed. */
  cacheErrorPercent: Type.Optional(percentBelow100()),
  /**
   * The stage steps back if the hit rate is lower by more than this many percentage points than in the same hour of the stage's first day.
   */
  hitPointsFallen: Type.Optional(percentBelow100()),
  /** The stage steps back if the cached arm is slower than the control arm, beyond the difference that both had before the stage. */
  slower: Type.Optional(Type.Boolean()),
  /** The stage steps back if the cached arm fails more often than the control arm, beyond the difference that both had before the stage. */
  moreErrors: Type.Optional(Type.Boolean()),
  /** The stage steps back if the cached arm runs more loads per read than the control arm. */
  moreLoads: Type.Optional(Type.Boolean())
}, { additionalProperties: false })

const stageSchema = Type.Object({
  /** The share of subjects in the cached arm during the stage, in percent. */
  percent: Type.Number({ exclusiveMinimum: 0, maximum: 100 }),
  /** Hours for which the stage lasts at least. A minute counts only if the percent of cached subjects in it was that of the stage. */
  holdHours: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 8760 })),
  /** The number of requests in the cached arm below which the stage neither goes on nor steps back, except for an error burst. */
  minSample: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_SAMPLE })),
  /** Criteria that must all hold before the next stage begins; replaces all of the default criteria. */
  go: Type.Optional(goSchema),
  /**
   * Criteria for stepping back to the stage below. One of them suffices, once the evidence shows with statistical certainty that it is met.
   * This option replaces all of the default criteria.
   */
  back: Type.Optional(backSchema)
}, { additionalProperties: false })

/** The schema of option `rollout.canary` as an object. */
export const canarySchema = Type.Object({
  /** The stages: percents in ascending order, or objects with the criteria of a stage; see the section Canary of the README. */
  stages: Type.Optional(Type.Array(Type.Union([Type.Number({ exclusiveMinimum: 0, maximum: 100 }), stageSchema]), {
    minItems: 1, maxItems: 50, default: [10, 50, 100]
  })),
  /** Hours before the first stage, in which no request is cached and both arms are measured (the baseline). */
  baselineHours: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 8760, default: 24 })),
  /** The number of requests in the cached arm below which a stage does not go on, unless the stage has a `minSample` of its own. */
  minSample: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_SAMPLE, default: 10_000 })),
  /** `'manual'`: the canary changes no percent; its status and history contain what it would do. */
  advance: Type.Optional(Type.Union([Type.Literal('auto'), Type.Literal('manual')], { default: 'auto' })),
  /** Seconds over which the subjects of a higher stage are added, some at a time; 0: all at once. */
  rampSeconds: Type.Optional(Type.Number({ minimum: 0, maximum: 3600, default: 60 })),
  /** Milliseconds of one minute of the canary. Less than 60 000 only for a demonstration: its hours are shorter in the same proportion. */
  minuteMs: Type.Optional(Type.Integer({ minimum: 50, maximum: 60_000, default: 60_000 }))
}, { additionalProperties: false })

/** Option `rollout.canary` as an object. */
export type CanaryOptions = Static<typeof canarySchema>

/** The members of option `rollout` that do not need Fastify. */
export const rolloutOptionProperties = {
  ...rolloutProperties,
  /**
   * Raises the percent of cached subjects in stages. Each stage is compared with the requests without the cache; a harmful stage steps back
   * by itself. See the section Canary of the README. Excludes option `percent`.
   * @default none
   */
  canary: Type.Optional(Type.Union([Type.Boolean(), canarySchema]))
}

/** The schema of option `rollout` in the plugin options of a package that provides an implementation, such as `@x/cache-redis`. */
export const rolloutSchema = Type.Object(rolloutOptionProperties, { additionalProperties: false })

const DEFAULTS = defaultsOf(canarySchema, 'stages', 'baselineHours', 'minSample', 'advance', 'rampSeconds', 'minuteMs')
/** The default of option `rollout.holdOut` with a canary: the share of subjects, in percent, that no stage caches. */
export const DEFAULT_HOLD_OUT = 1

/** One stage of a canary: the percent of cached subjects, and the criteria for the next step. */
export interface Stage { readonly percent: number; readonly criteria: Criteria }

/** The options of a canary, checked and with their defaults. */
export interface CanaryPlan {
  /** A hash of all options that a decision on the stage depends on; processes with the same hash make the same decisions. */
  readonly hash: string
  readonly stages: readonly Stage[]
  readonly cohorts: Cohorts
  readonly holdOut: number
  readonly baselineHours: number
  readonly advance: 'auto' | 'manual'
  readonly rampMs: number
  readonly minuteMs: number
}

/** The members of option `rollout` that the plan of a canary is made from. */
export interface RolloutWithCanary {
  readonly percent?: number | undefined
  readonly allow?: readonly string[] | undefined
  readonly holdOut?: number | undefined
  readonly salt?: string | undefined
  readonly canary?: boolean | CanaryOptions | undefined
}

/**
 * Returns the plan of a canary; `undefined`: the options ask for no canary.
 * @throws `CACHE_ERR_OPTION_INVALID` for options that contradict one another, and for criteria that no stage can meet
 */
export function planOf (rollout: RolloutWithCanary | undefined): CanaryPlan | undefined {
  const { canary, percent, allow, holdOut = DEFAULT_HOLD_OUT, salt = '' } = rollout ?? {}
  if (canary === undefined || canary === false) return undefined
  if (percent !== undefined) throw new OptionInvalid('rollout.percent', `${percent} beside a canary`, 'no percent: the canary begins at 0 and sets it')
  if (allow?.length === 0) throw new OptionInvalid('rollout.allow', 'no key pattern beside a canary', 'at least one pattern')
  const options = canary === true ? {} : canary
  const { baselineHours = DEFAULTS.baselineHours, minSample = DEFAULTS.minSample, advance = DEFAULTS.advance } = options
  const { stages: given = DEFAULTS.stages, rampSeconds = DEFAULTS.rampSeconds, minuteMs = DEFAULTS.minuteMs } = options
  const stages = given.map((stage, at) => stageOf(typeof stage === 'number' ? { percent: stage } : stage, `rollout.canary.stages.${at}`, minSample, holdOut))
  const cohorts = new Cohorts(stages.map((stage) => stage.percent), holdOut)
  stages.forEach((stage, at) => {
    const name = `rollout.canary.stages.${at}`
    if (at > 0 && stage.percent <= stages[at - 1]!.percent) throw new OptionInvalid(name, shown(stage.percent), `more than ${stages[at - 1]!.percent}, the percent of the stage before`)
    if (cohorts.limitOf(at + 1) <= cohorts.limitOf(at)) {
      throw new OptionInvalid(name, shown(stage.percent), `a percent that adds at least 0.01 % of the subjects outside of the hold-out of ${holdOut} %`)
    }
  })
  const decisive = { stages, baselineHours, holdOut, salt, allow: allow ?? ['*'], minuteMs }
  return {
    hash: createHash('sha256').update(JSON.stringify(decisive)).digest('hex').slice(0, 16),
    stages,
    cohorts,
    holdOut,
    baselineHours,
    advance,
    rampMs: rampSeconds * 1000,
    minuteMs
  }
}

type StageOptions = Static<typeof stageSchema>

function stageOf (given: StageOptions, name: string, minSample: number, holdOut: number): Stage {
  const { percent, go, back } = given
  const hasControl = percent < 100 || holdOut > 0
  const fallback = defaultCriteria(percent)
  const criteria = {
    holdHours: given.holdHours ?? fallback.holdHours,
    minSample: given.minSample ?? minSample,
    go: go ?? fallback.go,
    back: back ?? fallback.back
  }
  refuseContradiction(criteria, name)
  if (!hasControl) {
    for (const trigger of ['slower', 'moreErrors', 'moreLoads'] as const) {
      if (back?.[trigger] === true) throw new OptionInvalid(`${name}.back.${trigger}`, 'true without subjects to compare with', 'false, or a holdOut above 0')
    }
  }
  return { percent, criteria }
}

/** Refuses criteria of a stage if one measured value could meet both a `go` criterion and a `back` criterion. */
function refuseContradiction ({ go, back }: Criteria, name: string): void {
  for (const rate of ['errorPercent', 'cacheErrorPercent'] as const) {
    const [below, above] = [go[rate], back[rate]]
    if (below !== undefined && above !== undefined && below > above) throw new OptionInvalid(`${name}.go.${rate}`, shown(below), `at most ${above}, which is "back.${rate}" of the stage`)
  }
}
