/** A made-up trace. */
export interface ZipfOptions {
  /** Requests. */
  length: number
  /** How many different ids there are to ask for. */
  ids: number
  /** How uneven: the n-th most popular id is asked for in proportion to `1 / n ** skew`. Web traffic: 0.6 to 1. */
  skew: number
  seed: number
}

/** The ids that `replay` sends without a trace. */
export const DEFAULT_ZIPF: ZipfOptions = { length: 20_000, ids: 20_000, skew: 0.9, seed: 1 }
/** The text of `traces/zipf.ids`. */
export const SMALL_ZIPF: ZipfOptions = { length: 4000, ids: 2000, skew: 0.9, seed: 2 }

/**
 * Independent draws from a Zipf distribution (Breslau et al., "Web Caching and Zipf-like Distributions", INFOCOM 1999), the
 * same for the same options. Real traffic also has trends and bursts, which favour a cache: judge by a real trace.
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

/** Numbers from 0 to 1 (Tommy Ettinger's mulberry32, public domain): Math.random takes no seed. */
export function seededRandom (seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
