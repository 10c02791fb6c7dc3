import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import t from 'tap'
import { errorRows } from '../../.config/error-tables.js'
import { DOCUMENTS, withParts } from '../../.config/guide-blocks.js'

for (const path of DOCUMENTS) {
  t.test(`guide: the generated parts of ${relative(process.cwd(), path)} are those of their sources`, async (t) => {
    const text = readFileSync(path, 'utf8')
    t.equal(withParts(path, text), text, 'run "npm run docs:guide"')
  })
}

t.test('guide: the error tables have all codes, and each code of a Result has advice', async (t) => {
  const rows = errorRows()
  t.ok(new Set(rows.map(({ code }) => code)).size > 35)
  for (const code of ['CACHE_ERR_TIMEOUT', 'CACHE_ERR_OPTION_INVALID', 'CACHE_ERR_POLICY_INVALID', 'CACHE_ERR_METRIC_TAKEN']) t.ok(rows.some((row) => row.code === code), code)
  const advice = readFileSync(join(import.meta.dirname, '../../examples/guide/errors.md'), 'utf8').split('\n').filter((line) => line.startsWith('- **')).join('\n')
  for (const { code } of rows.filter(({ isResult }) => isResult)) t.ok(advice.includes(`\`${code.slice('CACHE_ERR_'.length)}\``), code)
})
