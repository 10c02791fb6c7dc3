import fc from 'fast-check'
import t from 'tap'
import { parseCacheControl, type CacheControl } from '../src/http/cache-control.js'
import { anyCharacter } from '@x/test-kit/texts'

const nothing: CacheControl = {
  noStore: false,
  noCache: false,
  isPrivate: false,
  isPublic: false,
  mustRevalidate: false,
  proxyRevalidate: false,
  mustUnderstand: false,
  noTransform: false,
  immutable: false,
  onlyIfCached: false,
  maxAge: undefined,
  sMaxAge: undefined,
  staleWhileRevalidate: undefined,
  staleIfError: undefined,
  minFresh: undefined,
  maxStale: undefined
}
const MAX = 2 ** 31

const cases: Array<[section: string, field: string | string[] | undefined, expected: Partial<CacheControl>]> = [
  ['RFC 9111 §5.2 absent', undefined, {}],
  ['RFC 9111 §5.2 no lines', [], {}],
  ['RFC 9111 §5.2 empty', '', {}],
  ['RFC 9110 §5.6.1 empty members', ' , ,max-age=1,,\t, public ,', { maxAge: 1, isPublic: true }],
  ['RFC 9111 §5.2 names in any case', 'PRIVATE, Max-Age=5, No-Store', { isPrivate: true, maxAge: 5, noStore: true }],
  ['RFC 9111 §5.2 both forms of an argument', 'max-age="60", s-maxage="7\\0"', { maxAge: 60, sMaxAge: 70 }],
  ['RFC 9111 §5.2.3 unknown directives are ignored', 'foo, bar=1, baz="no-store, private"', {}],
  ['RFC 9110 §5.6.4 quoted comma and escaped quote', 'x="a\\", no-store, \\\\", max-age=1', { maxAge: 1 }],
  ['RFC 9110 §5.3 several lines', ['max-age=60', 'private'], { maxAge: 60, isPrivate: true }],
  ['RFC 9111 §5.2.2 each of a response', 'must-revalidate, must-understand, no-cache, no-store, no-transform, private, proxy-revalidate, public, s-maxage=3, max-age=4',
    {
      mustRevalidate: true,
      mustUnderstand: true,
      noCache: true,
      noStore: true,
      noTransform: true,
      isPrivate: true,
      proxyRevalidate: true,
      isPublic: true,
      sMaxAge: 3,
      maxAge: 4
    }],
  ['RFC 8246 immutable', 'immutable', { immutable: true }],
  ['RFC 5861 §3, §4', 'stale-while-revalidate=30, stale-if-error=60', { staleWhileRevalidate: 30, staleIfError: 60 }],
  ['RFC 5861 §3, §4 unreadable is no window', 'stale-while-revalidate, stale-if-error=x', { staleWhileRevalidate: 0, staleIfError: 0 }],
  ['RFC 9111 §5.2.1 each of a request', 'max-age=1, max-stale=2, min-fresh=3, no-cache, no-store, no-transform, only-if-cached',
    { maxAge: 1, maxStale: 2, minFresh: 3, noCache: true, noStore: true, noTransform: true, onlyIfCached: true }],
  ['RFC 9111 §5.2.1.2 max-stale without a value', 'max-stale', { maxStale: Infinity }],
  ['RFC 9111 §5.2.1.2 max-stale beside one without a value', 'max-stale, max-stale=5', { maxStale: 5 }],
  ['RFC 9111 §5.2.1.2 unreadable max-stale is absent', 'max-stale=soon, max-stale="", max-stale=-1', {}],
  ['RFC 9111 §5.2.1.3 unreadable min-fresh: nothing is fresh enough', 'min-fresh, min-fresh=1', { minFresh: Infinity }],
  ['RFC 9111 §4.2.1 the smaller lifetime of duplicates', 'max-age=60, max-age=10, s-maxage=5, s-maxage=9', { maxAge: 10, sMaxAge: 5 }],
  ['RFC 9111 §4.2.1 a readable and an unreadable lifetime', 'max-age=60, max-age=x', { maxAge: 0 }],
  ['RFC 9111 §4.2.1 no value', 'max-age, s-maxage', { maxAge: 0, sMaxAge: 0 }],
  ['RFC 9111 §1.2.2 negative', 'max-age=-1', { maxAge: 0 }],
  ['RFC 9111 §1.2.2 fraction', 'max-age=1.5', { maxAge: 0 }],
  ['RFC 9111 §1.2.2 other notations', 'max-age=1e3, s-maxage=0x10', { maxAge: 0, sMaxAge: 0 }],
  ['RFC 9111 §1.2.2 overflow', `max-age=${'9'.repeat(400)}, s-maxage=${MAX + 1}`, { maxAge: MAX, sMaxAge: MAX }],
  ['RFC 9111 §5.2 no value behind the equals sign', 'max-age=', { maxAge: 0, noStore: true }],
  ['RFC 9111 §5.2 whitespace around the equals sign', 'max-age = 60', { maxAge: 0, noStore: true }],
  ['RFC 9111 §5.2.2.7 qualified private', 'private="x-field"', { isPrivate: true }],
  ['RFC 9111 §5.2.2.7 empty argument', 'private=""', { isPrivate: true }],
  ['RFC 9111 §5.2.2.7 with and without argument', 'private, private="x"', { isPrivate: true }],
  ['RFC 9111 §5.2.2.7 token as argument', 'Private=x', { isPrivate: true }],
  ['RFC 9111 §5.2.2.4 qualified no-cache', 'no-cache="set-cookie, x"', { noCache: true }],
  ['RFC 9111 §5.2.2.9 what loosens is not believed with an argument', 'public="x", immutable=1', {}],
  ['RFC 9110 §5.6.4 open quote', 'x="abc, private', { noStore: true, isPrivate: true }],
  ['RFC 9110 §5.6.4 open quote behind an escape', 'x="abc\\", private, max-age=1', { noStore: true, isPrivate: true, maxAge: 1 }],
  ['RFC 9110 §5.6.4 open quote of a restrictive directive', 'private="x', { noStore: true, isPrivate: true }],
  ['RFC 9110 §5.6.4 open quote of max-stale', 'max-stale="1', { noStore: true }],
  ['RFC 9110 §5.3 quotes open across lines', ['x="a, private', 'y", max-age=1'], { noStore: true, isPrivate: true, maxAge: 1 }],
  ['RFC 9110 §5.6.2 no token', '🦊, public, max-age=60', { noStore: true, isPublic: true, maxAge: 60 }],
  ['RFC 9110 §5.6.1 semicolons for commas', 'max-age=60; private', { noStore: true, maxAge: 0 }],
  ['RFC 9110 §5.6.1 spaces for commas', 'no-cache private', { noStore: true, noCache: true }]
]

