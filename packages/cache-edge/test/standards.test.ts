import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'

const here = (path: string): URL => new URL(path, import.meta.url)
const document = readFileSync(here('../standards.md'), 'utf8')
/** Returns the cells of each row of a table, without its heading. */
const rows = document.split('\n').filter((line) => line.startsWith('| ') && !/^\| (?:section|standard) \|/.test(line)).map((line) => line.slice(2).split(/ *\| ?/))
const CELL_OF_TESTS = /`([\w-]+)`:((?:[; ]*"(?:[^"\\]|\\")*")+)/g
const FOLDERS = ['.', './rules', '../../cache-core/test']

/** Returns the source text of the tests in a file, without escapes. */
function sourceOf (name: string): string {
  return FOLDERS.map((folder) => here(`${folder}/${name}.test.ts`)).filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8').replaceAll("\\'", "'")).join('\n')
}

t.test('standards.md: each test that a row names exists', async (t) => {
  let count = 0
  for (const cells of rows) {
    for (const [, file, names] of cells.join(' | ').matchAll(CELL_OF_TESTS)) {
      const source = sourceOf(file!)
      for (const [, name] of names!.matchAll(/"((?:[^"\\]|\\")*)"/g)) {
        count++
        t.ok(source.includes(name!.replaceAll('\\"', '"')), `${file}: ${name}`)
      }
    }
  }
  t.ok(count > 90, `${count} names`)
})

t.test('standards.md: each requirement names a test, or says why there is none', async (t) => {
  t.ok(rows.length > 80, `${rows.length} rows`)
  for (const [section, ...cells] of rows) {
    const kept = cells.length > 2 ? cells[1]! : cells[0]!
    t.ok(kept.match(CELL_OF_TESTS) !== null || kept.length > 20, `${section}: ${cells[0]}`)
  }
})
