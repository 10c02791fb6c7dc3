import { LATENCY_RATIO, type LatencySketch } from './latency-sketch.js'

/** The regression that a stage must be able to see before it goes on: a fifth slower. */
export const REGRESSION = 1.2

/**
 * The logarithm of the odds ratio of a request to last longer than a quantile, once all requests last `REGRESSION` times as long. An odds
 * ratio has no fixed size in milliseconds: it is large where durations are alike, and small in a heavy tail. 0 without durations.
 */
export function oddsOfRegression (sketch: LatencySketch, quantile: number): number {
  const { total } = sketch
  if (total === 0) return 0
  const bucket = sketch.quantileBucket(quantile)
  const lower = Math.max(-1, bucket - Math.log(REGRESSION) / Math.log(LATENCY_RATIO))
  const below = Math.floor(lower)
  const slowed = sketch.above(below) + (lower - below) * (sketch.above(below + 1) - sketch.above(below))
  return logit(slowed, total) - logit(sketch.above(bucket), total)
}

/** The logarithm of the odds of a share; none and all count as half a request less than that. */
function logit (count: number, total: number): number {
  const bounded = Math.min(total - 0.5, Math.max(0.5, count))
  return Math.log(bounded / (total - bounded))
}
