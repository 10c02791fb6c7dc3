import { ReuseCurve } from '../curve/reuse-curve.js'
import { KeySample } from '../curve/key-sample.js'
import type { ReportParts } from '../report/assemble.js'
import type { GateNumbers } from '../report/go-no-go-gates.js'
import type { Observation, StaleForecast } from '../report/observation.js'
import type { ShadowFinding } from '../report/shadow.js'
import { provenTtl } from '../staleness/staleness-forecast.js'
import { beginningOf, endOf, type AdviceState, type MeasuredNumbers, type SubjectState } from './advice-state.js'
import { withoutSuperseded } from './decided.js'
import { replay, type Recording } from './replay.js'
import { JOINT_SAMPLE, strataOf } from './sampled-accesses.js'
import { TraceTime } from './trace-time.js'

/**
 * The number of entries that simulate one cache size if no ring has dropped an access. It may exceed `JOINT_SAMPLE`, since the rings of all
 * strata then cover the whole time.
 */
const WHOLE_SAMPLE = 4096

/**
 * Computes the parts of a report on several processes from their states. The hit rates are those of one cache that all processes share.
 * @param states states with one salt and the same ttls and sizes
 */
export async function jointParts (states: readonly AdviceState[], staleTolerance: number): Promise<Omit<ReportParts, 'source' | 'notes'>> {
  const time = new TraceTime(states.flatMap(({ spans }) => spans))
  const seconds = time.length / 1000 + Math.max(0, ...states.map(({ secondsBefore }) => secondsBefore))
  const names = new Set(states.flatMap(({ subjects }) => subjects.map(nameOf)))
  const observations: Observation[] = []
  for (const name of names) {
    const of = states.flatMap((state) => {
      const ends = { from: beginningOf(state), until: endOf(state) }
      return state.subjects.filter((subject) => nameOf(subject) === name).map((subject) => ({ subject, ...ends }))
    })
    const { ttls, entries } = states[0]!
    const recordings = of.map(({ subject, until }) => ({ accesses: subject.accesses, until }))
    const sampleEntries = recordings.every(isWhole) ? WHOLE_SAMPLE : JOINT_SAMPLE
    const curve = new ReuseCurve({ ttls, entries, sampleEntries, isCompact: false })
    await replay(curve, { recordings, time, strata: strataOf(entries) })
    curve.keys.replaceBy(of.map(({ subject }) => subject.keys))
    const numbers = withoutSuperseded(of)
    observations.push({ ...joinNumbers(numbers, staleTolerance), seconds, ...estimatesOf(curve) })
  }
  const numbers = { ...joinGates(states.map(({ gates }) => gates)), seconds, source: 'the processes' }
  return { observations, numbers, shadow: joinShadow(states) }
}

/** Returns the kind and the name of a key pattern or route as one text. */
function nameOf ({ numbers: { kind, name } }: SubjectState): string {
  return `${kind} ${name}`
}

function isWhole ({ accesses: { strata, invalidations } }: Recording): boolean {
  return [...strata, invalidations].every((ring) => ring.isWhole)
}

/** Returns those numbers of an observation that a reuse curve estimates. */
export function estimatesOf (curve: ReuseCurve): Pick<Observation, 'points' | 'distinct' | 'oneHitShare'> {
  const points = curve.points().map(({ ttl, entries, hitRate, margin }) => ({ ttl, entries, hitRate, margin }))
  return { points, distinct: curve.distinctKeys, oneHitShare: curve.oneHitShare }
}

/** Joins the keys of several samples to one sample. */
export function joinKeys (samples: readonly SubjectState['keys'][]): SubjectState['keys'] {
  const joined = new KeySample()
  joined.replaceBy(samples)
  return joined.sampled
}

/**
 * Joins the measured numbers of a key pattern or route from several processes. A finding of any process is in the result, the leak with the
 * most pairs.
 */
