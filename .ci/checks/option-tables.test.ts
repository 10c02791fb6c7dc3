import { readFileSync } from 'node:fs'
import t from 'tap'
import { readmeOf, TABLES, withTables } from '../../.config/option-tables.js'

for (const name of new Set(Object.values(TABLES).map((table) => table.package))) {
  t.test(`option tables: those of ${name} are what its schemas and JSDoc say`, async (t) => {
    const text = readFileSync(readmeOf(name), 'utf8')
    t.equal(await withTables(name, text), text, 'run "npm run docs:options"')
    const rows = text.match(/(?<=<!-- options:[\s\S]*?)^\| `.*$/gm) ?? []
    t.not(rows.length, 0)
    t.strictSame(rows.filter(repeatsWords), [], 'no row has the same seven words twice')
  })
}

/** Whether seven words in a row occur twice: a docstring that was edited badly has parts of its sentences twice. */
function repeatsWords (row: string): boolean {
  const words = row.split(/\s+/)
  const runs = words.slice(6).map((_, at) => words.slice(at, at + 7).join(' '))
  return new Set(runs).size < runs.length
}
