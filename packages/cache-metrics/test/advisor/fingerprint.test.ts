import fc from 'fast-check'
import t from 'tap'
import { fingerprint } from '../../src/advisor/staleness/fingerprint.js'

t.test('fingerprint: a value and its copy through JSON have the same one', async () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const copy = typeof value === 'string' ? value : JSON.parse(JSON.stringify(value)) as unknown
    return JSON.stringify(fingerprint(value)) === JSON.stringify(fingerprint(copy))
  }), { seed: 1 })
})

t.test('fingerprint: never throws, and has a hash of 32 bits for all that JSON has a text for', async () => {
  fc.assert(fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }), (value) => {
    const print = fingerprint(value)
    if (print === undefined) return true
    return Number.isInteger(print.hash) && print.hash >= 0 && print.hash < 2 ** 32 && print.bytes >= 0
  }), { seed: 2 })
})

t.test('fingerprint: 100 000 values that differ a little have few in common', async (t) => {
  const hashes = new Set<number>()
  for (let id = 0; id < 100_000; id++) hashes.add(fingerprint({ id, name: `product ${id}`, inStock: id % 2 === 0 })!.hash)
  // One pair in 2³² has equal hashes by chance: 1.2 of these 5 · 10⁹ pairs.
  t.ok(hashes.size > 99_990, String(hashes.size))
})

t.test('fingerprint: one character, one byte or the order of keys makes another', async (t) => {
  const hash = (value: unknown) => fingerprint(value)!.hash
  t.not(hash({ a: 1 }), hash({ a: 2 }))
  t.not(hash({ a: 1, b: 2 }), hash({ b: 2, a: 1 }))
  t.not(hash('a'), hash('b'))
  t.not(hash(Buffer.from('a')), hash(Buffer.from('b')))
  t.not(hash('1'), hash(1))
  t.not(hash('1'), hash(Buffer.from('1')))
})

t.test('fingerprint: what JSON leaves out makes none', async (t) => {
  t.same(fingerprint({ a: 1, b: undefined, c () {} }), fingerprint({ a: 1 }))
  t.same(fingerprint(new Date(0)), fingerprint({ toJSON: () => '1970-01-01T00:00:00.000Z' }))
})

t.test('fingerprint: bytes are those of UTF-8, of the JSON text or of the buffer', async (t) => {
  t.equal(fingerprint('é€')!.bytes, 5)
  t.equal(fingerprint({ a: 'é' })!.bytes, 10)
  t.equal(fingerprint(Buffer.alloc(7))!.bytes, 7)
  t.equal(fingerprint('')!.bytes, 0)
  t.equal(fingerprint(null)!.bytes, 4)
})

t.test('fingerprint: a view is its bytes, not those around it', async (t) => {
  const around = Buffer.from('xxabcxx')
  t.same(fingerprint(around.subarray(2, 5)), fingerprint(Buffer.from('abc')))
  t.same(fingerprint(new Uint8Array(around.buffer, around.byteOffset + 2, 3)), fingerprint(Buffer.from('abc')))
})

t.test('fingerprint: is undefined for what has no JSON text', async (t) => {
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const odd = [
    cycle, 1n, { id: 1n }, undefined, () => 1, Symbol('s'), proxy,
    { toJSON () { throw new Error('no') } }, { toJSON: () => undefined }, { get a () { throw new Error('no') } }
  ]
  for (const value of odd) t.equal(fingerprint(value), undefined)
})

t.test('fingerprint: of a value that is nested a hundred thousand times is that of its text, or undefined where JSON.stringify has too little stack', async (t) => {
  let deep: unknown = 1
  for (let at = 0; at < 100_000; at++) deep = [deep]
  // Node 20 to 24 throw a RangeError for this value; Node 26 returns the text.
  let text: string | undefined
  try {
    text = JSON.stringify(deep)
  } catch {
    text = undefined
  }
  t.equal(fingerprint(deep)?.bytes, text?.length)
})

t.test('fingerprint: is undefined above maxBytes, which are bytes and not characters', async (t) => {
  t.ok(fingerprint('x'.repeat(1 << 20)))
  t.equal(fingerprint('x'.repeat((1 << 20) + 1)), undefined)
  t.ok(fingerprint('ab', 2))
  t.equal(fingerprint('€', 2), undefined)
  t.equal(fingerprint(Buffer.alloc(3), 2), undefined)
  t.equal(fingerprint({ a: 1 }, 6), undefined)
  t.ok(fingerprint({ a: 1 }, 7))
})

t.test('fingerprint: of what JSON would make something else of, and of what is too large, there is none, and it is not written out', async (t) => {
  const { stringify } = JSON
  t.teardown(() => { JSON.stringify = stringify })
  JSON.stringify = () => { throw new Error('written out') }
  for (const value of [
    new Map([[1, 2]]), { a: new Set([1]) }, { body: Buffer.alloc(10) }, [new Float64Array(2)], { body: 'x'.repeat(2000) },
    Array.from({ length: 2000 }, () => 1), Array.from({ length: 300 }, () => ({ a: [1, 2, 3] }))
  ]) t.equal(fingerprint(value, 1000), undefined)
  const cycle: { self?: unknown } = {}
  cycle.self = [cycle, cycle]
  t.equal(fingerprint(cycle, 1000), undefined)
})

t.test('fingerprint: rich values have one with the rich serializer, which is that of JSON for values of JSON', async (t) => {
  const print = (value: unknown) => fingerprint(value, 1000, 'rich')
  const value = { map: new Map([[1, new Set(['a'])]]), at: new Date(5), total: 5n, view: new Float64Array(2) }
  t.same(print(value), print(structuredClone(value)))
  for (const other of [{ ...value, total: 6n }, { ...value, map: new Map([[1, new Set(['b'])]]) }, { ...value, view: new Float64Array([0, 1]) }]) {
    t.not(print(other)!.hash, print(value)!.hash)
  }
  t.same(print({ a: 1 }), fingerprint({ a: 1 }))
  t.equal(print({ view: new Uint8Array(2000) }), undefined, 'too large')
  t.equal(print(new Map(Array.from({ length: 2000 }, (_, at) => [at, at]))), undefined, 'too large')
})
