import type { Criteria } from './criteria.js'
import type { Evidence } from './evidence.js'

/** `go`: the criterion holds; `back`: it is certainly violated; `wait`: neither is known yet. */
export type StageVerdict = 'go' | 'back' | 'wait'

/** One criterion of a stage with its numbers. */
export interface GateRow {
  /** A name from a fixed list, such as `error rate`. */
  readonly name: string
  /** `undefined`: there are no numbers yet. */
  readonly value: number | undefined
  /** The threshold as text, such as `< 0.1 %, back > 1 %`. */
  readonly threshold: string
  readonly unit: 'percent' | 'points' | 'ms' | 'hours' | 'requests'
  readonly verdict: StageVerdict
  /** One sentence with the numbers. */
  readonly reason: string
}

/** The verdict on a stage. At the last stage `go` means that the rollout is complete. */
export interface Verdict {
  readonly kind: StageVerdict
  /** One sentence with the numbers. */
  readonly reason: string
  readonly gates: readonly GateRow[]
}

/** Judges a stage by its evidence. Pure: the same evidence and criteria give the same verdict. */
export function judge (evidence: Evidence, criteria: Criteria): Verdict {
  const gates: GateRow[] = []
  const isHeld = evidence.observedMinutes >= 60 * criteria.holdHours
  return { kind: isHeld ? 'go' : 'wait', reason: '', gates }
}
