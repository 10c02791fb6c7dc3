// Measures one row on both builds, in pairs of turns in the order A/B/B/A.
import { medianInterval } from './interval.js'
import { startSide } from './start-side.js'

const MAX_PAIRS = Number(process.env.PAIRS ?? 120)
/** Half the width of an interval that is narrow enough, as a part of the median. */
const TOLERANCE = 0.015
const WARM_UPS = 4

/** One block: two fresh processes, so many pairs. The ratio of a pair is this build / base. */
async function runBlock (row, builds, context, isFirst) {
  const sides = await Promise.all(builds.map((build) => startSide(build, row, context(build))))
  const [ours, base] = sides
  const pairs = row.pairsPerBlock ?? 4
  const ratios = []
  try {
    for (let turn = 0; turn < (row.warmUps ?? WARM_UPS); turn++) for (const side of sides) await side.turn()
    for (let pair = 0; pair < pairs; pair++) {
      const isReversed = pairs === 1 ? isFirst : pair % 2 === 1
      const figures = new Map()
      for (const side of isReversed ? [base, ours] : [ours, base]) figures.set(side, await side.turn())
      ratios.push(figures.get(ours) / figures.get(base))
    }
  } finally {
    await Promise.all(sides.map((side) => side.stop()))
  }
  return ratios
}

/**
 * Blocks until the 95 % interval of the median ratio lies within ± 1.5 % of it, or 120 pairs are done (`PAIRS` in the environment: fewer, for a
 * trial): `{ middle, low, high, pairs, isResolved }`.
 */
export async function comparePairs (row, builds, context) {
  const blocks = []
  for (let pairs = 0; ;) {
    blocks.push(await runBlock(row, builds, context, blocks.length % 2 === 0))
    pairs += blocks.at(-1).length
    const interval = medianInterval(blocks)
    const isResolved = interval.high - interval.middle <= TOLERANCE * interval.middle && interval.middle - interval.low <= TOLERANCE * interval.middle
    if (isResolved || pairs >= MAX_PAIRS) return { ...interval, pairs, isResolved }
  }
}
