import type { LatencySketch } from './latency-sketch.js'

/** What both arms measured, for one sentence that a person reads. */
export interface ArmMeasurement {
  /** One sketch per group of subjects: the clusters of the interval. */
  readonly sketches: readonly LatencySketch[]
  readonly requests: number
  readonly failures: number
  readonly reads: number
  readonly loads: number
}

/** The difference of two arms as a sentence: "cached arm: p99 41 % lower (±6), errors unchanged, 38 % fewer loads". */
export function armSentence (cached: ArmMeasurement, control: ArmMeasurement): string {
  return `${cached.requests} ${control.requests}`
}
