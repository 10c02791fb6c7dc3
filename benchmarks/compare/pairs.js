// Measures one row, that is one operation of the files in `rows/`, on two builds, in pairs of turns in the order A/B/B/A.
import { medianInterval } from './interval.js'
import { startSide } from './start-side.js'

const MAX_PAIRS = Number(process.env.PAIRS ?? 120)
/** The half width of the confidence interval, as a fraction of the median, at which measuring ends. */
const TOLERANCE = 0.015
const WARM_UPS = 4
/**
 * The number of pairs that are measured in the same two processes. More pairs give more ratios in the same time, but show less of how much
 * processes differ.
 */
const PAIRS_PER_BLOCK = 6

/**
 * Returns the ratio `one` / `other` of one pair: two turns of each build in the order A/B/B/A, so that a slow change of the machine's speed
 * cancels out.
 */
async function runPair (one, other, calls) {
  const first = await one.turn(calls)
  const others = await other.turn(calls) + await other.turn(calls)
  return (first + await one.turn(calls)) / others
}

/**
 * Measures one block: starts two fresh processes and returns the ratios of several pairs, this build / base. Every other pair begins with
 * the base.
 */
async function runBlock (row, builds, context, number) {
  const order = number % 2 === 0 ? builds : builds.toReversed()
  const sides = await Promise.all(order.map((build) => startSide(build, row, context(build))))
  const [ours, base] = number % 2 === 0 ? sides : sides.toReversed()
  const { pairsPerBlock = PAIRS_PER_BLOCK, warmUps = WARM_UPS, calls } = row
  const ratios = []
  try {
    for (let turn = 0; turn < warmUps; turn++) for (const side of sides) await side.turn(calls)
    for (let pair = 0; pair < pairsPerBlock; pair++) {
      const startsWithBase = (number * pairsPerBlock + pair) % 2 === 1
      ratios.push(startsWithBase ? 1 / await runPair(base, ours, calls) : await runPair(ours, base, calls))
    }
  } finally {
    await Promise.all([ours.stop(), base.stop()])
  }
  return ratios
}

/**
 * Measures blocks until the 95 % interval of the median ratio is within ± 1.5 % of the median, or 120 pairs are done (or the number in the
 * environment variable `PAIRS`, for a trial). Returns `{ middle, low, high, pairs, isResolved }`.
 */
export async function comparePairs (row, builds, context) {
  const blocks = []
  for (let pairs = 0; ;) {
    blocks.push(await runBlock(row, builds, context, blocks.length))
    pairs += blocks.at(-1).length
    const interval = medianInterval(blocks)
    const isResolved = interval.high - interval.middle <= TOLERANCE * interval.middle && interval.middle - interval.low <= TOLERANCE * interval.middle
    if (isResolved || pairs >= MAX_PAIRS) return { ...interval, pairs, isResolved }
  }
}
