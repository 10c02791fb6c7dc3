import type { Criteria } from './criteria.js'
import type { Difference, Evidence } from './evidence.js'
import { asOdds, asPoints, number, percent, type Scale } from './figures.js'
import { excess, excessOver } from './sequential-test.js'

/** `go`: the criterion holds; `back`: it is certainly violated; `wait`: neither is known yet. */
export type StageVerdict = 'go' | 'back' | 'wait'

/** One criterion of a stage with its numbers. */
export interface GateRow {
  readonly name: GateName
  /** In `unit`; `undefined`: there are no numbers yet. */
  readonly value: number | undefined
  /** The threshold as text, such as `< 0.1 %, back > 1 %`. */
  readonly threshold: string
  readonly unit: 'percent' | 'points' | 'ms' | 'hours' | 'requests'
  readonly verdict: StageVerdict
  /** One sentence with the numbers. */
  readonly reason: string
}

/** The names of the criteria. */
export type GateName = 'error burst' | 'sample' | 'time' | 'error rate' | 'errors against control' | 'cache errors' | 'hit rate' | 'hit rate fall' |
  'p99' | 'p50 against control' | 'p95 against control' | 'p99 against control' | 'loads against control'

/** The verdict on a stage. At the last stage `go` means that the rollout is complete. */
export interface Verdict {
  readonly kind: StageVerdict
  /** One sentence with the numbers. */
  readonly reason: string
  readonly gates: readonly GateRow[]
}

/**
 * The logarithm of the likelihood ratio from which a share of failures is certain: by chance it happens once in 10^7 looks, which is less
 * than once in ten years of looks at each minute.
 */
const CERTAIN = Math.log(1e7)
/**
 * The number of standard errors above which a difference is suspected: the stage waits for more requests. Two equal arms exceed it by chance
 * in 1 % of the comparisons.
 */
const SUSPECTED = 2.33
/**
 * The logarithm of the likelihood ratio above which the arms' counts of failures differ, after a sequential test has found a difference: two
 * equal arms exceed it by chance once in 2000 comparisons.
 */
const FEW_CERTAIN = Math.log(2000)
const NO_CONTROL = 'there is no control arm (holdOut 0): only absolute criteria hold'

/** Judges a stage by its evidence. Pure: the same evidence and criteria give the same verdict. */
export function judge (evidence: Evidence, criteria: Criteria): Verdict {
  const gates = [
    ...absoluteRows(evidence, criteria),
    ...comparedRows(evidence, criteria)
  ]
  const first = (verdict: StageVerdict, names?: readonly GateName[]): GateRow | undefined =>
    gates.find((row) => row.verdict === verdict && (names === undefined || names.includes(row.name)))
  const burst = first('back', ['error burst'])
  if (burst !== undefined) return { kind: 'back', reason: burst.reason, gates }
  const small = first('wait', ['sample'])
  if (small !== undefined) return { kind: 'wait', reason: small.reason, gates }
  const back = first('back')
  if (back !== undefined) return { kind: 'back', reason: back.reason, gates }
  const wait = first('wait', ['time']) ?? first('wait')
  if (wait !== undefined) return { kind: 'wait', reason: wait.reason, gates }
  return { kind: 'go', reason: `all ${gates.length} criteria hold: ${gates.map(({ reason }) => reason).join('; ')}`, gates }
}

