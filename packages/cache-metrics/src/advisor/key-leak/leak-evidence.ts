import { HASHES } from '../hash.js'
import type { MissingDimension } from '../report/observation.js'

/** The least number of pairs or of requests that disproves an earlier leak. */
const LEAST = 200
/** The number of different new keys that is always enough; fewer are enough if the earlier keys were as few. */
export const ENOUGH_KEYS = 16
/** The factor of the pairs of a leak by which the pairs that disprove it by their values must exceed them. */
const VALUE_FACTOR = 4
/** The least number of consecutive requests with the same value of the dimension with which the other pairs are compared. */
const LEAST_NEAR = 50
/** The least share of equal answers among those requests. Below it the values change too often for a comparison. */
const LEAST_AGREEING = 0.2
/** The longest time that the pairs must span, in seconds: a day, so that the traffic of one night or one tenant does not end a leak. */
const LONGEST = 86_400
/** The milliseconds after which a leak ends that no process has found again. The store of states keeps an unused state as long. */
const OUTDATED_MS = 14 * 86_400_000

/** The observations of one process on one dimension that can disprove an earlier leak by values. No count is ever halved. */
export interface LeakEvidence {
  readonly dimension: string
  /** Pairs of consecutive requests for one key with different values of the dimension. */
  readonly pairs: number
  /** The seconds between the first and the last of these pairs. */
  readonly seconds: number
  /**
   * The share of different answers among pairs of consecutive requests with different values of the dimension, minus the share among such
   * pairs with the same value; not above 0 if the answers do not depend on the dimension. `undefined`: too few pairs to compare.
   */
  readonly excess: number | undefined
}

/** Counts of pairs of consecutive requests for one key: `near`, those with the same value of the dimension, and `pairs`, the others. */
interface PairCounts {
  readonly pairs: number
  readonly differingPairs: number
  readonly near: number
  readonly nearAgreeing: number
}

/** Returns `LeakEvidence.excess`. */
export function excessOf ({ pairs, differingPairs, near, nearAgreeing }: PairCounts): number | undefined {
  if (pairs === 0 || near < LEAST_NEAR || nearAgreeing < near * LEAST_AGREEING) return undefined
  return differingPairs / pairs - (near - nearAgreeing) / near
}

/**
 * Whether the values for unchanged keys no longer depend on the dimension of a leak.
 * @param earlierSeconds the length of the earlier observation; the evidence must span as long, but at most a day
 */
export function isDisprovedByValues (leak: MissingDimension, evidence: LeakEvidence, earlierSeconds: number): boolean {
  const { dimension, pairs, seconds, excess } = evidence
  if (dimension !== leak.dimension || excess === undefined) return false
  return pairs >= Math.max(LEAST, leak.pairs) * VALUE_FACTOR && seconds >= Math.min(LONGEST, earlierSeconds) &&
    excess <= leak.differing / Math.max(1, leak.pairs) / 2
}

/**
 * The requests of later processes for keys with hashes below `limit`, all of them new. `keys`: the number of different new keys, counted up
 * to `ENOUGH_KEYS` at least. `earlierKeys`: the number of earlier keys below the limit.
 */
export interface NewKeys { readonly sampled: number; readonly keys: number; readonly earlierKeys: number; readonly limit: number }

/**
 * Whether requests for new keys alone disprove a leak: a dimension that is added to the key changes all keys, and makes no fewer of them.
 * Many requests for one new key disprove nothing, since a client may poll a new item.
 */
export function isDisprovedByKeys (leak: MissingDimension, { sampled, keys, earlierKeys, limit }: NewKeys): boolean {
  return earlierKeys > 0 && keys >= Math.min(ENOUGH_KEYS, earlierKeys) &&
    sampled >= LEAST && sampled * HASHES / limit >= (leak.compared ?? leak.pairs)
}

/** Whether a leak was found so long ago that it ends; both times in milliseconds since 1970. */
export function isOutdated (found: number, now: number): boolean {
  return now - found > OUTDATED_MS
}
