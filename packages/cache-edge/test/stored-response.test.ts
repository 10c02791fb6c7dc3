import fc from 'fast-check'
import t from 'tap'
import { decode, encodeIndex, encodeResponse, KnownHead, type StoredResponse } from '../src/store/stored-response.js'
import { anyCharacter } from '@x/test-kit/texts'

const seconds = fc.double({ min: 0, max: 2 ** 31, noNaN: true })
const value = fc.string(
  { unit: fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f).map((code) => String.fromCharCode(code)) }
)
const name = fc.stringMatching(/^x-[a-z0-9!#$%&'*+.^_`|~-]{1,20}$/)
const response: fc.Arbitrary<StoredResponse> = fc.record({
  status: fc.integer({ min: 200, max: 599 }).filter((status) => status !== 206 && status !== 304),
  headers: fc.dictionary(name, fc.oneof(value, fc.array(value)), { noNullPrototype: true }),
  body: fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
  isText: fc.boolean(),
  etag: fc.option(value, { nil: undefined }),
  receivedAt: fc.integer({ min: 0, max: 2 ** 45 }),
  freshness: fc.record({
    lifetime: seconds,
    initialAge: seconds,
    staleWhileRevalidate: seconds,
    staleIfError: seconds,
    isExplicit: fc.boolean(),
    mustRevalidate: fc.boolean(),
    noCache: fc.boolean()
  }),
  vary: fc.array(fc.string({ unit: anyCharacter })),
  variant: fc.string({ unit: anyCharacter }),
  tags: fc.array(fc.string())
})
// The value is compared after a JSON round trip, since JSON has no negative zero.
const plain = ({ body, ...meta }: StoredResponse) => [JSON.parse(JSON.stringify(meta)), Buffer.from(body)]

t.test('decode: gives back what was encoded', async (t) => {
  fc.assert(fc.property(response, (one) => {
    const decoded = decode(encodeResponse(one))
    t.ok(decoded !== undefined && 'response' in decoded)
    t.same(plain((decoded as { response: StoredResponse }).response), plain(one))
  }), { numRuns: 200 })
})

t.test('decode: gives back an index', async (t) => {
  fc.assert(fc.property(fc.array(fc.string({ unit: anyCharacter })), fc.array(fc.string()), (vary, variants) => {
    t.same(decode(encodeIndex({ vary, variants, until: 1 })), { index: { vary, variants, until: 1 } })
  }), { numRuns: 100 })
})

t.test('decode: never throws, whatever the bytes', async () => {
  fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.anything({ withTypedArray: true })), (bytes) => {
    decode(bytes)
  }), { numRuns: 2000 })
})

t.test('decode: never throws on any JSON, and takes nothing but what it wrote', async (t) => {
  fc.assert(fc.property(fc.constantFrom(1, 2), fc.json(), (kind, text) => {
    const json = Buffer.from(text)
    const head = Buffer.alloc(5)
    head[0] = kind
    head.writeUInt32BE(json.length, 1)
    t.equal(decode(Buffer.concat([head, json])), undefined)
  }), { numRuns: 500 })
})

t.test('decode: what was cut short or has one byte changed is nothing, or all of a form that can be served', async (t) => {
  fc.assert(fc.property(response, fc.nat(), fc.integer({ min: 0, max: 255 }), (one, at, byte) => {
    const bytes = encodeResponse(one)
    const head = bytes.length - one.body.length
    t.equal(decode(bytes.subarray(0, at % head)), undefined)
    bytes[at % head] = byte
    const decoded = decode(bytes)
    if (decoded === undefined || 'index' in decoded) return
    for (const value of Object.values(decoded.response.headers).flat()) t.notMatch(value, /[^\t\x20-\x7e\x80-\xff]/)
  }), { numRuns: 300 })
})

t.test('decode: a header that is never stored is never read', async (t) => {
  const [one] = fc.sample(response, { numRuns: 1, seed: 1 })
  for (const header of ['set-cookie', 'connection', 'transfer-encoding', 'content-length', 'age', 'upgrade', 'Set-Cookie', 'SET-COOKIE', 'a b', '']) {
    t.equal(decode(encodeResponse({ ...one!, headers: { [header]: 'x' } })), undefined, header)
  }
  t.equal(decode(encodeResponse({ ...one!, freshness: { ...one!.freshness, lifetime: '5' as never } })), undefined)
})

t.test('KnownHead: knows the same head before another body, and no other head', async (t) => {
  fc.assert(fc.property(response, fc.uint8Array(), fc.nat(), (one, body, at) => {
    const bytes = encodeResponse(one)
    const known = new KnownHead(bytes, one)
    const other = { ...one, body: Buffer.from(body) }
    const stored = encodeResponse(other)
    t.ok(known.isIn(stored))
    t.same(plain({ ...known.head, body: known.bodyIn(stored) }), plain(other))
    const own = new KnownHead(stored, known)
    for (let time = 0; time < 2; time++) {
      t.equal(own.textIn(stored, true), other.body.toString())
      t.equal(own.textIn(bytes, false), one.body.toString())
    }
    t.equal(own.head, known.head)
    const head = bytes.length - one.body.length
    bytes[at % head]! ^= 1
    t.notOk(known.isIn(bytes))
    t.notOk(known.isIn(bytes.subarray(0, head - 1)))
  }), { numRuns: 100 })
})
