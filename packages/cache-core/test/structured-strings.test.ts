import t from 'tap'
import { parseInnerStrings, parseStringList } from '../src/http/structured-strings.js'

t.test('parseStringList: reads strings, whatever their parameters and spaces', async (t) => {
  const lists: Array<[text: string, strings: string[]]> = [
    ['', []],
    ['"a"', ['a']],
    [' "a" ,\t"b"  ', ['a', 'b']],
    ['"a";p;q=1;r="x, y" , "b"', ['a', 'b']],
    ['"a, \\"b\\" \\\\"', ['a, "b" \\']],
    ['""', ['']]
  ]
  for (const [text, strings] of lists) t.same(parseStringList(text), strings, text)
})

t.test('parseStringList: a text that is no list of strings is refused as a whole', async (t) => {
  for (const text of ['a', '"a", b', '"a" "b"', '"a",', ',"a"', '"a', '1', '("a")', '"a", ?1', '"é"', '"a\\b"']) t.equal(parseStringList(text), undefined, text)
})

t.test('parseInnerStrings: members are separated by spaces', async (t) => {
  t.same(parseInnerStrings('("a"  "b";x )'), ['a', 'b'])
  t.same(parseInnerStrings('()'), [])
  for (const text of ['"a"', '("a","b")', '(a)', '("a"', '("a"\t"b")']) t.equal(parseInnerStrings(text), undefined, text)
})
