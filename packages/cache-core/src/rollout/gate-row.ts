/**
 * The verdict on a criterion of a canary's stage, or on the stage. `go`: it is met; `back`: it is certainly violated, so the stage steps
 * back; `wait`: neither is known yet.
 */
export type StageVerdict = 'go' | 'back' | 'wait'

/** One criterion of a stage with its numbers and its verdict. */
export interface GateRow {
  readonly name: GateName
  /** The measured value that the criterion is about, in the unit of the member `unit`; `undefined`: nothing was measured yet. */
  readonly value: number | undefined
  /** The threshold of the criterion as text, such as `< 0.1 %, back > 1 %`. */
  readonly threshold: string
  readonly unit: 'percent' | 'points' | 'ms' | 'hours' | 'requests'
  readonly verdict: StageVerdict
  /** The reason of the verdict on the criterion: one sentence with the numbers. */
  readonly reason: string
}

/** The names of the criteria of a stage. */
export type GateName = 'error burst' | 'sample' | 'time' | 'error rate' | 'errors against control' | 'cache errors' | 'hit rate' | 'hit rate fall' |
  'p99' | 'p50 against control' | 'p95 against control' | 'p99 against control' | 'loads against control' | 'detectable regression'
