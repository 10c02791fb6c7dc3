import { fromRichText, toRichText } from '@x/cache-core/suite'
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { runInNewContext } from 'node:vm'
import t from 'tap'

const name = fc.oneof(fc.string(), fc.constantFrom('~', '~~', '~a', '__proto__', 'constructor', 'toString', ''))
const leaf = fc.oneof(
  fc.string({ unit: 'binary' }), fc.double(), fc.boolean(), fc.bigInt(), fc.date({ noInvalidDate: true }),
  fc.constantFrom(null, undefined, -0, NaN, Infinity, -Infinity),
  fc.uint8Array(), fc.int16Array(), fc.uint32Array(), fc.float32Array(), fc.float64Array(), fc.bigInt64Array(), fc.uint8ClampedArray()
)
/** Returns the value that is read from the text of a value. */
function back (value: unknown): unknown {
  const { text, isRich } = toRichText(value)
  return isRich ? fromRichText(text) : JSON.parse(text)
}

/** Generates any value that the rich serializer reads as it was stored. */
const rich = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(name, tie('value'), { maxKeys: 5, noNullPrototype: true }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((pairs) => new Map(pairs)),
    fc.array(tie('value'), { maxLength: 4 }).map((values) => new Set(values)))
})).value.filter((value) => value !== undefined)

t.test('toRichText, fromRichText: every value of the types is what it was', async () => {
  fc.assert(fc.property(rich, (value) => isDeepStrictEqual(back(value), value)), { numRuns: 500 })
})

t.test('toRichText: a value of JSON has the text of JSON, and no other text has the mark of a rich part at its top', async () => {
  fc.assert(fc.property(fc.jsonValue(), (given) => {
    const value: unknown = JSON.parse(JSON.stringify(given))
    const { text, isRich } = toRichText(value)
    return !isRich && text === JSON.stringify(value)
  }), { numRuns: 300 })
})

t.test('toRichText: does not change its argument', async () => {
  fc.assert(fc.property(rich, (value) => {
    const copy = structuredClone(value)
    toRichText(value)
    return isDeepStrictEqual(value, copy)
  }), { numRuns: 300 })
})

t.test('fromRichText: a text from elsewhere is a value or throws, and changes no prototype', async (t) => {
  const part = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, fc.jsonValue({ maxDepth: 1 }),
      fc.record({ '~': fc.oneof(tie('value'), fc.tuple(fc.constantFrom('Map', 'Set', 'Date', 'BigInt', 'number', 'Float64Array', 'Buffer', 'DataView', 'undefined', 'x'), tie('value'))) }),
      fc.dictionary(name, tie('value'), { maxKeys: 3 }), fc.array(tie('value'), { maxLength: 3 }))
  })).value
  fc.assert(fc.property(part, (value) => {
    try {
      fromRichText(JSON.stringify(value))
    } catch (error) {
      if (!(error instanceof Error)) return false
    }
    return Object.keys(Object.prototype).length === 0
  }), { numRuns: 500 })
  t.throws(() => fromRichText('{"~":["BigInt","ten"]}'))
  t.throws(() => fromRichText('{"~":["Date","2020"]}'))
  t.throws(() => fromRichText('{"~":["number","5"]}'))
  t.throws(() => fromRichText('{"~":["Float64Array","AAAA"]}'), 'a length that is none of the elements')
  t.throws(() => fromRichText('{"~":["Later",1]}'), 'a type of a later version')
  t.throws(() => fromRichText('{"~":5}'))
})

t.test('fromRichText: a member __proto__ is a member', async (t) => {
  const value = JSON.parse('{"__proto__":{"isAdmin":true},"at":{"~":["Date",0]}}') as object
  const read = fromRichText(JSON.stringify(value)) as { isAdmin?: boolean }
  t.equal(read.isAdmin, undefined)
  t.ok(Object.hasOwn(read, '__proto__'))
})

t.test('toRichText: kinds of bytes keep their class', async (t) => {
  const Float16 = Reflect.get(globalThis, 'Float16Array') as (new (values: number[]) => object) | undefined
  const values = [Buffer.from('bytes'), new Uint8Array([1]), new DataView(new ArrayBuffer(3)), new ArrayBuffer(2), new BigUint64Array([2n ** 63n]),
    new Uint16Array(new Uint8Array([9, 1, 2, 9]).buffer, 2, 1), ...Float16 === undefined ? [] : [new Float16([1.5])]]
  for (const value of values) {
    const read = back({ value }) as { value: object }
    t.equal(read.value.constructor, value.constructor)
    t.strictSame(read.value, value)
  }
})

t.test('toRichText: values of another realm, boxed values, and objects with toJSON', async (t) => {
  t.same((back({ at: runInNewContext('new Date(5)') }) as { at: Date }).at.getTime(), 5)
  t.strictSame(back([runInNewContext('new Map([[1, 2]])'), runInNewContext('new Float32Array([1])')]), [new Map([[1, 2]]), new Float32Array([1])])
  t.ok(Number.isNaN((back({ at: new Date(NaN) }) as { at: Date }).at.getTime()))
  t.same(back([new Number(5), new String('x'), new Boolean(false), Object(5n)]), [5, 'x', false, 5n]) // eslint-disable-line no-new-wrappers
  t.same(back({ url: new URL('http://a/'), own: { toJSON: (key: string) => new Set([key]) } }), { url: 'http://a/', own: new Set(['own']) })
})

t.test('toRichText: refuses a circle, a depth without end, and what has no text', async (t) => {
  const circle: { self?: unknown } = {}
  circle.self = new Map([[1, [circle]]])
  t.throws(() => toRichText(circle), RangeError)
  let deep: unknown = 1n
  for (let level = 0; level < 600; level++) deep = [deep]
  t.throws(() => toRichText(deep), RangeError)
  t.throws(() => toRichText(() => {}), TypeError)
  t.same(fromRichText(toRichText([() => {}, { f () {}, at: 1n }]).text), [null, { at: 1n }], 'as in JSON')
})
