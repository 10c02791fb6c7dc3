// Runs the benchmarks that the command line names, or all, one after the other. Options are passed on if a single benchmark is named.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'

const NOT_A_QUESTION = new Set(['run.js', 'measure.js'])
/** These benchmarks run only if they are named: each takes from half an hour to hours. */
const ON_REQUEST = new Set(['compare.js', 'growth.js', 'rollout-weeks.js', 'table.js'])
const [first, ...rest] = process.argv.slice(2)
const options = rest[0]?.startsWith('--') ? rest : []
const wanted = options.length > 0 ? [first] : process.argv.slice(2)
const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.js') && !NOT_A_QUESTION.has(file))
const unknown = wanted.filter((name) => !files.includes(`${name}.js`))
if (unknown.length > 0) {
  console.error(`Unknown: ${unknown.join(', ')}. There are: ${files.map((file) => file.slice(0, -3)).join(', ')}`)
  process.exit(2)
}
for (const file of files) {
  if (wanted.length === 0 ? ON_REQUEST.has(file) : !wanted.includes(file.slice(0, -3))) continue
  const { status } = spawnSync(process.execPath, [file, ...options], { cwd: import.meta.dirname, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
