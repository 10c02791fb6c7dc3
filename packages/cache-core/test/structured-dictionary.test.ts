import fc from 'fast-check'
import t from 'tap'
import { parseDictionary } from '../src/http/structured-dictionary.js'
import { anyCharacter } from '@x/test-kit/texts'

t.test('parseDictionary: RFC 9651 §3.2: reads the text of each value, without parameters', async (t) => {
  for (const [text, members] of [
    ['', []],
    ['  ', []],
    ['a', [['a', undefined]]],
    ['a=1, b=-2.5 ,\tc="x, \\"y\\""', [['a', '1'], ['b', '-2.5'], ['c', '"x, \\"y\\""']]],
    ['a=tok/en:*, b=:aGk=:, c=?0', [['a', 'tok/en:*'], ['b', ':aGk=:'], ['c', '?0']]],
    ['a;x;y=1, b=2; z="q,"', [['a', undefined], ['b', '2']]],
    ['a=(), b=( "x";p  y 1 );q', [['a', '()'], ['b', '( "x";p  y 1 )']]],
    ['a=1, b, a=2', [['a', '2'], ['b', undefined]]],
    [' *a-_.*=1 ', [['*a-_.*', '1']]],
    ['a=@1659578233, b=@-1;c=@0, d=%"f%c3%bc, \\r";e=%""', [['a', '@1659578233'], ['b', '@-1'], ['d', '%"f%c3%bc, \\r"']]]
  ] as const) t.strictSame([...parseDictionary(text)!], members, text)
})

t.test('parseDictionary: RFC 9651 §4.2: is none if anything in it is malformed', async (t) => {
  for (const text of [
    'a,', ',a', 'a,,b', 'A=1', 'Max-Age=60', 'a=', 'a = 1', 'a=1 b', 'a="x', 'a="é"', 'a=1.', 'a=1.2345', 'a=1234567890123456', 'a=-', '1=a', 'a=(1', 'a=(1,2)',
    'a=?2', 'a=:x', 'a; =1', 'a;X', '\ta', 'a\t', 'a=@', 'a=@1.5', 'a=@1234567890123456', 'a=%x', 'a=%"%C3"', 'a=%"%c"', 'a="\\x"'
  ]) t.equal(parseDictionary(text), undefined, text)
})

t.test('parseDictionary: any text is a dictionary or none, soon', async (t) => {
  const fragment = fc.constantFrom('a', '=', ';', ',', ' ', '"', '\\', '(', ')', '1', '.', '-', ':', '?1', '*')
  fc.assert(fc.property(fc.oneof(fc.string({ unit: anyCharacter }), fc.array(fragment).map((parts) => parts.join(''))), (text) => {
    parseDictionary(text)
  }), { numRuns: 500 })
  const start = process.hrtime.bigint()
  for (const part of ['a=(', ' ', ';a', 'a,', '1 ', 'a=("x" ', '"', '\\"']) {
    for (const before of ['', 'a=(', 'a="']) parseDictionary(`${before}${part.repeat(20_000)}@`)
  }
  t.ok(process.hrtime.bigint() - start < 2_000_000_000n)
})
