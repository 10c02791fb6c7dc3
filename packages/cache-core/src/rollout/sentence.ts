import { bounded, percent } from './figures.js'
import { LatencySketch } from './latency-sketch.js'
import { excessOver, tOfNormal } from './sequential-test.js'

/** The measurements of one arm (cached or control), for the sentence that compares both arms. */
export interface ArmMeasurement {
  /** The request durations of each group of subjects: the confidence interval needs the spread between groups. */
  readonly sketches: readonly LatencySketch[]
  readonly requests: number
  readonly failures: number
  readonly reads: number
  readonly loads: number
}

/** The number of standard errors in a two-sided confidence interval of 95 % (normal distribution). */
const CONFIDENCE = 1.96
/** The minimum number of groups with requests for a confidence interval of a 99th percentile. */
const MIN_GROUPS = 5
const MIN_REQUESTS = 1000
/**
 * The logarithm of the likelihood ratio above which two shares of failed requests count as different. Two equal arms exceed it by chance at
 * most once in 20 comparisons.
 */
const DIFFERS = Math.log(20)

/** A quantile of the cached arm's request durations divided by that of the control arm, with its confidence interval of 95 %. */
export interface QuantileRatio { readonly ratio: number, readonly low: number, readonly high: number }

/**
 * The ratio of a quantile of request durations in the cached arm to that in the control arm, with its confidence interval of 95 %;
 * `undefined`: an arm has less than 1000 requests, or less than 5 groups with requests. The interval comes from estimates that leave out
 * one group of subjects at a time (delete-a-group jackknife; Kott, "The delete-a-group jackknife", Journal of Official Statistics 2001).
 * Groups are independent of one another; single requests are not. Leaving out single requests would give a wrong variance for a quantile;
 * leaving out groups of many requests gives a right one (Shao and Wu, "A general theory for jackknife variance estimation", Annals of
 * Statistics 1989).
 */
export function quantileRatio (cached: ArmMeasurement, control: ArmMeasurement, quantile: number): QuantileRatio | undefined {
  const one = logQuantile(cached.sketches, quantile)
  const other = logQuantile(control.sketches, quantile)
  if (one === undefined || other === undefined) return undefined
  const log = one.estimate - other.estimate
  const variance = one.variance + other.variance
  const degrees = variance === 0 ? 1 : variance ** 2 / (one.variance ** 2 / one.degrees + other.variance ** 2 / other.degrees)
  const radius = Math.sqrt(variance) * tOfNormal(CONFIDENCE, degrees)
  return { ratio: Math.exp(log), low: Math.exp(log - radius), high: Math.exp(log + radius) }
}

interface LogQuantile { readonly estimate: number, readonly variance: number, readonly degrees: number }

function logQuantile (sketches: readonly LatencySketch[], quantile: number): LogQuantile | undefined {
  const filled = sketches.filter(({ total }) => total > 0)
  const all = new LatencySketch()
  for (const sketch of filled) all.merge(sketch)
  if (filled.length < MIN_GROUPS || all.total < MIN_REQUESTS) return undefined
  const without = filled.map((sketch) => {
    const rest = new LatencySketch()
    rest.merge(all)
    rest.merge(sketch, -1)
    return Math.log(rest.interpolated(quantile)!)
  })
  const mean = without.reduce((sum, log) => sum + log, 0) / without.length
  const squares = without.reduce((sum, log) => sum + (log - mean) ** 2, 0)
  return {
    estimate: Math.log(all.interpolated(quantile)!),
    variance: squares * (filled.length - 1) / filled.length,
    degrees: filled.length - 1
  }
}

/**
 * Describes the difference of two arms in a sentence: `cached arm: p99 41 % lower (±6), errors unchanged, 38 % fewer loads`. The number in
 * brackets is half the width of the confidence interval of 95 %, in percentage points. A difference of latency or errors that may be due to
 * chance is described as no measurable one. Loads are counted per read.
 * @param about the parts of the sentence: a route has no loads, and a key pattern no requests
 */
export function armSentence (cached: ArmMeasurement, control: ArmMeasurement, about: readonly SentencePart[] = ['latency', 'errors', 'loads']): string {
  return `cached arm: ${about.map((part) => PARTS[part](cached, control)).join(', ')}`
}

/** The name of a part of the sentence that compares both arms. */
export type SentencePart = 'latency' | 'errors' | 'loads'

const PARTS: Readonly<Record<SentencePart, (cached: ArmMeasurement, control: ArmMeasurement) => string>> = {
  latency: latencyPart, errors: errorPart, loads: loadPart
}

function latencyPart (cached: ArmMeasurement, control: ArmMeasurement): string {
  const p99 = quantileRatio(cached, control, 0.99)
  if (p99 === undefined) return 'p99 not known yet (too few requests)'
  const { ratio, low, high } = p99
  const half = bounded(Math.max(1, Math.round(50 * (high - low))))
  if (low <= 1 && high >= 1) return `p99 does not differ measurably (±${half} %)`
  return `p99 ${bounded(Math.round(100 * Math.abs(1 - ratio)))} % ${ratio < 1 ? 'lower' : 'higher'} (±${half})`
}

function errorPart (cached: ArmMeasurement, control: ArmMeasurement): string {
  if (cached.requests === 0 || control.requests === 0) return 'errors not known yet'
  const [one, other] = [cached, control].map(({ requests, failures }) => 100 * failures / requests)
  const likelihood = excessOver(cached.failures, cached.requests, control.failures, control.requests) +
    excessOver(control.failures, control.requests, cached.failures, cached.requests)
  return likelihood <= DIFFERS ? 'errors unchanged' : `errors ${percent(one)} instead of ${percent(other)}`
}

function loadPart (cached: ArmMeasurement, control: ArmMeasurement): string {
  if (cached.reads === 0 || control.reads === 0 || control.loads === 0) return 'loads not known yet'
  const ratio = (cached.loads / cached.reads) / (control.loads / control.reads)
  const difference = Math.round(100 * Math.abs(1 - ratio))
  return difference === 0 ? 'loads unchanged' : `${bounded(difference)} % ${ratio < 1 ? 'fewer' : 'more'} loads`
}