export function joinNumbers (all: readonly MeasuredNumbers[], staleTolerance: number): MeasuredNumbers {
  if (all.length === 1) return all[0]!
  const { kind, name } = all[0]!
  const byRequests = (of: (one: MeasuredNumbers) => number | undefined) => mean(all.map((one) => [of(one), one.requests]))
  const staleness = joinStaleness(all.map((one) => one.staleness))
  const compared = all.flatMap((one) => one.compared ?? [])
  return {
    kind,
    name,
    requests: all.reduce((sum, { requests }) => sum + requests, 0),
    meanSeconds: byRequests(({ meanSeconds }) => meanSeconds),
    // A process that could not measure all values does not know their mean size, so the mean of all processes is not known either.
    meanBytes: all.some((one) => one.meanBytes === undefined && (one.compared ?? 0) > 0)
      ? undefined
      : mean(all.map((one) => [one.meanBytes, one.compared ?? 0])),
    meanKeyLength: byRequests(({ meanKeyLength }) => meanKeyLength) ?? 0,
    staleness,
    provenTtl: provenTtl(staleness, staleTolerance),
    leak: all.flatMap(({ leak }) => leak ?? []).sort((a, b) => b.pairs - a.pairs)[0],
    isNoise: all.some(({ isNoise }) => isNoise),
    cookieShare: byRequests(({ cookieShare }) => cookieShare) ?? 0,
    storableShare: byRequests(({ storableShare }) => storableShare),
    change: all.find(({ change }) => change !== undefined)?.change,
    compared: compared.length === 0 ? undefined : compared.reduce((sum, each) => sum + each, 0)
  }
}

/** Joins the counts of several processes for the go/no-go gates. */
export function joinGates (all: readonly Omit<GateNumbers, 'seconds' | 'source'>[]): Omit<GateNumbers, 'seconds' | 'source'> {
  const sum = (of: (one: Omit<GateNumbers, 'seconds' | 'source'>) => number): number => all.reduce((total, one) => total + of(one), 0)
  const routes = new Map<string, { name: string, requests: number, p95Seconds: number | undefined }>()
  for (const { name, requests, p95Seconds } of all.flatMap((one) => one.routes)) {
    const known = routes.get(name)
    const slowest = [known?.p95Seconds, p95Seconds].filter((each) => each !== undefined).sort((a, b) => b - a)[0]
    routes.set(name, { name, requests: requests + (known?.requests ?? 0), p95Seconds: slowest })
  }
  const patterns = new Map<string, number>()
  for (const { name, requests } of all.flatMap((one) => one.patterns)) patterns.set(name, requests + (patterns.get(name) ?? 0))
  return {
    candidates: sum(({ candidates }) => candidates),
    etagMatches: sum(({ etagMatches }) => etagMatches),
    edgeCandidates: sum(({ edgeCandidates }) => edgeCandidates),
    requests: sum(({ requests }) => requests),
    routes: [...routes.values()],
    patterns: [...patterns].map(([name, requests]) => ({ name, requests }))
  }
}

/**
 * Joins the forecasts of several processes: means that are weighted by hits. The mean of their intervals is wider than the interval of all
 * hits together.
 */
function joinStaleness (all: readonly (readonly StaleForecast[])[]): StaleForecast[] {
  const ttls = [...new Set(all.flat().map(({ ttl }) => ttl))].sort((a, b) => a - b)
  return ttls.map((ttl) => {
    const of = all.flatMap((forecasts) => forecasts.filter((one) => one.ttl === ttl))
    const byHits = (value: (one: StaleForecast) => number): number => mean(of.map((one) => [value(one), one.hits])) ?? value(of[0]!)
    return {
      ttl,
      hits: of.reduce((sum, { hits }) => sum + hits, 0),
      rate: byHits(({ rate }) => rate),
      low: byHits(({ low }) => low),
      high: byHits(({ high }) => high)
    }
  })
}

/**
 * Joins the findings about shadow reads. Of several findings about one key pattern, a no-go takes precedence over others; otherwise the
 * finding of the process that compared the most entries is returned.
 */
function joinShadow (states: readonly AdviceState[]): ShadowFinding[] {
  const worst = new Map<string, ShadowFinding>()
  for (const finding of states.flatMap(({ shadow }) => shadow)) {
    const known = worst.get(finding.keyPattern)
    const rank = ({ verdict, compared }: ShadowFinding): number => (verdict === 'no-go' ? 1e15 : 0) + compared
    if (known === undefined || rank(finding) > rank(known)) worst.set(finding.keyPattern, finding)
  }
  return [...worst.values()]
}

/** The weighted mean of the known values; `undefined`: no value is known. */
function mean (weighted: readonly (readonly [value: number | undefined, weight: number])[]): number | undefined {
  let sum = 0
  let weights = 0
  for (const [value, weight] of weighted) {
    if (value === undefined) continue
    sum += value * weight
    weights += weight
  }
  return weights === 0 ? weighted.find(([value]) => value !== undefined)?.[0] : sum / weights
}
