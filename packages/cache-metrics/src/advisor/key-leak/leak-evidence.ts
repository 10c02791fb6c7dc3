import type { MissingDimension } from '../report/observation.js'

/** The least number of pairs or of changes that disproves an earlier leak. */
const LEAST = 200
/** The number of pairs that an unmended key would have had on average, from which on their absence is no chance. */
const EXPECTED_PAIRS = 5
/** The maximum number of pieces of evidence in the state of a key pattern or route; the oldest ones are dropped. */
const MAX_EVIDENCE = 32

/** The observations of one process on one dimension that can disprove an earlier leak on the dimension. No count is ever halved. */
export interface LeakEvidence {
  readonly dimension: string
  /** Pairs of consecutive requests for one key with different values of the dimension. */
  readonly pairs: number
  /** Compared requests whose value of the dimension differs from that of the previous request for any key. */
  readonly changes: number
  /**
   * The share of different answers among recent pairs with different values of the dimension, minus the share among recent pairs with the
   * same value; not above 0 if the answers do not depend on the dimension.
   */
  readonly excess: number
}

/** The evidence of a process that observed in a span of time, in milliseconds since 1970. */
export interface DatedEvidence extends LeakEvidence { readonly span: readonly [from: number, to: number] }

/**
 * Whether the evidence of a later process disproves a leak. Either keys had at least as many pairs as the leak, and the answers do not
 * follow the dimension: the value does not depend on it. Or no key had a pair, although the dimension changed often: the key contains the
 * dimension. A process with one user has no pairs and no changes, so it disproves nothing.
 */
export function disproves (leak: MissingDimension, { dimension, pairs, changes, excess }: LeakEvidence): boolean {
  if (dimension !== leak.dimension) return false
  const needed = Math.max(LEAST, leak.pairs)
  const found = Math.max(1, leak.pairs)
  if (pairs > 0) return pairs >= needed && excess <= leak.differing / found / 2
  return changes >= Math.max(needed, EXPECTED_PAIRS * (leak.compared ?? leak.pairs) / found)
}

/**
 * Returns the evidence of a process with that of the earlier processes whose state it continues: of each dimension its own, and the
 * strongest earlier one unless its own is stronger. The earlier one may have disproved a leak that its own does not disprove yet.
 */
export function continuedEvidence (earlier: readonly DatedEvidence[], own: readonly DatedEvidence[]): DatedEvidence[] {
  const strongest = new Map<string, DatedEvidence>()
  for (const each of earlier) {
    const known = strongest.get(each.dimension)
    if (known === undefined || strengthOf(each) >= strengthOf(known)) strongest.set(each.dimension, each)
  }
  for (const each of own) {
    const known = strongest.get(each.dimension)
    if (known !== undefined && strengthOf(each) >= strengthOf(known)) strongest.delete(each.dimension)
  }
  return [...strongest.values(), ...own].sort((a, b) => a.span[1] - b.span[1]).slice(-MAX_EVIDENCE)
}

function strengthOf ({ pairs, changes }: LeakEvidence): number {
  return pairs + changes
}