function absoluteRows (evidence: Evidence, criteria: Criteria): GateRow[] {
  const { cached, control, stage } = evidence
  const { go, back } = criteria
  // The baseline caches nothing; all of its requests are control.
  const sample = stage === 0 ? control.requests : cached.requests
  const hours = evidence.observedMinutes / 60
  return [
    ...back.errorPercent === undefined ? [] : [burstRow(evidence, back.errorPercent)],
    {
      name: 'sample',
      value: sample,
      threshold: `>= ${criteria.minSample}`,
      unit: 'requests',
      verdict: sample >= criteria.minSample ? 'go' : 'wait',
      reason: sample >= criteria.minSample
        ? `${sample} requests${stage === 0 ? '' : ' of the cached arm'}`
        : `not enough data: ${sample} of ${criteria.minSample} requests${stage === 0 ? '' : ' of the cached arm'}`
    },
    {
      name: 'time',
      value: hours,
      threshold: `>= ${criteria.holdHours} h`,
      unit: 'hours',
      verdict: evidence.observedMinutes >= 60 * criteria.holdHours ? 'go' : 'wait',
      reason: `${number(hours)} of ${number(criteria.holdHours)} hours observed`
    },
    ...errorRow(evidence, criteria),
    ...cacheErrorRow(evidence, criteria),
    ...go.hitPercent === undefined ? [] : [limitRow('hit rate', 'percent', share(cached.hits, cached.reads), go.hitPercent, 'above')],
    ...fallRow(evidence, back.hitPointsFallen),
    ...go.p99Ms === undefined ? [] : [limitRow('p99', 'ms', cached.p99, go.p99Ms, 'below')]
  ]
}

/** The last minutes alone: many failures of the cached arm step back before the sample is complete. */
function burstRow ({ recent: { minutes, cached, control }, hasControl }: Evidence, limit: number): GateRow {
  const value = share(cached.failures, cached.requests)
  const isAbove = excess(cached.failures, cached.requests, limit / 100) > CERTAIN &&
    excess(cached.failuresOfOthers, cached.requestsOfOthers, limit / 100) > CERTAIN
  const isOwn = !hasControl || (excessOver(cached.failures, cached.requests, control.failures, control.requests) > CERTAIN &&
    excessOver(cached.failuresOfOthers, cached.requestsOfOthers, control.failures, control.requests) > CERTAIN)
  const verdict = isAbove && isOwn ? 'back' : 'go'
  const other = hasControl ? `, of the control arm ${percent(share(control.failures, control.requests))}` : ''
  return {
    name: 'error burst',
    value,
    threshold: `back > ${limit} %`,
    unit: 'percent',
    verdict,
    reason: verdict === 'back'
      ? `error burst: ${percent(value)} of ${cached.requests} requests of the cached arm failed in the last ${minutes} minutes${other}`
      : 'no error burst in the cached arm alone'
  }
}

function errorRow (evidence: Evidence, { go, back }: Criteria): GateRow[] {
  const { cached, control, hasControl, failures } = evidence
  if (go.errorPercent === undefined && back.errorPercent === undefined) return []
  const value = share(cached.failures, cached.requests)
  const isBack = back.errorPercent !== undefined && excess(cached.failures, cached.requests, back.errorPercent / 100) > CERTAIN &&
    (!hasControl || (failures !== undefined && failures.low > 0 && hasMoreFailures(evidence)))
  const ofControl = hasControl ? `, of the control arm ${percent(share(control.failures, control.requests))}` : ''
  const isGo = value !== undefined && (go.errorPercent === undefined || value < go.errorPercent)
  return [{
    name: 'error rate',
    value,
    threshold: limits(go.errorPercent, back.errorPercent, '%'),
    unit: 'percent',
    verdict: isBack ? 'back' : isGo ? 'go' : 'wait',
    reason: `error rate ${percent(value)}${ofControl}`
  }]
}

function cacheErrorRow ({ cached }: Evidence, { go, back }: Criteria): GateRow[] {
  if (go.cacheErrorPercent === undefined && back.cacheErrorPercent === undefined) return []
  const value = share(cached.cacheErrors, cached.operations) ?? 0
  const isBack = back.cacheErrorPercent !== undefined &&
    excess(cached.cacheErrors, cached.operations, back.cacheErrorPercent / 100) > CERTAIN
  const isGo = go.cacheErrorPercent === undefined || value < go.cacheErrorPercent
  return [{
    name: 'cache errors',
    value,
    threshold: limits(go.cacheErrorPercent, back.cacheErrorPercent, '%'),
    unit: 'percent',
    verdict: isBack ? 'back' : isGo ? 'go' : 'wait',
    reason: `${percent(value)} of the cache's operations failed`
  }]
}

