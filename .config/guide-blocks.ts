// Writes the generated parts of READMEs and of the guide: code from its files, error codes, the comparison with other caches,
// published figures. Run "npm run docs:guide" after a change of one of them; .ci/checks/guide.test.ts compares.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, extname, join, relative, resolve } from 'node:path'
import { EXPECTATIONS, HTTP_EXPECTATIONS, HTTP_NAMES, NAMES, type Cell } from '../examples/guide/test/rivals/expectations.js'
import { errorTable } from './error-tables.js'

const ROOT = join(import.meta.dirname, '..')
const GUIDE = join(ROOT, 'examples/guide')
const RIVALS = join(GUIDE, 'test/rivals')

/** The documents with generated parts. */
export const DOCUMENTS: readonly string[] = [
  join(ROOT, 'README.md'),
  join(ROOT, 'packages/cache-core/README.md'),
  join(ROOT, 'examples/custom-cache/README.md'),
  ...readdirSync(GUIDE).filter((name) => name.endsWith('.md')).map((name) => join(GUIDE, name))
]

/** The rows of the published results that the README shows. */
const FIGURES = [
  'core + metrics on NullCache / app without, PostgreSQL',
  'stored response / constant',
  'stored response, early by server / nginx',
  'memory getOrSet hit, freeze / lru-cache',
  'heap per entry, untagged, clone / Map of JSON texts'
]

/** The rows of the published results that compare a call of the suite with that of another package: the title, and the row by the package. */
const MEASURED: readonly { readonly title: string; readonly rows: Readonly<Record<string, string>> }[] = [
  { title: 'a hit of `getOrSet` in memory', rows: { BentoCache: 'memory getOrSet hit, freeze / BentoCache', 'async-cache-dedupe': 'memory getOrSet hit, freeze / async-cache-dedupe' } },
  { title: 'a hit of `get` in memory, with a copy for each reader', rows: { BentoCache: 'memory get, clone / BentoCache, serialising', 'cache-manager': 'memory get, clone / cache-manager + cacheable' } },
  { title: 'a hit on Redis with two tags, 64 at a time', rows: { BentoCache: 'Redis get, two tags, 64 in flight / BentoCache' } },
  { title: 'a stored response', rows: { '@fastify/caching': 'stored response / @fastify/caching + @fastify/etag' } }
]

interface Row { readonly name: string; readonly this: string; readonly rival: string; readonly ratio: number; readonly low?: number; readonly high?: number; readonly isResolved: boolean; readonly wanted: string; readonly skipped?: string }
interface Run { readonly date: string; readonly commit: string; readonly machine: string; readonly node: string; readonly rows: readonly Row[] }

const runs = JSON.parse(readFileSync(join(ROOT, 'benchmarks/results/table.json'), 'utf8')) as Run[]

/** A published row with its run, if possible one whose median is resolved. */
function measured (name: string): { row: Row; run: Run } | undefined {
  const found = runs.flatMap((run) => run.rows.filter((row) => row.name === name && row.skipped === undefined).map((row) => ({ row, run })))
  return found.find(({ row }) => row.isResolved) ?? found.find(({ row }) => typeof row.high === 'number')
}

function line (cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |\n`
}

function table (head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map(line).join('')
}

/** A link from a document to a line of a file that has a text. */
function linkTo (file: string, text: string, from: string, shown: string): string {
  const lines = readFileSync(file, 'utf8').split('\n')
  const at = lines.findIndex((each) => each.includes(text))
  if (at < 0) throw new Error(`${file} has no line with ${text}`)
  return `[${shown}](${relative(dirname(from), file)}#L${at + 1})`
}

function comparison (from: string): string {
  const shown = (cell: Cell): string => cell === 'none' ? '–' : cell
  const row = (sentence: string, file: string, cells: readonly Cell[]): string[] =>
    [sentence, ...cells.map((cell) => linkTo(file, `'${sentence}'`, from, shown(cell)))]
  const calls = Object.entries(EXPECTATIONS).map(([sentence, cells]) => row(sentence, join(RIVALS, 'claims.ts'), cells))
  const responses = Object.entries(HTTP_EXPECTATIONS).map(([sentence, cells]) => row(sentence, join(RIVALS, 'http-claims.ts'), cells))
  const results = relative(dirname(from), join(ROOT, 'benchmarks/results/table.md'))
  const costs = MEASURED.flatMap(({ title, rows }) => {
    const cells = NAMES.slice(1).map((name) => {
      const found = rows[name] === undefined ? undefined : measured(rows[name])
      return found === undefined ? '' : `[${timesOf(found.row)}](${results})`
    })
    return cells.every((cell) => cell === '') ? [] : [[title, '1', ...cells]]
  })
  const tables = [table(['calls', ...NAMES], calls), table(['responses', ...HTTP_NAMES], responses)]
  if (costs.length > 0) tables.push(table(['cost, in times that of this suite', ...NAMES], costs))
  return tables.join('\n')
}

/**
 * The cost of the rival in times that of the suite, or the interval if the median is not resolved. A row of calls per second has the ratio
 * of their numbers, other rows that of costs.
 */
function timesOf ({ this: own, ratio, low, high, isResolved }: Row): string {
  const ratios = isResolved ? [ratio] : [low!, high!]
  const times = ratios.map((each) => /\/s$/.test(own) ? each : 1 / each).sort((one, other) => one - other)
  return times.map((each) => each >= 10 ? each.toFixed(0) : each.toFixed(1)).join('–')
}

function figures (from: string): string {
  const found = FIGURES.map(measured).filter((each) => each !== undefined)
  if (found.length === 0) throw new Error('benchmarks/results/table.json has none of the figures')
  const rows = found.map(({ row, run }) => [row.name, row.this, row.rival, row.isResolved ? row.ratio.toFixed(2) : 'not resolved', row.low === undefined ? '–' : `${row.low.toFixed(2)}–${row.high!.toFixed(2)}`, run.commit])
  const machines = [...new Set(found.map(({ run }) => `${run.machine}, Node ${run.node}`))]
  const results = relative(dirname(from), join(ROOT, 'benchmarks/results/table.md'))
  return `${table(['row', 'this', 'rival', 'ratio', '95 % interval', 'commit'], rows)}\nMeasured on ${machines.join('; ')}. [All rows](${results}).\n`
}

function code (path: string, from: string): string {
  const file = resolve(dirname(from), path)
  return `\`\`\`${extname(path).slice(1)}\n${readFileSync(file, 'utf8')}\`\`\`\n`
}

const PARTS: Readonly<Record<string, (argument: string, from: string) => string>> = {
  code,
  comparison: (_argument, from) => comparison(from),
  errors: (door) => errorTable(door),
  figures: (_argument, from) => figures(from)
}

/** A document with its generated parts written anew: each stands between `<!-- NAME:ARGUMENT -->` and `<!-- /NAME -->`. */
export function withParts (path: string, text: string): string {
  return text.replaceAll(/(<!-- (\w+)(?::(\S+))? -->\n)[^]*?(<!-- \/\2 -->)/g, (whole, begin: string, name: string, argument: string | undefined, close: string) => {
    // The option tables are written by option-tables.ts.
    if (name === 'options') return whole
    const part = PARTS[name]
    if (part === undefined) throw new Error(`${path}: no part is called "${name}"`)
    return begin + part(argument ?? '', path) + close
  })
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  for (const path of DOCUMENTS) writeFileSync(path, withParts(path, readFileSync(path, 'utf8')))
}
