import t from 'tap'
import { fieldText, listMembers, trimWhitespace } from '../src/http/header-fields.js'

t.test('fieldText: RFC 9110 §5.3: joins lines, and tells absent from empty', async (t) => {
  const headers = { one: 'a', many: ['a', 'b'], none: undefined, no: [], empty: '', number: 7 }
  t.equal(fieldText(headers, 'one'), 'a')
  t.equal(fieldText(headers, 'many'), 'a, b')
  t.equal(fieldText(headers, 'number'), '7')
  t.equal(fieldText(headers, 'empty'), '')
  for (const name of ['none', 'no', 'other', 'constructor', '__proto__']) t.equal(fieldText(headers, name), undefined, name)
})

t.test('listMembers: RFC 9110 §5.6.1: a quoted comma does not separate', async (t) => {
  t.strictSame(listMembers(' a,, "b, \\", c" ;d,\t'), ['a', '', '"b, \\", c" ;d', ''])
  t.strictSame(listMembers(''), [''])
  t.strictSame(listMembers('a, "b, c'), ['a', '"b, c'])
})

t.test('trimWhitespace: RFC 9110 §5.6.3: cuts spaces and tabs only', async (t) => {
  t.equal(trimWhitespace(' \ta b\t '), 'a b')
  t.equal(trimWhitespace(' \t '), '')
  t.equal(trimWhitespace('\xa0a\n'), '\xa0a\n')
})
