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

t.test('toText: long texts and the last column of a table are wrapped to the width', async (t) => {
  const words = 'one two three four five six seven eight nine ten eleven'
  const table = (name: string): string => ['| Gate | Reason |', '| --- | --- |', `| ${name} | ${words} |`].join('\n')
  t.equal(toText(`- ${words}`, 40), '- one two three four five six seven\n  eight nine ten eleven')
  t.equal(toText(`${table('sample')}\n`, 40), [
    'Gate    Reason', `------  ${'-'.repeat(32)}`, 'sample  one two three four five six', '        seven eight nine ten eleven', ''
  ].join('\n'))
  t.equal(toText(`${table('error burst against control')}\n`, 40), [
    'Gate', '  Reason', '---------------------------', 'error burst against control', '  one two three four five six seven',
    '  eight nine ten eleven', ''
  ].join('\n'), 'cells stand under their rows where the row has no room for them')
  t.match(toText(`${table('sample')}\n`), `sample  ${words}`, 'without a width nothing is wrapped')
})
