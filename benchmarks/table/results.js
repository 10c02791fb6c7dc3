// The results of `table.js` that are checked in: `results/table.json`, and `results/table.md`, which is written from it.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'

const FOLDER = join(import.meta.dirname, '../results')
const DATA = join(FOLDER, 'table.json')

/** Returns the description of this machine. */
export function machine () {
  const processors = cpus()
  return `${processors.length} × ${processors[0].model}, ${Math.round(totalmem() / 2 ** 30)} GB, ${type()} ${release()}`
}

/** Returns the hash of the measured commit, with a mark if the sources differ from the commit. */
export function commit () {
  const git = (...args) => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
  return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain', '--', '../../packages') === '' ? '' : ', changed')
}

const showRatio = ({ ratio, isResolved, isFigure }) => isFigure ? '–' : isResolved ? ratio.toFixed(3) : 'not resolved'
const showInterval = ({ low, high }) => typeof high === 'number' && Number.isFinite(high) ? `${low.toFixed(3)}–${high.toFixed(3)}` : '–'

export const HEAD = ['row', 'this', 'rival', 'ratio', '95 % interval', 'pairs', 'wanted', 'verdict']

/** Returns the cells of a row in the order of `HEAD`; a row that was skipped has the reason as its verdict. */
export function cellsOf (row) {
  if (row.skipped !== undefined) return [row.name, '–', '–', '–', '–', '0', '–', `skipped: ${row.skipped}`]
  const name = row.instructions === undefined ? row.name : `${row.name} (instructions ${row.instructions.toFixed(3)})`
  return [name, row.this, row.rival, showRatio(row), showInterval(row), String(row.pairs), row.wanted, row.verdict]
}

export const line = (cells) => `| ${cells.join(' | ')} |`
export const headLines = (head) => [line(head), line(head.map(() => '---'))]

/** Returns the Markdown of one run. */
function runLines ({ date, commit: revision, machine: on, node, command, instructions, rows }) {
  return [
    `## Node ${node}, ${date}`, '',
    `Commit ${revision}; ${on}; \`${command}\`. ${instructions}`, '',
    ...headLines(HEAD), ...rows.map((row) => line(cellsOf(row))), ''
  ]
}

/** Returns the Markdown of the ratios on several versions of Node, if there are several. */
function sideBySide (runs) {
  const versions = [...new Set(runs.map(({ node }) => node))]
  if (versions.length < 2) return []
  const at = (name, node) => runs.filter((run) => run.node === node).flatMap(({ rows }) => rows).find((row) => row.name === name)
  const names = [...new Set(runs.flatMap(({ rows }) => rows.map(({ name }) => name)))]
  const cell = (row) => row === undefined ? '–' : row.skipped !== undefined ? 'skipped' : row.isFigure ? row.this : showRatio(row)
  const lines = names.map((name) => line([name, ...versions.map((node) => cell(at(name, node)))]))
  return ['## Ratios, version by version', '', ...headLines(['row', ...versions]), ...lines, '']
}

/**
 * Writes the results of a run. A row that an earlier run on the same Node has measured is replaced; a row of an earlier run that was not
 * measured again stays under the heading of its run.
 */
export function writeResults (run) {
  const measured = new Set(run.rows.map(({ name }) => name))
  const earlier = existsSync(DATA) ? JSON.parse(readFileSync(DATA, 'utf8')) : []
  const left = earlier
    // An earlier result of the same run, with fewer rows, is replaced as a whole.
    .filter((each) => each.node !== run.node || each.date !== run.date || each.command !== run.command)
    .map((each) => each.node === run.node ? { ...each, rows: each.rows.filter(({ name }) => !measured.has(name)) } : each)
    .filter(({ rows }) => rows.length > 0)
  const runs = [...left, run]
  writeFileSync(DATA, `${JSON.stringify(runs, null, 1)}\n`)
  writeFileSync(join(FOLDER, 'table.md'), ['# Table', '', '`npm run bench -- table` writes this file; [the README](../README.md) says how it measures.', '', ...runs.flatMap(runLines), ...sideBySide(runs)].join('\n'))
}
