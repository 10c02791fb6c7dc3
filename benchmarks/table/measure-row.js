// Measures a row of `rows.js`; returns the cells of the table.
import { thisTree } from '../compare/builds.js'
import { comparePairs } from '../compare/pairs.js'
import { startSide } from '../compare/start-side.js'
import { instructionRatio } from './instructions.js'

/**
 * The settings for a row without a wanted ratio, which only shows the distance to a rival. They are less precise, so that the time of the
 * run is used for the rows with a verdict.
 */
const OF_RIVALS = { tolerance: 0.1, pairsPerBlock: 2, most: 24 }

/** Returns a function that starts a side in a process of its own, on the given Node. */
async function starterOf ({ file, row: name, context, ...own }, { execPath, url }) {
  const { rows, rivals } = await import(`../compare/rows/${file}.js`)
  const row = { ...{ ...rows, ...rivals }[name], ...own, file, name }
  return { row, start: () => startSide({ name: 'this tree', root: thisTree, execPath }, row, { ...context, url }) }
}

function showTime (nanoseconds) {
  return nanoseconds < 1000 ? `${nanoseconds.toFixed(0)} ns` : `${(nanoseconds / 1000).toFixed(nanoseconds < 100_000 ? 1 : 0)} µs`
}
const SHOW = { cpu: showTime, wall: (nanoseconds) => `${Math.round(1e9 / nanoseconds)} /s`, own: (bytes) => `${Math.round(bytes)} bytes` }

async function measurePairs (row, context) {
  const sides = await Promise.all([row.one, row.other].map((side) => starterOf(side, context)))
  const { pairsPerBlock, warmUps, figure } = sides[0].row
  const isRate = figure === 'wall'
  // The ratio of two rates is the inverse ratio of the times.
  const inOrder = (pair) => isRate ? pair.toReversed() : pair
  const isJudged = row.atMost !== undefined || row.atLeast !== undefined
  const how = { warmUps, ...isJudged ? { pairsPerBlock, tolerance: row.tolerance } : { ...OF_RIVALS, pairsPerBlock: Math.min(pairsPerBlock ?? Infinity, OF_RIVALS.pairsPerBlock) } }
  const seen = await comparePairs(inOrder(sides).map(({ start }) => start), how)
  const [own, rival] = inOrder(seen.figures).map(SHOW[figure])
  // Instructions are not counted for a proxy, whose processes are not started by this one, nor for a heap, which has no calls.
  const canCount = context.counts && sides.every(({ row: { calls, file } }) => calls !== undefined && file !== 'proxy')
  const instructions = canCount ? await instructionRatio(sides) : undefined
  return { this: own, rival, instructions, ratio: seen.middle, low: seen.low, high: seen.high, pairs: seen.pairs, isResolved: seen.isResolved }
}

/** Runs a side once. Rows that read two counts of the same run share that run. */
async function measureOnce ({ once, figureOf, show }, context) {
  context.seen ??= new Map()
  const key = `${once.file}: ${once.row}`
  if (!context.seen.has(key)) {
    const { start } = await starterOf(once, context)
    const side = await start()
    try {
      context.seen.set(key, await side.turn(1))
    } finally {
      await side.stop()
    }
  }
  const figure = figureOf(context.seen.get(key))
  return { this: show(figure), rival: '–', ratio: figure, pairs: 1, isResolved: true, isFigure: true }
}

function verdictOf ({ atMost, atLeast }, { ratio, isResolved }) {
  if (!isResolved) return 'not resolved'
  if (atMost !== undefined) return ratio <= atMost ? 'yes' : 'no'
  if (atLeast !== undefined) return ratio >= atLeast ? 'yes' : 'no'
  return '–'
}

function wantedOf ({ atMost, atLeast, once, show }) {
  if (atMost !== undefined) return `≤ ${once === undefined ? atMost : show(atMost)}`
  return atLeast === undefined ? '–' : `≥ ${atLeast}`
}

/** Measures one row. `context` has the path of Node and the address of Redis. Rejects if a side of the row fails. */
export async function measureRow (row, context) {
  const seen = await (row.once === undefined ? measurePairs : measureOnce)(row, context)
  return { name: row.name, ...seen, wanted: wantedOf(row), verdict: verdictOf(row, seen) }
}
