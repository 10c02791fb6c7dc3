import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import t from 'tap'
import { errorRows } from '../../.config/error-tables.js'
import { DOCUMENTS, withParts } from '../../.config/guide-blocks.js'

for (const path of DOCUMENTS) {
  t.test(`guide: the generated parts of ${relative(process.cwd(), path)} are those of their sources`, async (t) => {
    const text = readFileSync(path, 'utf8')
    t.equal(withParts(path, text), text, 'run "npm run docs:guide"')
  })
}

t.test('guide: the error table has every code that a source makes an error of', async (t) => {
  const codes = new Set(errorRows().map(({ code }) => code))
  t.ok(codes.size > 35)
  for (const code of ['CACHE_ERR_TIMEOUT', 'CACHE_ERR_OPTION_INVALID', 'CACHE_ERR_POLICY_INVALID', 'CACHE_ERR_METRIC_TAKEN']) t.ok(codes.has(code), code)
})
