// The median of paired ratios, and a 95 % confidence interval of it.
//
// Pairs that were measured in the same two processes share those processes' memory layout and compiled code, so they are not
// independent: the interval comes from a bootstrap that resamples whole blocks (Davison and Hinkley, "Bootstrap Methods and their
// Application", 1997, §3.8 for grouped data, §5.3 for the percentile interval).
import { median } from '../measure.js'

const RESAMPLES = 2000
/** Fewer blocks say too little about how much processes differ. */
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
 * `blocks` holds the ratios of each block, one list per pair of processes. Answers `{ middle, low, high }`; with fewer than five
 * blocks `low` is 0 and `high` is Infinity.
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
