import fc from 'fast-check'
import t from 'tap'
import { freshnessOf, type Freshness } from '../src/http/freshness.js'
import { formatHttpDate } from '../src/http/http-date.js'
import { anyCharacter } from '@x/test-kit/texts'

const NOW = Date.UTC(2025, 5, 15, 12)
const times = { requestedAt: NOW, receivedAt: NOW }
const at = (seconds: number) => formatHttpDate(NOW + seconds * 1000)
type Headers = Record<string, string | string[] | undefined>

const nothing: Freshness = {
  lifetime: 0, isExplicit: false, initialAge: 0, staleWhileRevalidate: 0, staleIfError: 0, mustRevalidate: false, noCache: false
}
const explicit = (lifetime: number, rest: Partial<Freshness> = {}) => ({ lifetime, isExplicit: true, ...rest })

const cases: Array<[section: string, headers: Headers, expected: Partial<Freshness>]> = [
  ['RFC 9111 §4.2.1 nothing, and no heuristics', { 'last-modified': at(-86_400) }, {}],
  ['RFC 9111 §4.2.1 max-age', { 'cache-control': 'max-age=60' }, explicit(60)],
  ['RFC 9111 §4.2.1 max-age goes before Expires', { 'cache-control': 'max-age=60', date: at(0), expires: at(5) }, explicit(60)],
  ['RFC 9111 §5.2.2.10 s-maxage goes before max-age, and forbids stale', { 'cache-control': 'max-age=60, s-maxage=5' }, explicit(5, { mustRevalidate: true })],
  ['RFC 9111 §5.2.2.1 max-age=0', { 'cache-control': 'max-age=0' }, explicit(0)],
  ['RFC 9111 §4.2.1 unreadable max-age', { 'cache-control': 'max-age=x', expires: at(60) }, explicit(0)],
  ['RFC 9111 §5.3 Expires less Date', { date: at(-10), expires: at(20) }, explicit(30, { initialAge: 10 })],
  ['RFC 9111 §5.3 Expires without Date', { expires: at(20) }, explicit(20)],
  ['RFC 9111 §5.3 Expires with an invalid Date', { date: 'today', expires: at(20) }, explicit(20)],
  ['RFC 9111 §5.3 Expires in the past', { date: at(0), expires: at(-20) }, explicit(0)],
  ['RFC 9111 §5.3 Expires: 0', { expires: '0' }, explicit(0)],
  ['RFC 9111 §4.2.1 Expires twice', { expires: [at(20), at(20)] }, explicit(0)],
  ['RFC 9111 §1.2.2 Expires far ahead', { expires: 'Fri, 31 Dec 9999 23:59:59 GMT' }, explicit(2 ** 31)],
  ['RFC 9111 §4.2.3 Age', { 'cache-control': 'max-age=60', age: '12' }, explicit(60, { initialAge: 12 })],
  ['RFC 9111 §4.2.3 the older of Age and Date', { date: at(-30), age: '12' }, { initialAge: 30 }],
  ['RFC 9111 §4.2.3 the older of Age and Date', { date: at(-10), age: '12' }, { initialAge: 12 }],
  ['RFC 9111 §4.2.3 Date ahead of the clock', { date: at(100) }, {}],
  ['RFC 9111 §5.1 the first of several Ages', { age: '7, 9' }, { initialAge: 7 }],
  ['RFC 9111 §5.1 the first of several Age lines', { age: ['7', '9'] }, { initialAge: 7 }],
  ['RFC 9111 §5.1 Age that is no number', { age: 'old' }, {}],
  ['RFC 9111 §5.1 negative Age', { age: '-5' }, {}],
  ['RFC 9111 §5.1 Age with a fraction', { age: '1.5' }, {}],
  ['RFC 9111 §1.2.2 overflowing Age', { age: '9'.repeat(50) }, { initialAge: 2 ** 31 }],
  ['RFC 9111 §5.2.2.4 no-cache', { 'cache-control': 'no-cache, max-age=60' }, explicit(60, { noCache: true, mustRevalidate: true })],
  ['RFC 9111 §5.2.2.4 qualified no-cache', { 'cache-control': 'no-cache="set-cookie", max-age=60' }, explicit(60, { noCache: true, mustRevalidate: true })],
  ['RFC 5861 stale windows', { 'cache-control': 'max-age=1, stale-while-revalidate=30, stale-if-error=60' }, explicit(1, { staleWhileRevalidate: 30, staleIfError: 60 })],
  ...['must-revalidate', 'proxy-revalidate', 's-maxage=1', 'no-cache'].map((directive): [string, Headers, Partial<Freshness>] => [
    `RFC 9111 §4.2.4 no stale window beside ${directive}`,
    { 'cache-control': `max-age=1, stale-while-revalidate=30, stale-if-error=60, ${directive}` },
    explicit(1, { mustRevalidate: true, noCache: directive === 'no-cache' })
  ]),
  ['RFC 9213 §2.2 goes before Cache-Control', { 'cdn-cache-control': 'max-age=600', 'cache-control': 's-maxage=1, no-cache' }, explicit(600)],
  ['RFC 9213 §2.2 goes before Expires', { 'cdn-cache-control': 'must-revalidate', expires: at(60) }, { mustRevalidate: true }],
  ['RFC 9213 §2.1 parameters are ignored', { 'cdn-cache-control': 'max-age=600;x=1, stale-if-error=5; y' }, explicit(600, { staleIfError: 5 })],
  ['RFC 9213 §2.1 several lines', { 'cdn-cache-control': ['max-age=600', 'stale-if-error=5'] }, explicit(600, { staleIfError: 5 })],
  ['RFC 8941 §3.2 the last of duplicates', { 'cdn-cache-control': 'max-age=600, max-age=5' }, explicit(5)],
  ['RFC 9213 §2.1 a lifetime that is no integer', { 'cdn-cache-control': 'max-age="600"' }, explicit(0)],
  ['RFC 9213 §2.1 a lifetime with a fraction', { 'cdn-cache-control': 'max-age=1.5' }, explicit(0)],
  ['RFC 9213 §2.1 a negative lifetime', { 'cdn-cache-control': 'max-age=-1' }, explicit(0)],
  ['RFC 9213 §2.2 ignored if empty', { 'cdn-cache-control': '', 'cache-control': 'max-age=1' }, explicit(1)],
  ['RFC 9213 §2.2 ignored as a whole if no dictionary', { 'cdn-cache-control': 'max-age=600,', 'cache-control': 'max-age=1' }, explicit(1)],
  ['Surrogate-Control caps a longer lifetime', { 'surrogate-control': 'max-age=5', 'cache-control': 'max-age=60, stale-if-error=9' }, explicit(5, { staleIfError: 9 })],
  ['Surrogate-Control makes a shorter lifetime no longer', { 'surrogate-control': 'max-age=60', 'cache-control': 's-maxage=5' }, explicit(5, { mustRevalidate: true })],
  ['Surrogate-Control beside CDN-Cache-Control', { 'surrogate-control': 'max-age=5', 'cdn-cache-control': 'max-age=60', 'cache-control': 'max-age=1' }, explicit(5)],
  ['Surrogate-Control beside Expires', { 'surrogate-control': 'max-age=5', expires: at(60) }, explicit(5)],
  ['Surrogate-Control alone', { 'surrogate-control': 'max-age=5' }, explicit(5)],
  ['Surrogate-Control with a stale extension, a target and a capability', { 'surrogate-control': 'content="ESI/1.0, \\"x;y", max-age=5+600;abc' }, explicit(5)],
  ['Surrogate-Control in capitals and lines', { 'surrogate-control': ['foo', 'Max-Age=5'] }, explicit(5)],
  ['Surrogate-Control whose lifetime is unreadable', { 'surrogate-control': 'max-age =100', 'cache-control': 'max-age=60' }, explicit(0)],
  ['Surrogate-Control: no-cache', { 'surrogate-control': 'no-cache', 'cache-control': 'max-age=60' }, explicit(60, { noCache: true, mustRevalidate: true })],
  ['RFC 9213 §2.1 the fields of single vendors are not for this cache', { 'cloudflare-cdn-cache-control': 'max-age=9', 'cache-control': 'max-age=60' }, explicit(60)],
  ['RFC 9213 §2.2 ignored as a whole if in upper case', { 'cdn-cache-control': 'Max-Age=600', expires: at(1) }, explicit(1)]
]

