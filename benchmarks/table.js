// Measures the suite against constants, bare libraries and other caches, in one run. Rivals and wanted ratios: table/rows.js. The figure
// is the CPU time of the server's or caller's process, or calls per second where a minimum is wanted. Usage: node table.js [--only TEXT]…
// [--node VERSION] [--write]
import { createRequire } from 'node:module'
import { startRedis } from './apps/redis-server.js'
import { choose, readArguments, runCommand } from './compare/command.js'
import { canCount } from './table/instructions.js'
import { measureRow } from './table/measure-row.js'
import { provideNode } from './table/node.js'
import { cellsOf, commit, HEAD, headLines, line, machine, writeResults } from './table/results.js'
import { rows } from './table/rows.js'

const { resolve } = createRequire(import.meta.url)
const OPTIONS = { node: { type: 'string' }, write: { type: 'boolean', default: false } }

function isInstalled (name) {
  try {
    return resolve(name) !== ''
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error
    return false
  }
}

/** Returns why a row cannot be measured, as a sentence; `undefined` if it can. */
function reasonToSkip ({ needs = [], minNode }, version) {
  const [major, minor] = version.slice(1).split('.').map(Number)
  if (minNode !== undefined && (major < minNode[0] || (major === minNode[0] && minor < minNode[1]))) return `the rival needs Node ${minNode.join('.')}, and this is ${version}.`
  const missing = needs.filter((name) => !isInstalled(name))
  return missing.length === 0 ? undefined : `npm install has not installed ${missing.join(', ')}.`
}

/** Measures the rows, one after the other; `onRow` receives the rows so far after each, so that a run that is cut off leaves its results. */
async function measureAll (chosen, { execPath, version, counts }, onRow) {
  const measured = []
  let redis
  try {
    for (const line_ of headLines(HEAD)) console.log(line_)
    const context = { execPath, counts }
    for (const row of chosen) {
      const skipped = reasonToSkip(row, version)
      if (row.needsRedis) redis ??= await startRedis()
      measured.push(skipped === undefined ? await measureRow(row, Object.assign(context, { url: redis?.url })) : { name: row.name, skipped })
      console.log(line(cellsOf(measured.at(-1))))
      onRow(measured)
    }
  } finally {
    await redis?.stop()
  }
  return measured
}

async function table () {
  const { only, node: wantedNode, write } = readArguments(OPTIONS, 'table [--only TEXT]… [--node VERSION] [--write]')
  const chosen = choose('row', rows, only)
  const node = await provideNode(wantedNode)
  const counts = canCount()
  const instructions = counts ? 'Instructions were counted with perf.' : 'Instructions are not counted: perf is not installed, or this machine has no counter.'
  console.log(`Node ${node.version}; ${machine()}\n${instructions}\n`)
  const command = ['npm run bench -- table', ...process.argv.slice(2).map((each) => /\s/.test(each) ? JSON.stringify(each) : each)].join(' ')
  const run = { date: new Date().toISOString().slice(0, 16).replace('T', ' '), commit: commit(), machine: machine(), node: node.version, command, instructions }
  const measured = await measureAll(chosen, { ...node, counts }, (seen) => { if (write) writeResults({ ...run, rows: seen }) })
  return measured.every(({ verdict, skipped }) => skipped !== undefined || verdict === 'yes' || verdict === '–')
}

await runCommand(table)