function fallRow ({ hitRates }: Evidence, limit: number | undefined): GateRow[] {
  if (limit === undefined) return []
  const row = { name: 'hit rate fall', threshold: `back > ${limit} points`, unit: 'points' } as const
  if (hitRates === undefined) return [{ ...row, value: undefined, verdict: 'go', reason: 'no hit rate to compare to that hour of the first day' }]
  const { reads, hits, firstDayReads, firstDayHits, fall } = hitRates
  const isBack = 100 * fall.low > limit
  return [{
    ...row,
    value: 100 * fall.estimate,
    verdict: isBack ? 'back' : 100 * fall.estimate > limit ? 'wait' : 'go',
    reason: `hit rate ${percent(share(hits, reads))} this hour, ${percent(share(firstDayHits, firstDayReads))} in the same hour of the first day`
  }]
}

function limitRow (name: 'hit rate' | 'p99', unit: 'percent' | 'ms', value: number | undefined, limit: number, side: 'above' | 'below'): GateRow {
  const holds = value !== undefined && (side === 'above' ? value > limit : value < limit)
  const shown = (some: number | undefined): string => unit === 'ms' ? `${number(some)} ms` : percent(some)
  return {
    name,
    value,
    threshold: `${side === 'above' ? '>' : '<'} ${shown(limit)}`,
    unit,
    verdict: holds ? 'go' : 'wait',
    reason: `${name} ${shown(value)}${holds ? '' : `, ${side} ${shown(limit)} is needed`}`
  }
}

function comparedRows (evidence: Evidence, { back }: Criteria): GateRow[] {
  const { latency, failures, loads } = evidence
  const slowerRow = (name: 'p50' | 'p95' | 'p99'): Asked =>
    ({
      name: `${name} against control`,
      isAsked: back.slower,
      difference: latency[name],
      scale: asOdds,
      of: `the odds to be slower than the control arm's ${name}`
    })
  const rows: Asked[] = [
    slowerRow('p50'),
    slowerRow('p95'),
    slowerRow('p99'),
    { name: 'errors against control', isAsked: back.moreErrors, difference: failures, scale: asOdds, of: 'the odds to fail' },
    { name: 'loads against control', isAsked: back.moreLoads, difference: loads, scale: asPoints, of: 'the loads per read' }
  ]
  return rows.filter(({ isAsked }) => isAsked === true).map((row) => comparedRow(evidence, row))
}

interface Compared { readonly name: GateName, readonly difference: Difference | undefined, readonly scale: Scale, readonly of: string }

interface Asked extends Compared { readonly isAsked: boolean | undefined }

function comparedRow (evidence: Evidence, { name, difference, scale, of }: Compared): GateRow {
  const row = { name, value: difference && scale.value(difference.estimate), threshold: 'back if certainly more', unit: scale.unit } as const
  if (!evidence.hasControl) return { ...row, value: undefined, verdict: 'go', reason: NO_CONTROL }
  if (difference === undefined) {
    return { ...row, verdict: 'wait', reason: `not enough data: too few ${scale === asOdds ? 'groups of subjects' : 'minutes'} for ${name}` }
  }
  const isBack = difference.low > 0 && (name !== 'errors against control' || hasMoreFailures(evidence))
  const verdict = isBack ? 'back' : difference.z > SUSPECTED ? 'wait' : 'go'
  const change = `${scale.shown(difference)}: ${of} in the cached arm against the control arm`
  return { ...row, verdict, reason: verdict === 'wait' ? `${change}, too much to go on, too little to step back` : change }
}

/** Whether the arms' failures differ by their exact counts: few failures have no normal distribution. */
function hasMoreFailures ({ cached, control }: Evidence): boolean {
  return excessOver(cached.failures, cached.requests, control.failures, control.requests) > FEW_CERTAIN
}

function share (count: number, total: number): number | undefined {
  return total === 0 ? undefined : 100 * count / total
}

function limits (go: number | undefined, back: number | undefined, unit: string): string {
  return [go === undefined ? '' : `< ${go} ${unit}`, back === undefined ? '' : `back > ${back} ${unit}`].filter(Boolean).join(', ')
}
