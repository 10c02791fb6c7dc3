import { CERTAIN, hasMoreFailures, isSuspected, isSuspectedInWindow } from './certainty.js'
import type { Criteria } from './criteria.js'
import type { Difference, Evidence, WindowEvidence } from './evidence.js'
import { asOdds, asPoints, lastMinutes, percent, type Scale } from './figures.js'
import type { GateRow } from './gate-row.js'
import { REGRESSION } from './slowdown.js'

const NO_CONTROL = 'there is no control arm (holdOut 0): only absolute criteria hold'
const QUANTILES = ['p50', 'p95', 'p99'] as const
const REGRESSION_PERCENT = Math.round(100 * (REGRESSION - 1))

/**
 * The difference between the arms in one measure (slow requests, failures or loads) in the last minutes, the number of these minutes, and
 * the tolerated difference, up to which no stage steps back.
 */
interface Recent { readonly minutes: number, readonly difference: Difference, readonly tolerance: number }

/** One comparison of the cached arm with the control arm, by which a criterion of the stage is judged. */
interface Compared {
  readonly name: GateRow['name']
  readonly isAsked: boolean | undefined
  readonly difference: Difference | undefined
  readonly recent: readonly Recent[]
  readonly scale: Scale
  readonly of: string
  /** The data without which no difference between the arms can be computed, as text for the reason of the verdict. */
  readonly missing: string
}

/** Evaluates the criteria of a stage that compare the arms, if the options include them. */
export function comparedRows (evidence: Evidence, { back }: Criteria): GateRow[] {
  const { windows, recent: { minutes, loads } } = evidence
  const rows: Compared[] = [
    ...QUANTILES.map((name): Compared => ({
      name: `${name} against control`,
      isAsked: back.slower,
      difference: evidence.latency[name],
      recent: recentOf(windows, ({ latency }) => latency[name], true),
      scale: asOdds,
      of: `the odds to be slower than the control arm's ${name}`,
      missing: missingChange(evidence, name)
    })),
    {
      name: 'errors against control',
      isAsked: back.moreErrors,
      difference: evidence.failures,
      recent: recentOf(windows.filter(({ cached, control }) => hasMoreFailures(cached, control, CERTAIN)), ({ failures }) => failures),
      scale: asOdds,
      of: 'the odds to fail',
      missing: missingChange(evidence, 'failures')
    },
    {
      name: 'loads against control',
      isAsked: back.moreLoads,
      difference: evidence.loads,
      recent: [
        ...loads === undefined ? [] : [{ minutes, difference: loads, tolerance: 0 }],
        ...recentOf(windows, (window) => window.loads)
      ],
      scale: asPoints,
      of: 'the loads per read',
      missing: 'loads are compared after 25 minutes with reads in each arm'
    }
  ]
  return [
    ...rows.filter(({ isAsked }) => isAsked === true).map((row) => comparedRow(evidence, row)),
    ...back.slower === true ? detectableRow(evidence) : []
  ]
}

function recentOf (
  windows: readonly WindowEvidence[], differenceOf: (window: WindowEvidence) => Difference | undefined, isLatency = false
): Recent[] {
  return windows.flatMap((window) => {
    const difference = differenceOf(window)
    return difference === undefined ? [] : [{ minutes: window.minutes, difference, tolerance: isLatency ? window.tolerance : 0 }]
  })
}

function comparedRow (evidence: Evidence, { name, difference, recent, scale, of, missing }: Compared): GateRow {
  const row = { name, threshold: 'back if certainly more', unit: scale.unit } as const
  if (!evidence.hasControl) return { ...row, value: undefined, verdict: 'go', reason: NO_CONTROL }
  const shown = (some: Difference, minutes?: number): Pick<GateRow, 'value' | 'reason'> => ({
    value: scale.value(some.estimate),
    reason: `${scale.shown(some)}${minutes === undefined ? '' : ` ${lastMinutes(minutes)}`}: ${of} in the cached arm against the control arm`
  })
  const wait = ({ value, reason }: Pick<GateRow, 'value' | 'reason'>): GateRow =>
    ({ ...row, value, verdict: 'wait', reason: `${reason}, too much to go on, too little to step back` })
  const certain = recent.find((window) => window.difference.low > window.tolerance)
  if (difference !== undefined && difference.low > 0 && (name !== 'errors against control' || hasMoreFailures(evidence.cached, evidence.control))) {
    return { ...row, ...shown(difference), verdict: 'back' }
  }
  if (certain !== undefined) return { ...row, ...shown(certain.difference, certain.minutes), verdict: 'back' }
  if (difference === undefined) return { ...row, value: undefined, verdict: 'wait', reason: `not enough data: ${missing}` }
  if (isSuspected(difference)) return wait(shown(difference))
  const suspected = recent.find((window) => isSuspectedInWindow(window.difference, window.tolerance))
  if (suspected !== undefined) return wait(shown(suspected.difference, suspected.minutes))
  return { ...row, ...shown(difference), verdict: 'go' }
}

/** Returns the reason why the difference between the arms cannot be compared with the difference before the stage. */
function missingChange ({ missing }: Evidence, name: string): string {
  if (missing?.of === 'before') {
    return 'a stage is compared with the time before it, of which nothing is known: ' +
      'the baseline needs an hour and 1000 requests, and going to 0 begins it again'
  }
  const groups = missing === undefined ? 'requests in too few groups of subjects' : `requests in ${missing.count} of at least ${missing.needed} groups of subjects`
  return `${groups} of an arm for ${name}`
}

/**
 * Whether the latency was measured precisely enough for the stage to go on: a slowdown of 20 % in all requests would be detected at one
 * quantile at least, or is ruled out. A few requests would show no difference, whatever the effect of the cache.
 */
function detectableRow ({ hasControl, percent: stage, latency, regression, control }: Evidence): GateRow[] {
  if (!hasControl || regression === undefined) return []
  const known = QUANTILES.flatMap((name) => {
    const difference = latency[name]
    return difference === undefined ? [] : [{ ...difference, size: regression[name] }]
  })
  if (known.length === 0) return []
  // If all requests are faster, or all slower, than a quantile, this quantile has no variance to compute a detectable slowdown from.
  const varied = known.filter(({ detectable }) => detectable > 0)
  const reaches = varied.map(({ estimate, detectable, size }) => Math.max(0, Math.min(detectable, estimate + detectable)) / size)
  const reach = reaches.length === 0 ? 0 : Math.min(...reaches)
  const value = 100 * Math.expm1(reach * Math.log(REGRESSION))
  const row = { name: 'detectable regression', value, threshold: `< ${REGRESSION_PERCENT} %`, unit: 'percent' } as const
  if (reach < 1) return [{ ...row, verdict: 'go', reason: `a regression of ${REGRESSION_PERCENT} % would have been seen (±${percent(value)})` }]
  return [{
    ...row,
    verdict: 'wait',
    reason: `not enough data: a regression of ${REGRESSION_PERCENT} % could not be seen yet (±${percent(value)}), ` +
      `${stage === 100 ? 'the hold-out' : 'the control arm'} has had ${control.requests} requests`
  }]
}