for (const [section, field, expected] of cases) {
  t.test(`parseCacheControl: ${section}`, async (t) => {
    t.strictSame(parseCacheControl(field), { ...nothing, ...expected })
  })
}

const fragment = fc.constantFrom('no-store', 'Private', 'max-age', 'max-stale', 'min-fresh', '=', '"', '\\', ',', ' ', '\t', '1', '-', ';', '\x00', 'é', '🦊')
const anyField = fc.oneof(fc.string({ unit: anyCharacter }), fc.array(fragment).map((parts) => parts.join('')))

t.test('parseCacheControl: reads any text, with lifetimes that are numbers from 0 or none', async () => {
  fc.assert(fc.property(fc.oneof(anyField, fc.array(anyField, { maxLength: 3 })), (field) => {
    const { maxAge, sMaxAge, staleWhileRevalidate, staleIfError, minFresh, maxStale } = parseCacheControl(field)
    return [maxAge, sMaxAge, staleWhileRevalidate, staleIfError, minFresh, maxStale].every((value) => value === undefined || value >= 0)
  }), { numRuns: 500 })
})

t.test('parseCacheControl: no text before or behind hides a restrictive directive, or the field counts as no-store', async () => {
  const restrictive = fc.constantFrom(
    ['private', 'isPrivate'], ['private=""', 'isPrivate'], ['private="a, b"', 'isPrivate'], ['PRIVATE=x', 'isPrivate'], ['no-store', 'noStore'],
    ['no-cache', 'noCache'], ['no-cache="set-cookie"', 'noCache'], ['must-revalidate', 'mustRevalidate'], ['proxy-revalidate', 'proxyRevalidate']
  ) as fc.Arbitrary<[string, keyof CacheControl]>
  // The text around the directive contains no quotes, since a quoted directive would not count as one.
  const around = anyField.filter((text) => !text.includes('"'))
  fc.assert(fc.property(around, restrictive, around, (before, [directive, property], behind) => {
    const control = parseCacheControl(`${before},${directive},${behind}`)
    return control[property] === true || control.noStore
  }), { numRuns: 500 })
})

t.test('parseCacheControl: an open quote anywhere in front of a directive makes the field no-store and hides nothing', async () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme-ascii' }).filter((text) => !/["\\]/.test(text)), (text) => {
    const control = parseCacheControl(`x="${text}, private, max-age=3`)
    return control.noStore && control.isPrivate && control.maxAge === 3
  }))
})

t.test('parseCacheControl: more text in a field never makes it less strict', async () => {
  fc.assert(fc.property(fc.array(fc.nat(), { minLength: 1 }), (lifetimes) => {
    const field = lifetimes.map((seconds) => `max-age=${seconds}`).join(', ')
    return parseCacheControl(field).maxAge === Math.min(...lifetimes, MAX)
  }))
})

t.test('parseCacheControl: what it reads comes back from a field written anew', async () => {
  const seconds = fc.integer({ min: 0, max: MAX })
  const flags = fc.subarray(['no-store', 'no-cache', 'private', 'public', 'must-revalidate', 'only-if-cached'])
  fc.assert(fc.property(seconds, seconds, flags, (maxAge, staleIfError, names) => {
    t.strictSame(parseCacheControl([`max-age=${maxAge}`, `stale-if-error="${staleIfError}"`, ...names].join(',')), {
      ...nothing,
      maxAge,
      staleIfError,
      noStore: names.includes('no-store'),
      noCache: names.includes('no-cache'),
      isPrivate: names.includes('private'),
      isPublic: names.includes('public'),
      mustRevalidate: names.includes('must-revalidate'),
      onlyIfCached: names.includes('only-if-cached')
    })
  }), { numRuns: 50 })
})

t.test('parseCacheControl: spaces, quotes and backslashes by the thousand are read in linear time', async (t) => {
  const start = process.hrtime.bigint()
  for (const part of [' ', '\\', '"', 'a', 'a="', 'a="\\"', ' ,', 'a ']) parseCacheControl(`${part.repeat(60_000)}@`)
  t.ok(process.hrtime.bigint() - start < 2_000_000_000n)
})
