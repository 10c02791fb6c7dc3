// Measures two sides, that is two builds or two rivals, in pairs of turns in the order A/B/B/A.
import { median } from '../measure.js'
import { medianInterval } from './interval.js'

const MAX_PAIRS = Number(process.env.PAIRS ?? 120)
/** Measuring ends when half the width of the confidence interval is at most this fraction of the median. */
export const TOLERANCE = 0.015
const WARM_UPS = 4
/**
 * The number of pairs that are measured in the same two processes. More pairs give more ratios in the same time, but show less of how much
 * processes differ.
 */
const PAIRS_PER_BLOCK = 6

/**
 * Measures one pair: two turns of each side in the order A/B/B/A, so that a slow change of the machine's speed cancels out. Returns the mean
 * figures of both sides.
 */
async function runPair (one, other) {
  const first = await one.turn()
  const others = (await other.turn() + await other.turn()) / 2
  return [(first + await one.turn()) / 2, others]
}

/**
 * Measures one block: starts two fresh processes and returns the figures of several pairs. Every other block, and every other pair, begins
 * with the second side.
 */
async function runBlock (starts, number, { pairsPerBlock: most = PAIRS_PER_BLOCK, warmUps = WARM_UPS }) {
  const pairsPerBlock = Math.min(most, MAX_PAIRS)
  const inOrder = (pair) => number % 2 === 0 ? pair : pair.toReversed()
  const sides = inOrder(await Promise.all(inOrder(starts).map((start) => start())))
  const pairs = []
  try {
    for (let turn = 0; turn < warmUps; turn++) for (const side of sides) await side.turn()
    for (let pair = 0; pair < pairsPerBlock; pair++) {
      const startsWithOther = (number * pairsPerBlock + pair) % 2 === 1
      pairs.push(startsWithOther ? (await runPair(sides[1], sides[0])).toReversed() : await runPair(sides[0], sides[1]))
    }
  } finally {
    await Promise.all(sides.map((side) => side.stop()))
  }
  return pairs
}

/**
 * Measures blocks until the 95 % interval of the median ratio is within `tolerance` of the median, or `most` pairs are done: 120 by default,
 * and at most the number in the environment variable `PAIRS`, for a trial. `starts` are two functions that start a side. Returns the ratio
 * first / second as `{ middle, low, high, pairs, isResolved }`, and as `figures` the median of each side.
 */
export async function comparePairs (starts, { tolerance = TOLERANCE, most = MAX_PAIRS, ...how } = {}) {
  const blocks = []
  for (;;) {
    blocks.push(await runBlock(starts, blocks.length, how))
    const all = blocks.flat()
    const interval = medianInterval(blocks.map((pairs) => pairs.map(([one, other]) => one / other)))
    const isResolved = interval.high - interval.middle <= tolerance * interval.middle && interval.middle - interval.low <= tolerance * interval.middle
    if (isResolved || all.length >= Math.min(most, MAX_PAIRS)) {
      return { ...interval, pairs: all.length, isResolved, figures: [0, 1].map((side) => median(all.map((pair) => pair[side]))) }
    }
  }
}
