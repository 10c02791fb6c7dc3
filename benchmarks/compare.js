// Compares this working tree with another revision: whether it is slower or larger. Rival: the revision of option --base, built in a
// temporary folder. Both are measured in turns in the same run. Wanted: hits and sets at most 1.03 times the rival's CPU time; a miss on
// Redis at most one command and one round trip more; a small entry at most 0.8 of the rival's heap. Usage: node compare.js [--base REV]
// [--only TEXT]…
import { startRedis } from './apps/redis-server.js'
import { buildBase, thisTree } from './compare/builds.js'
import { choose, readArguments, runCommand } from './compare/command.js'
import { comparePairs } from './compare/pairs.js'
import { startSide } from './compare/start-side.js'

const FILES = ['redis-cache', 'memory-cache', 'http', 'miss', 'heap']
const DEFAULT_BASE = '262b094'

/** Returns the rows whose name contains one of the given texts; without a text all rows. */
async function chooseRows (only) {
  const rows = []
  for (const file of FILES) {
    for (const [name, row] of Object.entries((await import(`./compare/rows/${file}.js`)).rows)) rows.push({ file, name, ...row })
  }
  return choose('row', rows, only)
}

/** Measures a row whose figure is a ratio of two times, from pairs of turns; returns the cells of the printed table. */
async function judgePairs (row, builds, context) {
  const { middle, low, high, pairs, isResolved } = await comparePairs(builds.map((build) => () => startSide(build, row, context(build))), row)
  const verdict = !isResolved ? 'not resolved' : middle <= row.atMost ? 'yes' : 'NO'
  return [middle.toFixed(3), Number.isFinite(high) ? `${low.toFixed(3)}–${high.toFixed(3)}` : '-', pairs, `≤ ${row.atMost}`, verdict]
}

/** Measures a row whose figure is the same in every run (a count or a share), once per build; returns the cells of the printed table. */
async function judgeOnce (row, builds, context) {
  const seen = []
  for (const build of builds) seen.push(await row.observe((each) => startSide(build, row, each), context(build)))
  const [ours, base] = seen
  for (const [at, { note }] of seen.entries()) if (note !== undefined) console.log(`  ${builds[at].name}: ${note}`)
  const isGood = row.within === undefined ? ours.figure <= base.figure + row.more : ours.figure >= row.within[0] && ours.figure <= row.within[1]
  const show = (figure) => row.within === undefined ? String(figure) : figure.toFixed(2)
  return [`${show(ours.figure)} (${show(base.figure)})`, '-', 1, row.within === undefined ? `≤ base + ${row.more}` : row.within.join('–'), isGood ? 'yes' : 'NO']
}

const WIDTHS = [42, 15, 13, 6, 12, 12]
const line = (cells) => cells.map((cell, at) => String(cell).padEnd(WIDTHS[at])).join(' ').trimEnd()

async function compare () {
  const { base: revision, only } = readArguments({ base: { type: 'string', default: DEFAULT_BASE } }, 'compare [--base REV] [--only TEXT]…')
  const rows = await chooseRows(only)
  console.log(`Building ${revision} …`)
  const base = await buildBase(revision)
  const builds = [{ name: 'this', root: thisTree }, { name: 'base', root: base.root }]
  let redis
  let isGood = true
  try {
    console.log(`This build against ${base.commit.slice(0, 12)}\n\n${line(['row', 'ratio', 'interval', 'pairs', 'wanted', 'verdict'])}`)
    for (const row of rows) {
      if (row.needsRedis) redis ??= await startRedis()
      const context = ({ name }) => ({ url: redis?.url, keyPrefix: `${name}:` })
      const cells = await (row.observe === undefined ? judgePairs : judgeOnce)(row, builds, context)
      console.log(line([row.name, ...cells]))
      isGood &&= cells.at(-1) === 'yes'
    }
  } finally {
    await redis?.stop()
  }
  return isGood
}

await runCommand(compare)
