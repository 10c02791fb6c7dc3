import t from 'tap'
import { toText } from '../../src/cli/plain-text.js'

t.test('toText: tables are aligned, marks are gone', async (t) => {
  t.equal(toText([
    '# Cache advice', '', 'Verdict: **go**.', '',
    '| Key | Hits |', '| --- | --- |', '| a\\|b | 7 % |', '| `longer` | – |', '',
    '```js', 'x | y', '```'
  ].join('\n')), [
    'CACHE ADVICE', '', 'Verdict: go.', '',
    'Key     Hits', '------  ----', 'a|b     7 %', 'longer  –', '',
    'x | y'
  ].join('\n'))
})
