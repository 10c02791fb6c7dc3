import t from 'tap'
import { keyedQuery, varianceIn } from '../../src/rules/no-vary-search.js'

const fields: Array<[section: string, field: string | string[] | undefined, variance: string | undefined]> = [
  ['§4.1 no field', undefined, undefined],
  ['§4.2 params', 'params', '[false,true,[]]'],
  ['§4.2 params of names', 'params=("a")', '[false,false,["a"]]'],
  ['§4.2 params with exceptions', 'params, except=("x")', '[false,true,["x"]]'],
  ['§4.2 key-order', 'key-order', '[true,false,[]]'],
  ['§4.2 several lines', ['key-order', 'params=("b" "a")'], '[true,false,["a","b"]]'],
  ['§4.2.1 params=?1', 'params=?1', '[false,true,[]]'],
  ['§4.2.1 key-order=?1', 'key-order=?1', '[true,false,[]]'],
  ['§4.2.1 in another order', 'params, key-order, except=("x")', '[true,true,["x"]]'],
  ['§4.2.1 except without members', 'params, except=()', '[false,true,[]]'],
  ['§4.3 names are decoded', 'params=("%C3%A9+%E6%B0%97" "a&b")', '[false,false,["a&b","é 気"]]'],
  ...['unknown-key', 'key-order="x"', 'params="x"', 'params=(x)', 'params=("a"), except=("x")', 'params=(), except=()', 'params=?0, except=("x")', 'params, except=(x)', 'params, except="x"', 'params, except=?1',
    'params, except', 'except=("x")', 'except=()', 'params=?0', 'params=()', 'key-order=?0', 'params=1', '"params"', 'params,,'].map(
    (field): [string, string, undefined] => [`§4.2.1 the default: ${field}`, field, undefined]
  ),
  ['a field of more than 1000 characters is not obeyed', `params=("${'x'.repeat(1000)}")`, undefined],
  ['more than 64 names are not obeyed', `params=(${Array.from({ length: 65 }, (_, at) => `"${at}"`).join(' ')})`, undefined]
]

for (const [section, field, variance] of fields) {
  t.test(`varianceIn: ${section}`, async (t) => t.equal(varianceIn(field)?.text, variance))
}

// Rows with `isOne`: whether both URLs have the same key.
const comparisons: Array<[what: string, field: string, one: string, other: string, isOne: boolean]> = [
  ['§5 named parameters are ignored', 'params=("utm")', '/?a=1&utm=x', '/?utm=y&a=1', true],
  ['§5 others are not', 'params=("utm")', '/?a=1', '/?a=2', false],
  ['§5 the order of parameters counts', 'params=("utm")', '/?a=1&b=2', '/?b=2&a=1', false],
  ['§5 key-order: it does not', 'key-order', '/?a=1&b=2', '/?b=2&a=1', true],
  ['§5 key-order: that of one name does', 'key-order', '/?a=1&a=2', '/?a=2&a=1', false],
  ['§5 all are ignored', 'params', '/?a=1', '/', true],
  ['§5 all but one', 'params, except=("a")', '/?a=1&b=2', '/?c=3&a=1', true],
  ['§5 the one', 'params, except=("a")', '/?a=1', '/?a=2', false],
  ['§5 the one is absent', 'params, except=("a")', '/?a=', '/', false],
  ['§5 names are case-sensitive', 'params=("a")', '/?A=1', '/?A=2', false],
  ['§5 an encoded name', 'params=("a")', '/?%61=1', '/', true],
  ['§5 empty pairs and an empty query', 'params=("a")', '/?&&a=1', '/?', true],
  ['stricter than §5: the spelling of a value counts', 'params=("a")', '/?b=%78', '/?b=x', false],
  ['stricter than §5: so does an equals sign without a value', 'params=("a")', '/?b=', '/?b', false]
]

for (const [what, field, one, other, isOne] of comparisons) {
  t.test(`keyedQuery: ${what}`, async (t) => {
    const variance = varianceIn(field)!
    t.equal(keyedQuery(one, variance) === keyedQuery(other, variance), isOne)
  })
}

t.test('keyedQuery: a URL that is no ASCII text has a key of its own', async (t) => {
  t.equal(keyedQuery('/?a=\xe9', varianceIn('params')!), undefined)
})
