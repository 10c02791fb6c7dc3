import { OptionInvalid } from '../contract/errors.js'
import { LOWEST_MS } from './latency-sketch.js'

/**
 * The criteria of one stage. A criterion that is `undefined` does not apply. Shares are given in percent, differences of shares in
 * percentage points.
 */
export interface Criteria {
  /** Hours whose minutes must be counted before the next stage may begin; above 0. */
  readonly holdHours: number
  /** The number of requests of the cached arm below which the verdict is `wait`. Only an error burst steps back earlier. */
  readonly minSample: number
  /** Criteria that must all hold before the next stage begins. */
  readonly go: {
    /** The percentage of failures in the cached arm must be below this. */
    readonly errorPercent?: number | undefined
    /** The percentage of failed cache operations must be below this. */
    readonly cacheErrorPercent?: number | undefined
    /** The hit rate must be above this, in percent. */
    readonly hitPercent?: number | undefined
    /** The 99th percentile of the cached arm's durations must be below this, in milliseconds. */
    readonly p99Ms?: number | undefined
  }
  /** Criteria of which each steps back to the stage below, once it is certain. */
  readonly back: {
    /** The percentage of failures in the cached arm is above this, and above that of the control arm if there is one. */
    readonly errorPercent?: number | undefined
    /** The percentage of failed cache operations is above this. */
    readonly cacheErrorPercent?: number | undefined
    /** The hit rate is lower by more than this many percentage points than in the same hour of the stage's first day. */
    readonly hitPointsFallen?: number | undefined
    /**
     * The cached arm is slower than the control arm at the median, the 95th or the 99th percentile, beyond the difference that both had
     * before the stage.
     */
    readonly slower?: boolean | undefined
    /** The cached arm fails more often than the control arm, beyond the difference that both had before the stage. */
    readonly moreErrors?: boolean | undefined
    /** The cached arm runs more loads per read than the control arm. */
    readonly moreLoads?: boolean | undefined
  }
}

/** Returns the criteria of the baseline, which ends once its hours have been counted. */
export function baselineCriteria (hours: number): Criteria {
  return { holdHours: hours, minSample: 0, go: {}, back: {} }
}

const COMPARED = { slower: true, moreLoads: true } as const
/** The default criteria of stages; each row applies from its percent of cached subjects on. */
const DEFAULTS: readonly (readonly [fromPercent: number, criteria: Criteria])[] = [
  [100, {
    holdHours: 168,
    minSample: 10_000,
    go: { errorPercent: 0.1, cacheErrorPercent: 1, hitPercent: 40, p99Ms: 50 },
    back: { ...COMPARED, errorPercent: 1, cacheErrorPercent: 5, hitPointsFallen: 10, moreErrors: true }
  }],
  [50, {
    holdHours: 48,
    minSample: 10_000,
    go: { errorPercent: 0.1, cacheErrorPercent: 1, hitPercent: 40, p99Ms: 50 },
    back: { ...COMPARED, errorPercent: 1, cacheErrorPercent: 5, hitPointsFallen: 10 }
  }],
  [0, {
    holdHours: 48,
    minSample: 10_000,
    go: { errorPercent: 0.1, cacheErrorPercent: 1 },
    back: { ...COMPARED, errorPercent: 1, cacheErrorPercent: 5 }
  }]
]

/** Returns the default criteria of a stage by its percent of cached subjects: one set below 50 %, one from 50 %, one at 100 %. */
export function defaultCriteria (percent: number): Criteria {
  return DEFAULTS.find(([from]) => percent >= from)![1]
}

/** The longest hold time of a stage in hours: a year. */
const MAX_HOURS = 8784

/** A number among the criteria of a stage, and the range that is allowed for it. */
interface Range {
  readonly path: string
  readonly value: number | undefined
  readonly allows: (value: number) => boolean
  readonly allowed: string
}

const isHoldTime = (hours: number): boolean => hours > 0 && hours <= MAX_HOURS
const shareBelow = (value: number): boolean => value > 0 && value <= 100
const shareAbove = (value: number): boolean => value >= 0 && value < 100

/**
 * Checks the criteria of a stage.
 * @param path the place of the criteria in the options, such as `rollout.canary.stages[0]`
 * @throws `CACHE_ERR_OPTION_INVALID` for numbers out of range, for criteria that can never be met, and for those that contradict each other
 */
export function checkCriteria ({ holdHours, minSample, go, back }: Criteria, path: string): void {
  const below = 'a number above 0 and at most 100: a share is never below 0'
  const above = 'a number from 0 and below 100: a share is never above 100'
  const ranges: Range[] = [
    { path: 'holdHours', value: holdHours, allows: isHoldTime, allowed: `a number above 0 and at most ${MAX_HOURS}` },
    { path: 'minSample', value: minSample, allows: (count) => Number.isSafeInteger(count) && count >= 0, allowed: 'an integer of at least 0' },
    { path: 'go.errorPercent', value: go.errorPercent, allows: shareBelow, allowed: below },
    { path: 'go.cacheErrorPercent', value: go.cacheErrorPercent, allows: shareBelow, allowed: below },
    { path: 'go.hitPercent', value: go.hitPercent, allows: shareAbove, allowed: above },
    { path: 'go.p99Ms', value: go.p99Ms, allows: (ms) => ms > LOWEST_MS, allowed: `a number above ${LOWEST_MS}, the shortest duration` },
    { path: 'back.errorPercent', value: back.errorPercent, allows: shareAbove, allowed: above },
    { path: 'back.cacheErrorPercent', value: back.cacheErrorPercent, allows: shareAbove, allowed: above },
    { path: 'back.hitPointsFallen', value: back.hitPointsFallen, allows: shareAbove, allowed: above }
  ]
  for (const { path: name, value, allows, allowed } of ranges) {
    if (value !== undefined && !allows(value)) throw new OptionInvalid(`${path}.${name}`, String(value), allowed)
  }
  for (const name of ['errorPercent', 'cacheErrorPercent'] as const) {
    const goes = go[name]
    const steps = back[name]
    if (goes === undefined || steps === undefined || goes <= steps) continue
    throw new OptionInvalid(`${path}.go.${name}`, String(goes), `at most back.${name}, ${steps}: a stage cannot go on and step back at once`)
  }
}
