import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { Codec, gzipCompression } from '../src/entries/codec.js'
import { jsonSerializer, richSerializer, type Serializer } from '../src/entries/serializers.js'

const META = { ttlMs: 1000, windowMs: 500, tags: [{ tag: 'tag', token: 'token', serverId: 'server' }] }
const NO_META = { ttlMs: 1000, windowMs: 0, tags: [] }
const made = () => ({ at: new Date(5), amounts: new Map([['a', 5n]]), none: undefined, vector: new Float64Array([0.5, NaN]) })

function codec (serializer: Serializer, compressAboveBytes = Infinity): Codec {
  return new Codec({ serializer, compressAboveBytes, compression: gzipCompression, maxValueBytes: 100_000, limitMs: 60_000 })
}

async function stored (by: Codec, value: unknown, meta: typeof META | typeof NO_META): Promise<Buffer> {
  const serialised = by.serialise(value)
  if (serialised instanceof Error) throw serialised
  return Buffer.from(await by.encode(serialised, meta as typeof META) as Buffer)
}

/** Returns the value that a codec reads, or the code of its error. */
async function readBy (by: Codec, bytes: Buffer): Promise<unknown> {
  const decoded = await by.decode(bytes)
  return decoded instanceof Error ? decoded.code : decoded.value
}

const rich = codec(richSerializer)
const json = codec(jsonSerializer)

t.test('rich: values come back, plain or framed, compressed or not', async (t) => {
  for (const meta of [META, NO_META]) {
    for (const by of [rich, codec(richSerializer, 0)]) {
      for (const value of [made(), 5n, new Set([NaN]), NaN, { id: 1 }, 'text', null, Buffer.from('bytes')]) {
        t.ok(isDeepStrictEqual(await readBy(rich, await stored(by, value, meta)), value), String(typeof value))
      }
    }
  }
})

t.test('rich: a value of JSON is the text of JSON after a blank, which every reader of JSON takes', async () => {
  await fc.assert(fc.asyncProperty(fc.jsonValue(), async (given) => {
    const value: unknown = JSON.parse(JSON.stringify(given))
    const bytes = await stored(rich, value, NO_META)
    return bytes.toString() === ` ${JSON.stringify(value)}` && JSON.stringify(await readBy(json, bytes)) === JSON.stringify(value)
  }), { numRuns: 300 })
})

t.test('rich, json: an entry of the other serializer is the value, or CACHE_ERR_CORRUPT, never another value', async (t) => {
  for (const meta of [META, NO_META]) {
    for (const value of [made(), { at: new Date(5) }, [1n], NaN]) {
      t.equal(await readBy(json, await stored(rich, value, meta)), 'CACHE_ERR_CORRUPT')
    }
    for (const value of [{ at: new Date(5) }, { id: 1 }, 'text', 5, null]) {
      t.equal(await readBy(rich, await stored(json, value, meta)), 'CACHE_ERR_CORRUPT', 'a text in it may have been a Date')
    }
    t.same(await readBy(json, await stored(rich, { id: 1 }, meta)), { id: 1 })
    t.same(await readBy(rich, await stored(json, Buffer.from('bytes'), meta)), Buffer.from('bytes'))
  }
})

t.test('rich: a text of a later version, or a broken one, is CACHE_ERR_CORRUPT', async (t) => {
  for (const text of ['~2{}', '~', '~1', '~1{"~":["Later"]}', '~1{"~":["Map",[1]]}', ' {', ' ', '~1{"a":', 'null']) {
    t.equal(await readBy(rich, Buffer.from(text)), 'CACHE_ERR_CORRUPT', text)
  }
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
    await readBy(rich, Buffer.from([0x7e, 0x31, ...bytes]))
    return true
  }))
})
