import { readFileSync } from 'node:fs'
import t from 'tap'
import { readmeOf, TABLES, withTables } from '../../.config/option-tables.js'

for (const name of new Set(Object.values(TABLES).map((table) => table.package))) {
  t.test(`option tables: those of ${name} are what its schemas and JSDoc say`, async (t) => {
    const text = readFileSync(readmeOf(name), 'utf8')
    t.equal(await withTables(name, text), text, 'run "npm run docs:options"')
  })
}
