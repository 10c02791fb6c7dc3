// Measures how costs grow: with entries, tags, value sizes, connections, processes, key patterns and routes. Wanted: no curve grows faster
// than its order in growth/curves.js. Usage: node growth.js [--only TEXT]… [--write]
import { readFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startRedis } from './apps/redis-server.js'
import { thisTree } from './compare/builds.js'
import { choose, readArguments, runCommand } from './compare/command.js'
import { startSide } from './compare/start-side.js'
import { chartOf, short } from './growth/chart.js'
import { curves } from './growth/curves.js'
import { judgeOrder } from './growth/order.js'
import { median } from './measure.js'
import { commit, headLines, line, machine } from './table/results.js'

const FOLDER = join(import.meta.dirname, 'results')
const DATA = join(FOLDER, 'growth.json')
const ROUNDS = Number(process.env.ROUNDS ?? 9)
const WARM_UPS = 4

/**
 * Starts the processes of one point. If a point has several processes, a turn runs in all of them at once, and its figure is their mean.
 */
async function startPoint ({ name, side: { file, row, ...own }, context, processes = () => 1 }, x, url) {
  const { rows } = await import(`./compare/rows/${file}.js`)
  const full = { ...rows[row], ...own, file, name: row }
  const each = { ...context(x), url, keyPrefix: `${name}:${x}:` }
  const sides = await Promise.all(Array.from({ length: processes(x) }, () => startSide({ name: `${name}, ${x}`, root: thisTree }, full, each)))
  return {
    figure: full.figure,
    async turn () {
      const figures = await Promise.all(sides.map((one) => one.turn()))
      return figures.reduce((sum, figure) => sum + figure, 0) / figures.length
    },
    stop: () => Promise.all(sides.map((one) => one.stop()))
  }
}

/** Measures one curve. Its points are measured in turns, so that a change of the machine's speed does not look like growth. */
async function measureCurve (curve, url) {
  const { xs, rounds = ROUNDS, warmUps = WARM_UPS } = curve
  const points = []
  const figures = xs.map(() => [])
  try {
    for (const x of xs) points.push(await startPoint(curve, x, url))
    for (let round = -warmUps; round < rounds; round++) {
      for (const [at, point] of points.entries()) {
        const figure = await point.turn()
        if (round >= 0) figures[at].push(figure)
      }
    }
  } finally {
    await Promise.all(points.map((point) => point.stop()))
  }
  const isBytes = points[0].figure === 'own'
  const seen = xs.map((x, at) => [x, median(figures[at]) / (isBytes ? 1 : 1000)])
  const { name, x, order } = curve
  return { name, x, order, unit: isBytes ? 'bytes' : 'µs of CPU time', points: seen, ...judgeOrder(seen, order) }
}

const HEAD = ['curve', 'figures', 'stated', 'slope', 'verdict']
const cellsOf = ({ name, points, unit, order, slope, isWorse }) =>
  [name, `${points.map(([x, y]) => `${short(x)}: ${short(y)}`).join(', ')} ${unit}`, order, slope.toFixed(2), isWorse ? 'worse than stated' : 'yes']
const fileOf = (name) => `growth-${name.toLowerCase().replace(/[^a-z]+/g, '-')}.svg`

/** Writes the charts and the table; curves of earlier runs that were not measured again stay. */
function writeResults (measured) {
  const earlier = existsSync(DATA) ? JSON.parse(readFileSync(DATA, 'utf8')) : []
  const at = { date: new Date().toISOString().slice(0, 10), commit: commit(), node: process.version, machine: machine() }
  const all = curves.flatMap(({ name }) => measured.filter((each) => each.name === name).map((each) => ({ ...each, ...at }))
    .concat(earlier.filter((each) => each.name === name)).slice(0, 1))
  writeFileSync(DATA, `${JSON.stringify(all, null, 1)}\n`)
  for (const curve of measured) writeFileSync(join(FOLDER, fileOf(curve.name)), chartOf(curve))
  const heads = [...new Set(all.map(({ date, commit: revision, node, machine: on }) => `Node ${node}, ${date}, commit ${revision}; ${on}.`))]
  writeFileSync(join(FOLDER, 'growth.md'), [
    '# Growth', '', '`npm run bench -- growth --write` writes this file; [the README](../README.md) says how it measures.', '', ...heads, '',
    ...headLines(HEAD), ...all.map((curve) => line(cellsOf(curve))), '', ...all.map(({ name }) => `![${name}](${fileOf(name)})`), ''
  ].join('\n'))
}

async function growth () {
  const { only, write } = readArguments({ write: { type: 'boolean', default: false } }, 'growth [--only TEXT]… [--write]')
  const chosen = choose('curve', curves, only)
  const measured = []
  let redis
  try {
    for (const text of headLines(HEAD)) console.log(text)
    for (const curve of chosen) {
      if (curve.needsRedis) redis ??= await startRedis()
      measured.push(await measureCurve(curve, redis?.url))
      console.log(line(cellsOf(measured.at(-1))))
      if (write) writeResults(measured)
    }
  } finally {
    await redis?.stop()
  }
  return measured.every(({ isWorse }) => !isWorse)
}

await runCommand(growth)