for (const [section, headers, expected] of cases) {
  t.test(`freshnessOf: ${section}`, async (t) => {
    t.strictSame(freshnessOf({ status: 200, headers }, times), { ...nothing, ...expected })
  })
}

t.test('freshnessOf: RFC 9111 §4.2.3: the delay of the answer counts on top of Age', async (t) => {
  const age = (headers: Headers) => freshnessOf({ status: 200, headers }, { requestedAt: NOW - 2500, receivedAt: NOW }).initialAge
  t.equal(age({ age: '10' }), 12.5)
  t.equal(age({ date: at(-2) }), 2.5)
  t.equal(age({ date: at(-3) }), 3)
  t.equal(freshnessOf({ status: 200, headers: {} }, { requestedAt: NOW + 5000, receivedAt: NOW }).initialAge, 0, 'the clock went back')
})

t.test('freshnessOf: any fields yield finite numbers from 0', async () => {
  const value = fc.option(fc.oneof(fc.string({ unit: anyCharacter }), fc.array(fc.string(), { maxLength: 2 })), { nil: undefined })
  const headers = fc.record({ 'cache-control': value, 'cdn-cache-control': value, 'surrogate-control': value, expires: value, date: value, age: value })
  fc.assert(fc.property(headers, fc.nat(), fc.nat(), (headers, requestedAt, receivedAt) => {
    const { lifetime, initialAge, staleWhileRevalidate, staleIfError } = freshnessOf({ status: 200, headers }, { requestedAt, receivedAt })
    return [lifetime, initialAge, staleWhileRevalidate, staleIfError].every((value) => Number.isFinite(value) && value >= 0)
  }), { numRuns: 300 })
})
