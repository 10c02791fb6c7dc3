import { createHash } from 'node:crypto'
import { TAG } from '../curve/access-kinds.js'
import type { SampledKeys } from '../curve/key-sample.js'
import type { ReportWishes } from '../report/assemble.js'
import type { GateNumbers } from '../report/go-no-go-gates.js'
import type { MissingDimension, Observation } from '../report/observation.js'
import type { ShadowFinding } from '../report/shadow.js'
import type { Decided } from './findings.js'
import type { SavedAccesses, SavedRing } from './sampled-accesses.js'
import type { Span } from './trace-time.js'

/** The measured numbers of a key pattern or route, without its hit rates, which are computed from the sampled accesses. */
export interface MeasuredNumbers extends Omit<Observation, 'points' | 'distinct' | 'oneHitShare' | 'seconds'> {
  /** The spans of the processes that decided the findings on the key pattern or route. */
  readonly decided?: Decided | undefined
  /** Leaks of earlier processes on other dimensions than `leak` that nothing has disproved yet, at most 8. */
  readonly otherLeaks?: readonly MissingDimension[] | undefined
}

/** The part of an advisor's state that is about one key pattern or route. */
export interface SubjectState {
  readonly numbers: MeasuredNumbers
  readonly keys: SampledKeys
  /** The keys of the process that found the leak, while no later process has requested any of them; absent: `keys` has them. */
  readonly leakKeys?: SampledKeys
  readonly accesses: SavedAccesses
}

/**
 * The state of the advisor of one process, which is stored over restarts and merged with the states of other processes. It contains keys
 * and tags only as salted hashes. It contains no hit rates, since hit rates cannot be merged.
 */
export interface AdviceState {
  /** The name of the salt, which does not reveal the salt; states with different salts have different hashes for one key. */
  readonly saltName: string
  /** The id of the first process of the observation; later processes that continue its state have the same `origin`. */
  readonly origin: string
  /** The spans in which this process, or an earlier process whose state it continues, observed. */
  readonly spans: readonly Span[]
  /** Seconds of observation that are older than the first of `spans`. */
  readonly secondsBefore: number
  readonly ttls: readonly number[]
  readonly entries: readonly number[]
  readonly wishes: ReportWishes
  readonly gates: Omit<GateNumbers, 'seconds' | 'source'>
  readonly shadow: readonly ShadowFinding[]
  readonly subjects: readonly SubjectState[]
}

/** The maximum number of spans in an advisor's state. */
const MAX_SPANS = 32

/** Returns the name of a salt, from which the salt cannot be computed. */
export function nameOfSalt (secret: string): string {
  return createHash('sha256').update(`cache-advice salt name\n${secret}`).digest('hex').slice(0, 16)
}

/**
 * Adds a span to those of earlier processes. Of more than 32 spans, only the length of the oldest ones is stored, in seconds, since no
 * stored access is that old.
 */
export function withSpan (
  { spans, secondsBefore }: Pick<AdviceState, 'spans' | 'secondsBefore'>, span: Span
): Pick<AdviceState, 'spans' | 'secondsBefore'> {
  const all = [...spans, span]
  const dropped = all.splice(0, Math.max(0, all.length - MAX_SPANS))
  return { spans: all, secondsBefore: dropped.reduce((sum, [from, to]) => sum + (to - from) / 1000, secondsBefore) }
}

/** Returns the beginning of the first span, in milliseconds since 1970; 0: it is not known, since the state is older than its spans. */
export function beginningOf ({ spans, secondsBefore }: Pick<AdviceState, 'spans' | 'secondsBefore'>): number {
  return secondsBefore > 0 || spans.length === 0 ? 0 : Math.min(...spans.map(([from]) => from))
}

/** Returns the end of the last span, in milliseconds since 1970. */
export function endOf ({ spans }: Pick<AdviceState, 'spans'>): number {
  return Math.max(0, ...spans.map(([, to]) => to))
}

/** Returns the advisor's state with all times moved back by a whole number of milliseconds. */
export function movedBack (state: AdviceState, milliseconds: number): AdviceState {
  const ring = (saved: SavedRing): SavedRing => ({
    ...saved,
    // The word of a tag is the hash of the tag and not a time, so it is not moved.
    words: saved.words.map((word, at) => saved.kinds[at]! >= TAG ? word : word - milliseconds)
  })
  const moved = ([from, to]: Span): Span => [from - milliseconds, to - milliseconds]
  return {
    ...state,
    spans: state.spans.map(moved),
    subjects: state.subjects.map((subject) => ({
      ...subject,
      numbers: {
        ...subject.numbers,
        decided: Object.fromEntries(Object.entries(subject.numbers.decided ?? {}).map(([finding, span]) => [finding, moved(span)]))
      },
      accesses: { strata: subject.accesses.strata.map(ring), invalidations: ring(subject.accesses.invalidations) }
    }))
  }
}
