/** The settings of an artificial trace, whose ids follow a Zipf distribution. */
export interface ZipfOptions {
  /** The number of requests in the trace. */
  length: number
  /** The number of different ids. */
  ids: number
  /** The skew of the distribution: the n-th most popular id is requested in proportion to `1 / n ** skew`. Web traffic has 0.6 to 1. */
  skew: number
  seed: number
}

/** The settings of the trace that `replay` sends if no trace file is given. */
export const DEFAULT_ZIPF: ZipfOptions = { length: 20_000, ids: 20_000, skew: 0.9, seed: 1 }
/** The settings of the trace in the file `traces/zipf.ids`. */
export const SMALL_ZIPF: ZipfOptions = { length: 4000, ids: 2000, skew: 0.9, seed: 2 }

/**
 * Independent draws from a Zipf distribution (Breslau et al., "Web Caching and Zipf-like Distributions", INFOCOM 1999), which are the same
 * for the same options. Real traffic also has trends and bursts, with which a cache has more hits, so a real trace gives better estimates.
 */
export function * zipfTrace ({ length, ids, skew, seed }: ZipfOptions): Generator<string> {
  const cumulative = new Float64Array(ids)
  let sum = 0
  for (let rank = 0; rank < ids; rank++) cumulative[rank] = sum += 1 / (rank + 1) ** skew
  const random = seededRandom(seed)
  for (let count = 0; count < length; count++) yield String(firstAbove(cumulative, random() * sum))
}

function firstAbove (sorted: Float64Array, value: number): number {
  let low = 0
  let high = sorted.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! > value) high = middle
    else low = middle + 1
  }
  return low
}

/**
 * A generator of random numbers from 0 to 1 with a seed, which Math.random does not accept (mulberry32 by Tommy Ettinger, public domain).
 */
export function seededRandom (seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
