import fc from 'fast-check'
import t from 'tap'
import { allowsRange, rangesIn } from '../../src/rules/range.js'

const SIZE = 10_000
const [LATE, EARLY] = ['Sun, 15 Jun 2025 12:00:00 GMT', 'Sun, 15 Jun 2025 11:00:00 GMT']

// Rows with the expected ranges, each as `first-last`.
const rows: Array<[section: string, field: string, ranges: string]> = [
  ['§14.1.2 the first bytes', 'bytes=0-499', '0-499'],
  ['§14.1.2 one byte', 'bytes=0-0', '0-0'],
  ['§14.1.2 to the end', 'bytes=9500-', '9500-9999'],
  ['§14.1.2 the last bytes', 'bytes=-500', '9500-9999'],
  ['§14.1.2 a suffix longer than the representation', 'bytes=-20000', '0-9999'],
  ['§14.1.2 a last position past the end', 'bytes=9000-99999', '9000-9999'],
  ['§14.1.2 a last position past all numbers', 'bytes=9000-99999999999999999999999', '9000-9999'],
  ['§14.1.2 a first position past all numbers', 'bytes=99999999999999999999999-', 'unsatisfiable'],
  ['§14.1.2 the first and the last byte', 'bytes=0-0,-1', '0-0 9999-9999'],
  ['§14.1.2 spaces and empty members of the list', 'bytes= 0-0 ,, 500-501,', '0-0 500-501'],
  ['§5.6.1.2 more empty members than ranges that are allowed', `bytes=0-0${','.repeat(20)}500-501`, '0-0 500-501'],
  ['§14.1 the unit in capitals', 'BYTES=0-0', '0-0'],
  ['§14.2 another unit is ignored', 'lines=0-1', 'whole'],
  ['§14.2 no unit', '0-1', 'whole'],
  ['§14.1.1 a last position in front of the first is invalid', 'bytes=5-4', 'whole'],
  ['§14.1.1 no range', 'bytes=', 'whole'],
  ['§14.1.1 no position', 'bytes=-', 'whole'],
  ['§14.1.1 a sign', 'bytes=+1-2', 'whole'],
  ['§14.1.1 a fraction', 'bytes=1.5-2', 'whole'],
  ['§14.1.1 one invalid range makes the set invalid', 'bytes=0-1,x', 'whole'],
  ['§15.5.17 a first position at the end', 'bytes=10000-', 'unsatisfiable'],
  ['§15.5.17 a suffix of no length', 'bytes=-0', 'unsatisfiable'],
  ['§15.3.7.2 of several ranges those that are satisfiable', 'bytes=10000-,0-1', '0-1'],
  ['§14.2 overlapping ranges become one', 'bytes=0-500,400-600,450-460', '0-600'],
  ['§15.3.7.2 a gap that is shorter than the headers of a part', 'bytes=0-9,50-59', '0-59'],
  ['§15.3.7.2 a longer gap', 'bytes=0-9,100-109', '0-9 100-109'],
  ['§15.3.7.2 in descending order', 'bytes=900-909,0-9', '0-9 900-909'],
  ['§14.2 16 ranges', `bytes=${Array.from({ length: 16 }, (_, at) => `${at * 200}-${at * 200}`).join()}`, Array.from({ length: 16 }, (_, at) => `${at * 200}-${at * 200}`).join(' ')],
  ['§14.2 17 ranges: the whole representation', `bytes=${Array.from({ length: 17 }, (_, at) => `${at * 200}-${at * 200}`).join()}`, 'whole'],
  ['§14.2 thousands of overlapping ranges', `bytes=${'0-,'.repeat(5000)}`, 'whole']
]

for (const [section, field, ranges] of rows) {
  t.test(`rangesIn: RFC 9110 ${section}`, async (t) => {
    const result = rangesIn(field, SIZE)
    t.equal(typeof result === 'string' ? result : result.map(({ first, last }) => `${first}-${last}`).join(' '), ranges)
  })
}

t.test('rangesIn: of an empty representation no range is satisfiable', async (t) => {
  for (const field of ['bytes=0-', 'bytes=0-0', 'bytes=-1']) t.equal(rangesIn(field, 0), 'unsatisfiable', field)
})

t.test('rangesIn: the ranges of any field are ascending, apart and within the representation', async () => {
  const position = fc.oneof(fc.integer({ min: 0, max: 60 }).map(String), fc.constant(''))
  const spec = fc.oneof({ weight: 9, arbitrary: fc.tuple(position, position).map((both) => both.join('-')) }, { weight: 1, arbitrary: fc.string() })
  fc.assert(fc.property(fc.array(spec, { maxLength: 20 }), fc.integer({ min: 0, max: 2000 }), (specs, size) => {
    const ranges = rangesIn(`bytes=${specs.join()}`, size)
    if (typeof ranges === 'string') return true
    return ranges.length > 0 && ranges.every(({ first, last }, at) => first > (ranges[at - 1]?.last ?? -1) && first <= last && last < size)
  }))
})

const conditions: Array<[what: string, condition: string | undefined, response: Record<string, string>, isAllowed: boolean]> = [
  ['no If-Range', undefined, {}, true],
  ['the same strong tag', '"a"', { etag: '"a"' }, true],
  ['another tag', '"b"', { etag: '"a"' }, false],
  ['a weak tag of the client', 'W/"a"', { etag: '"a"' }, false],
  ['a weak tag of the response', '"a"', { etag: 'W/"a"' }, false],
  ['a weak tag on both sides', 'W/"a"', { etag: 'W/"a"' }, false],
  ['a list of tags', '"a", "b"', { etag: '"a"' }, false],
  ['a tag, and the response has none', '"a"', { 'last-modified': EARLY }, false],
  ['the date of the response', EARLY, { 'last-modified': EARLY, date: LATE }, true],
  ['the date of a response that is less than a minute older than its Date', EARLY, { 'last-modified': EARLY, date: 'Sun, 15 Jun 2025 11:00:59 GMT' }, false],
  ['the date of a response without Date', EARLY, { 'last-modified': EARLY }, false],
  ['a later date', LATE, { 'last-modified': EARLY, date: LATE }, false],
  ['a date, and the response has none', EARLY, { etag: '"a"', date: LATE }, false],
  ['text', 'a', { etag: '"a"' }, false],
  ['nothing', '', { etag: '"a"' }, false]
]

for (const [what, condition, response, isAllowed] of conditions) {
  t.test(`allowsRange: RFC 9110 §13.1.5 ${what}`, async (t) => {
    t.equal(allowsRange(condition === undefined ? {} : { 'if-range': condition }, response), isAllowed)
  })
}
