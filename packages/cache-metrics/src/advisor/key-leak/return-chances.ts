import type { LagCounts } from './lag-counts.js'

/**
 * The opportunities for a return (an older answer of a key that occurs again) after n requests: the earlier requests with at least n
 * requests before them, on one key and on all keys.
 */
export interface Chances {
  /** The sum of the opportunities on this key for returns after 1, 2, … and n requests. */
  readonly upTo: number
  /**
   * The number of requests for this key that can be compared with at least n earlier requests, so that a return after exactly n requests
   * was possible; `anywhere` has the number on all keys.
   */
  readonly here: number
  readonly anywhere: number
  /** The number of all requests, on this key; `requestsAnywhere` has the number on all keys. */
  readonly requestsHere: number
  readonly requestsAnywhere: number
}

/**
 * Counts the opportunities for a return after `lag` requests.
 * @param size the number of remembered requests per key, including the request that is being written
 * @param reaches the number of requests by their reach, the number of earlier requests that each could be compared with
 */
export function chancesOf (size: number, reaches: LagCounts, slot: number, lag: number): Chances {
  let upTo = 0
  let here = 0
  let anywhere = 0
  for (let reach = 1; reach < size; reach++) {
    const count = reaches.here(slot, reach)
    upTo += count * Math.min(reach, lag)
    if (reach < lag) continue
    here += count
    anywhere += reaches.anywhere(reach)
  }
  return { upTo, here, anywhere, requestsHere: reaches.sumHere(slot), requestsAnywhere: reaches.sumAnywhere() }
}

/** Returns the probability that values of a dimension return after `lag` requests: the largest of three estimates (see `KeyLeak`). */
export function chanceOf (
  lags: LagCounts, slot: number, lag: number, { upTo, here, anywhere, requestsHere, requestsAnywhere }: Chances
): number {
  // A dimension that was observed later than the first request had fewer opportunities, so their number is reduced in proportion.
  const shareHere = Math.min(1, lags.sumHere(slot) / Math.max(1, requestsHere))
  const shareAnywhere = Math.min(1, lags.sumAnywhere() / Math.max(1, requestsAnywhere))
  let back = 0
  for (let shorter = 1; shorter <= lag; shorter++) back += lags.here(slot, shorter)
  return Math.max(
    (back + 0.5) / (upTo * shareHere + 1),
    lags.here(slot, lag) / Math.max(1, here * shareHere),
    lags.anywhere(lag) / Math.max(1, anywhere * shareAnywhere)
  )
}
