// The median of paired ratios, and a 95 % confidence interval of the median.
//
// Pairs that were measured in the same two processes share the memory layout and the compiled code of these processes, so they are not
// independent. The interval therefore comes from a bootstrap that resamples whole blocks of pairs (Davison and Hinkley, "Bootstrap Methods
// and their Application", 1997, §3.8 for grouped data, §5.3 for the percentile interval).
import { median } from '../measure.js'

const RESAMPLES = 2000
/** The minimum number of blocks: fewer blocks do not show how much processes differ. */
const MIN_BLOCKS = 5

/** A generator of numbers in [0, 1) with a fixed seed, so that the same ratios always give the same interval (mulberry32, Tommy Ettinger). */
function uniform (seed) {
  let state = seed
  return () => {
    state = (state + 0x6D2B79F5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Computes the median and its interval. `blocks` has one list of ratios per pair of processes. Returns `{ middle, low, high }`; with fewer
 * than five blocks `low` is 0 and `high` is Infinity.
 */
export function medianInterval (blocks) {
  const middle = median(blocks.flat())
  if (blocks.length < MIN_BLOCKS) return { middle, low: 0, high: Infinity }
  const next = uniform(1)
  const medians = Array.from({ length: RESAMPLES }, () =>
    median(Array.from(blocks, () => blocks[Math.floor(next() * blocks.length)]).flat()))
  medians.sort((a, b) => a - b)
  return { middle, low: medians[Math.floor(RESAMPLES * 0.025)], high: medians[Math.ceil(RESAMPLES * 0.975) - 1] }
}
