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
  'p99' | 'p50 against control' | 'p95 against control' | 'p99 against control' | 'loads against control' | 'detectable regression'
