import { LATENCY_RATIO, type LatencySketch } from './latency-sketch.js'

/** The slowdown that must be detectable before a stage may go on: 1.2 stands for durations that are a fifth longer. */
export const REGRESSION = 1.2

/**
 * The logarithm of an odds ratio: the odds that a request exceeds the present latency quantile if all requests last `REGRESSION` times as
 * long, divided by these odds now. It is large if durations are similar, and small in a heavy tail; it is 0 without durations.
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

/**
 * The logarithm of the odds of a share of requests, `count` of `total`. If the share is 0 or 1, half a request is added or subtracted,
 * since the logarithm would be infinite.
 */
function logit (count: number, total: number): number {
  const bounded = Math.min(total - 0.5, Math.max(0.5, count))
  return Math.log(bounded / (total - bounded))
}
