import { CERTAIN, failsMore } from './certainty.js'
import { comparedRows } from './compared-gates.js'
import type { Criteria } from './criteria.js'
import type { Evidence, HitRates, WindowEvidence } from './evidence.js'
import { lastMinutes, milliseconds, number, percent } from './figures.js'
import type { GateName, GateRow, StageVerdict } from './gate-row.js'
import { excess, excessOver } from './sequential-test.js'

export type { GateName, GateRow, StageVerdict } from './gate-row.js'

/** The verdict on a stage of the canary, with all of its criteria. At the last stage `go` means that the rollout is complete. */
export interface Verdict {
  readonly kind: StageVerdict
  /** The reason of the verdict on the stage: one sentence with the numbers. */
  readonly reason: string
  readonly gates: readonly GateRow[]
}

/** Judges a stage of the canary by its evidence. Pure: the same evidence and criteria give the same verdict. */
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
  // In the baseline no request is cached, so the sample consists of requests of the control arm.
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

/**
 * Evaluates the last ten minutes alone. A burst of failed requests in the cached arm makes the stage step back before its sample is
 * complete.
 */
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
  const { cached, control, windows } = evidence
  if (go.errorPercent === undefined && back.errorPercent === undefined) return []
  const row = { name: 'error rate', threshold: limits(go.errorPercent, back.errorPercent, '%'), unit: 'percent' } as const
  const value = share(cached.failures, cached.requests)
  const reason = (of: Failures): string => {
    const other = evidence.hasControl ? `, of the control arm ${percent(share(of.control.failures, of.control.requests))}` : ''
    return `error rate ${percent(share(of.cached.failures, of.cached.requests))}${other}`
  }
  if (isFailing(evidence, evidence, back.errorPercent)) return [{ ...row, value, verdict: 'back', reason: reason({ cached, control }) }]
  const failing = windows.find((window) => isFailing(window, evidence, back.errorPercent))
  if (failing !== undefined) {
    const ofWindow = share(failing.cached.failures, failing.cached.requests)
    return [{ ...row, value: ofWindow, verdict: 'back', reason: `${reason(failing)} ${lastMinutes(failing.minutes)}` }]
  }
  const isGo = value !== undefined && (go.errorPercent === undefined || value < go.errorPercent)
  return [{ ...row, value, verdict: isGo ? 'go' : 'wait', reason: reason({ cached, control }) }]
}

type Failures = Pick<WindowEvidence, 'cached' | 'control'>
type FailingCounts = Pick<WindowEvidence, 'cached' | 'control' | 'ownFailures'>

/**
 * Whether the share of failed requests in the cached arm is certainly above a limit in percent and, if there is a control arm, above the
 * share in the control arm.
 */
function isFailing ({ cached, control, ownFailures }: FailingCounts, { hasControl }: Evidence, limit = Infinity): boolean {
  return excess(cached.failures, cached.requests, limit / 100) > CERTAIN && (!hasControl || failsMore(cached, control, ownFailures))
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

function fallRow ({ hitRates, recent }: Evidence, limit: number | undefined): GateRow[] {
  if (limit === undefined) return []
  const row = { name: 'hit rate fall', threshold: `back > ${limit} points`, unit: 'points' } as const
  if (hitRates === undefined) return [{ ...row, value: undefined, verdict: 'go', reason: 'no hit rate to compare to that hour of the first day' }]
  const hasFallen = (rates: HitRates | undefined): rates is HitRates => rates !== undefined && 100 * rates.fall.low > limit
  const isSudden = !hasFallen(hitRates) && hasFallen(recent.hitRates)
  const { reads, hits, firstDayReads, firstDayHits, fall } = isSudden ? recent.hitRates! : hitRates
  const value = 100 * fall.estimate
  return [{
    ...row,
    value,
    verdict: isSudden || hasFallen(hitRates) ? 'back' : value > limit ? 'wait' : 'go',
    reason: `hit rate ${percent(share(hits, reads))} ${isSudden ? 'in the last minutes of this hour' : 'this hour'}, ` +
      `${percent(share(firstDayHits, firstDayReads))} in the same hour of the first day`
  }]
}

function limitRow (name: 'hit rate' | 'p99', unit: 'percent' | 'ms', value: number | undefined, limit: number, side: 'above' | 'below'): GateRow {
  const holds = value !== undefined && (side === 'above' ? value > limit : value < limit)
  const shown = unit === 'ms' ? milliseconds : percent
  return {
    name,
    value,
    threshold: `${side === 'above' ? '>' : '<'} ${shown(limit)}`,
    unit,
    verdict: holds ? 'go' : 'wait',
    reason: `${name} ${shown(value)}${holds ? '' : `, ${side} ${shown(limit)} is needed`}`
  }
}

function share (count: number, total: number): number | undefined {
  return total === 0 ? undefined : 100 * count / total
}

function limits (go: number | undefined, back: number | undefined, unit: string): string {
  return [go === undefined ? '' : `< ${go} ${unit}`, back === undefined ? '' : `back > ${back} ${unit}`].filter(Boolean).join(', ')
}
