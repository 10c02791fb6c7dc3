import fc from 'fast-check'
import t from 'tap'
import { isEntityTag, parseEntityTag, parseEntityTags, strongMatch, toEntityTag, weakMatch, type EntityTag } from '../src/http/entity-tag.js'
import { anyCharacter } from '@x/test-kit/texts'

const strong = (opaque: string): EntityTag => ({ weak: false, opaque })
const weak = (opaque: string): EntityTag => ({ weak: true, opaque })

const lists: Array<[what: string, field: string | string[] | undefined, tags: '*' | EntityTag[]]> = [
  ['absent', undefined, []],
  ['empty', '', []],
  ['one tag', '"a"', [strong('a')]],
  ['the empty tag', '""', [strong('')]],
  ['a weak tag', 'W/"a"', [weak('a')]],
  ['a list', '"a", W/"b","c"\t,\t"d"', [strong('a'), weak('b'), strong('c'), strong('d')]],
  ['empty members', ',, "a",,"b",', [strong('a'), strong('b')]],
  ['commas within a tag', '"a,b,c", "d"', [strong('a,b,c'), strong('d')]],
  ['a backslash, which escapes nothing', '"a\\", "b"', [strong('a\\'), strong('b')]],
  ['obs-text', '"é\xff"', [strong('é\xff')]],
  ['several lines', ['"a"', 'W/"b", "c"'], [strong('a'), weak('b'), strong('c')]],
  ['any', ' * ', '*'],
  ['any in one line', ['*'], '*'],
  ['any in a list', '*, "a"', [strong('a')]],
  ['any in two lines', ['*', '*'], []],
  ['no quotes', 'v1, "v2"', [strong('v2')]],
  ['weak without quotes', 'W/v1, "v2"', [strong('v2')]],
  ['a lower-case w', 'w/"a", "b"', [strong('b')]],
  ['a space behind W/', 'W/ "a", "b"', [strong('b')]],
  ['a space within', '"a b", "c"', [strong('c')]],
  ['a control character within', '"a\x01", "b\x7f", "c"', [strong('c')]],
  ['an open quote', '"a, "b"', [strong('b')]],
  ['two tags without a comma', '"a""b", "c"', [strong('c')]]
]

for (const [what, field, tags] of lists) {
  t.test(`parseEntityTags: RFC 9110 §8.8.3, §13.1: ${what}`, async (t) => t.strictSame(parseEntityTags(field), tags))
}

t.test('weakMatch, strongMatch: the table of RFC 9110 §8.8.3.2', async (t) => {
  for (const [one, other, isStrong, isWeak] of [
    [weak('1'), weak('1'), false, true],
    [weak('1'), weak('2'), false, false],
    [weak('1'), strong('1'), false, true],
    [strong('1'), weak('1'), false, true],
    [strong('1'), strong('1'), true, true]
  ] as const) {
    t.equal(strongMatch(one, other), isStrong)
    t.equal(weakMatch(one, other), isWeak)
  }
})

t.test('isEntityTag: is exactly one tag', async (t) => {
  for (const text of ['""', '"a"', 'W/"a,b"', '"é"']) t.equal(isEntityTag(text), true, text)
  for (const text of ['', 'a', '*', ' "a"', '"a" ', '"a", "b"', '"a', 'w/"a"', '"a b"', '"a"\n', '"a\u{7f}"']) t.equal(isEntityTag(text), false, text)
})

t.test('toEntityTag: quotes a text, and leaves a tag as it is but for becoming weak', async (t) => {
  t.equal(toEntityTag('v1'), '"v1"')
  t.equal(toEntityTag('v1', true), 'W/"v1"')
  t.equal(toEntityTag('"v1"'), '"v1"')
  t.equal(toEntityTag('"v1"', true), 'W/"v1"')
  t.equal(toEntityTag('W/"v1"', false), 'W/"v1"')
  t.equal(toEntityTag('a b'), '"a%0020b"')
})

const text = fc.string({ unit: anyCharacter })

t.test('toEntityTag: makes an ASCII tag of any text, and different tags of different texts', async () => {
  fc.assert(fc.property(text, text, (one, other) => {
    fc.pre(!isEntityTag(one) && !isEntityTag(other))
    return /^"[!-~]*"$/.test(toEntityTag(one)) && (one === other) === (toEntityTag(one) === toEntityTag(other))
  }))
  t.not(toEntityTag('%0020'), toEntityTag(' '))
})

t.test('parseEntityTags: a list of any tags comes back, in one line or in many', async () => {
  const unit = fc.integer({ min: 0x21, max: 0xff }).filter((code) => code !== 0x22 && code !== 0x7f)
    .map((code) => String.fromCharCode(code))
  const tag = fc.record({ weak: fc.boolean(), opaque: fc.string({ unit }) }, { noNullPrototype: true })
  fc.assert(fc.property(fc.array(tag, { minLength: 1 }), (tags) => {
    const texts = tags.map((tag) => toEntityTag(`"${tag.opaque}"`, tag.weak))
    t.strictSame(parseEntityTags(texts.join(',')), tags)
    t.strictSame(parseEntityTags(texts), tags)
    t.strictSame(texts.map(parseEntityTag), tags)
  }), { numRuns: 50 })
})

t.test('parseEntityTags: any text has tags that are some', async () => {
  const fragment = fc.constantFrom('"', ',', 'W/', ' ', 'a', '\\', '*', '\x00', '🦊')
  fc.assert(fc.property(fc.oneof(text, fc.array(fragment).map((parts) => parts.join(''))), (field) => {
    const tags = parseEntityTags(field)
    return tags === '*' || tags.every((tag) => isEntityTag(`"${tag.opaque}"`))
  }), { numRuns: 500 })
})

t.test('parseEntityTags: spaces, quotes and commas by the thousand are read in linear time', async (t) => {
  const start = process.hrtime.bigint()
  for (const part of [' ', '"', ',', '" ', '"a', 'W/"', 'a']) parseEntityTags(`${part.repeat(60_000)}@`)
  t.ok(process.hrtime.bigint() - start < 2_000_000_000n)
})
