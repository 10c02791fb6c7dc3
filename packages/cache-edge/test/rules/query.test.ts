import t from 'tap'
import { hasOtherParameter } from '../../src/rules/query.js'

const rows: Array<[url: string, hasOther: boolean, hasSemicolon?: boolean]> = [
  ['/a', false], ['/a?', false], ['/a?page', false], ['/a?page=1', false], ['/a?page=1&x', true], ['/a?&page', true], ['/a;x=1', false], ['/a;x=1', true, true], ['/a;page=1', false, true]
]
for (const [url, hasOther, hasSemicolon = false] of rows) {
  t.test(`hasOtherParameter: ${url} has ${hasOther ? 'another' : 'no other'} parameter${hasSemicolon ? ' where a query begins at ;' : ''}`, async (t) => {
    t.equal(hasOtherParameter(url, new Set(['page']), hasSemicolon), hasOther)
  })
}
