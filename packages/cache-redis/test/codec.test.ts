import { causeOf, checkTags, MAX_TAGS, MAX_TTL } from '@x/cache-core/implementing'
import fc from 'fast-check'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import {
  brotliCompression, Codec, gzipCompression, type CodecOptions, type Compression, type Decoded
} from '../src/entries/codec.js'
import { jsonSerializer, serializerOf } from '../src/entries/serializers.js'
import { FRAME, newMark, PAYLOAD_SERIALISED, writeFrame } from '../src/entries/frame.js'
import { runScript } from '@x/test-kit/run-script'
import { anyMutations, mutate } from './fixtures/mutations.js'

const NO_META = { ttlMs: 1000, windowMs: 0, tags: [] }
const WITH_META = { ttlMs: 1000, windowMs: 500, tags: [{ tag: 'tag', token: 'token', serverId: 'server' }] }

/**
 * A compression of the app that inverts every bit. It drops the first byte, since a result that is not shorter would not be stored
 * compressed.
 */
const own: Compression = {
  id: 200,
  compress: async (bytes) => bytes.subarray(1).map((byte) => byte ^ 0xff),
  decompress: async (bytes) => Buffer.concat([Buffer.from('"'), bytes.map((byte) => byte ^ 0xff)])
}

function codec (options: Partial<CodecOptions> = {}): Codec {
  return new Codec({
    serializer: jsonSerializer,
    compressAboveBytes: Infinity,
    compression: gzipCompression,
    maxValueBytes: 1_000_000,
    limitMs: 60_000,
    ...options
  })
}

async function encode (codec: Codec, value: unknown, meta = NO_META as typeof WITH_META): Promise<Buffer> {
  const serialised = codec.serialise(value)
  if (serialised instanceof Error) throw serialised
  return Buffer.from(await codec.encode(serialised, meta) as Buffer)
}

async function decode (codec: Codec, stored: Uint8Array): Promise<Decoded> {
  const decoded = await codec.decode(Buffer.from(stored))
  if (decoded instanceof Error) throw decoded
  return decoded
}

async function refusal (codec: Codec, stored: Uint8Array): Promise<string> {
  const decoded = await codec.decode(Buffer.from(stored))
  return decoded instanceof Error ? decoded.code : 'decoded'
}

const CORRUPT = 'CACHE_ERR_CORRUPT'
const large = 'a large value '.repeat(100)

t.test('codec: any JSON value comes back, plain or framed, compressed or not', async (t) => {
  const codecs = [codec(), codec({ compressAboveBytes: 0 }), codec({ compressAboveBytes: 20, compression: brotliCompression })]
  await fc.assert(fc.asyncProperty(fc.jsonValue(), fc.constantFrom(NO_META, WITH_META), async (value, meta) => {
    for (const each of codecs) {
      const decoded = await decode(each, await encode(each, value, meta as typeof WITH_META))
      t.strictSame(decoded.value, JSON.parse(JSON.stringify(value)))
      t.strictSame(decoded.tags, meta.tags)
      t.equal(decoded.windowMs, meta.windowMs)
    }
  }), { numRuns: 50 })
})

t.test('codec: any bytes come back as bytes of their own', async (t) => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
    for (const each of [codec(), codec({ compressAboveBytes: 10 })]) {
      const { value } = await decode(each, await encode(each, bytes))
      t.ok(Buffer.isBuffer(value))
      t.ok(Buffer.compare(value as Buffer, bytes) === 0)
    }
  }), { numRuns: 50 })
  const stored = await encode(codec(), Buffer.from('abc'))
  const decoded = codec().decode(stored) as Decoded
  stored.fill(0)
  t.equal(String(decoded.value), 'abc', 'what the socket read may be overwritten')
})

t.test('codec: plain JSON where nothing else is needed, so that another language can read it', async (t) => {
  t.equal(String(await encode(codec(), { a: 1 })), '{"a":1}')
  t.equal((await decode(codec(), Buffer.from(' {"a":1}'))).ttlMs, undefined)
  for (const meta of [{ ...NO_META, windowMs: 1 }, { ...NO_META, tags: WITH_META.tags }]) {
    t.equal((await encode(codec(), { a: 1 }, meta))[0], FRAME)
  }
})

t.test('codec: a value is taken down as it is when it is handed over', async (t) => {
  const bytes = Buffer.from('abc')
  const serialised = codec().serialise(bytes)
  bytes.fill(0)
  t.match(serialised, { size: 3 })
  t.equal(String((serialised as { bytes: Uint8Array }).bytes.at(0)), '97')
})

t.test('codec: compresses from compressAboveBytes on, one byte less stays plain', async (t) => {
  const text = 'x'.repeat(98)
  const size = 100
  const stored = await encode(codec({ compressAboveBytes: size }), text)
  t.equal(stored[0], FRAME)
  t.equal(stored[3], gzipCompression.id)
  t.equal(String(await encode(codec({ compressAboveBytes: size + 1 }), text)), JSON.stringify(text))
})

t.test('codec: a value that compression does not make smaller is stored uncompressed', async (t) => {
  const each = codec({ compressAboveBytes: 0 })
  t.equal(String(await encode(each, 1)), '1')
  t.equal((await encode(each, Buffer.from([1])))[3], 0)
})

t.test('codec: counts the size in bytes, and refuses more than maxValueBytes', async (t) => {
  const each = codec({ maxValueBytes: 10 })
  t.match(each.serialise('12345678'), { size: 10 })
  t.match(each.serialise('123456789'), { code: 'CACHE_ERR_TOO_LARGE' })
  t.match(each.serialise('ääää'), { size: 10 })
  t.match(each.serialise('ääääa'), { code: 'CACHE_ERR_TOO_LARGE' })
  t.match(each.serialise(Buffer.alloc(11)), { code: 'CACHE_ERR_TOO_LARGE' })
})

t.test('codec: processes with other settings read each other', async (t) => {
  const fleet = [
    codec(),
    codec({ compressAboveBytes: 0 }),
    codec({ compressAboveBytes: 0, compression: brotliCompression }),
    codec({ compressAboveBytes: 0, compression: { ...gzipCompression } })
  ]
  for (const writer of fleet) {
    for (const meta of [NO_META, WITH_META]) {
      const stored = await encode(writer, large, meta as typeof WITH_META)
      for (const reader of fleet) t.equal((await decode(reader, stored)).value, large)
    }
  }
})

t.test('codec: a compression of one\'s own is read where it is known, and is CACHE_ERR_CORRUPT elsewhere', async (t) => {
  const each = codec({ compressAboveBytes: 0, compression: own })
  const stored = await encode(each, large)
  t.equal(stored[3], 200)
  t.equal((await decode(each, stored)).value, large)
  t.equal(await refusal(codec(), stored), CORRUPT)
  t.equal((await decode(each, await encode(codec({ compressAboveBytes: 0 }), large))).value, large, 'beside gzip')
})

t.test('codec: a payload that inflates beyond maxValueBytes is CACHE_ERR_CORRUPT', async (t) => {
  const bomb = JSON.stringify('0'.repeat(10_000_000))
  for (const [id, payload] of [[1, gzipSync(bomb)], [2, Buffer.from(await brotliCompression.compress(Buffer.from(bomb)))]] as const) {
    t.ok(payload.length < 20_000)
    const stored = writeFrame({ payload: PAYLOAD_SERIALISED, codec: id, ...NO_META }, payload)
    t.equal(await refusal(codec(), stored), CORRUPT)
    t.equal(((await decode(codec({ maxValueBytes: 20_000_000 }), stored)).value as string).length, 10_000_000)
  }
})

t.test('codec: what is larger than maxValueBytes is CACHE_ERR_CORRUPT, however it is stored', async (t) => {
  const text = JSON.stringify('x'.repeat(98))
  const [large, small] = [codec(), codec({ maxValueBytes: 99 })]
  for (const stored of [Buffer.from(text), await encode(large, 'x'.repeat(98), WITH_META), await encode(large, Buffer.alloc(100))]) {
    t.equal(await refusal(small, stored), CORRUPT)
    t.equal(await refusal(codec({ maxValueBytes: 100 }), stored), 'decoded')
  }
  const serializer = { ...jsonSerializer, deserialize: () => t.fail('it is not even looked at') }
  t.equal(await refusal(
    codec({ serializer, maxValueBytes: 1000 }), writeFrame({ payload: PAYLOAD_SERIALISED, codec: 0, ...NO_META }, Buffer.alloc(500_000))
  ), CORRUPT)
})

t.test('codec: a compression of one\'s own that inflates beyond maxValueBytes, throws or answers no bytes is CACHE_ERR_CORRUPT', async (t) => {
  const stored = await encode(codec({ compressAboveBytes: 0, compression: own }), large)
  for (const decompress of [
    async () => Buffer.alloc(2_000_000),
    () => { throw new Error('at once') },
    async () => 'text' as never,
    async () => undefined as never
  ]) {
    const each = codec({ compression: { ...own, decompress } })
    t.equal(await refusal(each, stored), CORRUPT, String(decompress))
  }
})

t.test('codec: truncated at any length is CACHE_ERR_CORRUPT', async (t) => {
  for (const each of [codec(), codec({ compressAboveBytes: 0 }), codec({ compressAboveBytes: 0, compression: brotliCompression })]) {
    const stored = await encode(each, { text: large }, WITH_META)
    for (let length = 0; length < stored.length; length += length < 100 ? 1 : 7) {
      if (await refusal(each, stored.subarray(0, length)) !== CORRUPT) t.fail(`cut off after ${length} bytes`)
    }
  }
})

t.test('codec: any bytes are a value within the limits or CACHE_ERR_CORRUPT, never a throw', async () => {
  const each = codec({ compressAboveBytes: 200, maxValueBytes: 2000 })
  const frames = [await encode(each, 1, WITH_META), await encode(each, large, WITH_META), await encode(each, Buffer.from('bytes')), newMark(), Buffer.from('{"a":[1,2]}')]
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.uint8Array({ maxLength: 40 }).map((tail) => Buffer.concat([Buffer.from([FRAME, 2, 0, 0]), tail])),
    fc.tuple(fc.constantFrom(...frames), anyMutations).map(([frame, mutations]) => mutate(frame, mutations)),
    // Generates metadata of the right form, with any length and any numbers.
    fc.tuple(
      fc.array(fc.oneof(fc.string(), fc.double(), fc.constant(null)), { maxLength: 300 }), fc.uint8Array({ maxLength: 10 })
    ).map(([metadata, payload]) => {
      const text = Buffer.from(JSON.stringify(metadata))
      const header = Buffer.alloc(16)
      header.set([FRAME, 2])
      header.writeUInt32BE(text.length, 4)
      return Buffer.concat([header, text, payload])
    })
  )
  const seed = process.env.SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(process.env.SEED)
  t.comment(`SEED=${seed}`)
  await fc.assert(fc.asyncProperty(bytes, async (stored) => {
    const decoded = await each.decode(Buffer.from(stored))
    if (decoded instanceof Error) {
      if (decoded.code !== CORRUPT) throw decoded
      return
    }
    const { tags, ttlMs = 0, windowMs, value } = decoded
    if (tags.length > MAX_TAGS || checkTags(tags.map(({ tag }) => tag)) !== undefined) throw new Error('tags beyond the limits')
    if (Math.max(ttlMs, windowMs) > MAX_TTL * 1000 || Math.min(ttlMs, windowMs) < 0) throw new Error('times beyond the limits')
    if (Buffer.isBuffer(value) && value.length > 2000) throw new Error('a value beyond the limit')
  }), { seed, numRuns: Number(process.env.RUNS ?? 1000) })
})

t.test('codec: another version and an unknown compression are CACHE_ERR_CORRUPT', async (t) => {
  const stored = await encode(codec(), 1, WITH_META)
  stored[1] = 99
  t.equal(await refusal(codec(), stored), CORRUPT)
  stored[1] = 2
  stored[3] = 99
  t.equal(await refusal(codec(), stored), CORRUPT)
})

t.test('codec: a serializer of one\'s own is used both ways, in a frame', async (t) => {
  const serializer = {
    serialize: (value: unknown) => Buffer.from(`v:${String(value)}`),
    deserialize: (bytes: Buffer) => {
      const text = String(bytes)
      if (!text.startsWith('v:')) throw new Error('foreign')
      return text.slice(2)
    }
  }
  const each = codec({ serializer, compressAboveBytes: 500 })
  for (const value of ['short', large]) {
    const stored = await encode(each, value)
    t.equal(stored[0], FRAME)
    t.equal((await decode(each, stored)).value, value)
  }
  t.equal(await refusal(each, Buffer.from('1')), CORRUPT, 'plain JSON is not of its making')
  t.equal(await refusal(each, await encode(codec(), 'x', WITH_META)), CORRUPT)
  t.equal(String((await decode(each, await encode(each, Buffer.from('raw')))).value), 'raw', 'bytes pass it by')
})

t.test('codec: what the compression refuses is CACHE_ERR_VALUE_INVALID, not an outage', async (t) => {
  for (const compress of [async () => { throw new Error('refused') }, () => { throw new Error('at once') }, async () => undefined as never, async () => 'text' as never]) {
    await t.rejects(encode(codec({ compressAboveBytes: 0, compression: { ...own, compress } }), large), { code: 'CACHE_ERR_VALUE_INVALID' })
  }
})

t.test('codec: what the serializer refuses, or answers with no text and no bytes, is CACHE_ERR_VALUE_INVALID', async (t) => {
  const circular: Record<string, unknown> = {}
  circular.self = circular
  for (const value of [circular, { a: 1n }, { toJSON: () => undefined }]) {
    t.match(codec().serialise(value), { code: 'CACHE_ERR_VALUE_INVALID' })
  }
  for (const answer of [() => undefined, () => null, () => 1, () => ({}), () => Promise.reject(new Error('its rejection is taken'))]) {
    const refused = codec({ serializer: serializerOf({ ...jsonSerializer, serialize: answer as never }) }).serialise(1)
    t.match(refused, { code: 'CACHE_ERR_VALUE_INVALID' })
    t.match(causeOf(refused), { message: /^the serializer made (undefined|object|number|a promise)$/ })
  }
})

t.test('codec: an entry of which the serializer makes undefined or a promise is CACHE_ERR_CORRUPT', async (t) => {
  for (const deserialize of [() => undefined, async () => 1, () => Promise.reject(new Error('its rejection is taken'))]) {
    const each = codec({ serializer: serializerOf({ ...jsonSerializer, deserialize }) })
    t.equal(await refusal(each, await encode(each, 1, WITH_META)), CORRUPT)
  }
})

t.test('codec: a compression that hangs has failed after its time, in both directions', async (t) => {
  // An interval keeps the process running like a connection to Redis, since the time limit itself does not.
  const connection = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(connection))
  const hanging: Compression = { id: 200, compress: () => new Promise(() => {}), decompress: () => new Promise(() => {}) }
  const each = codec({ compressAboveBytes: 0, compression: hanging, limitMs: 20 })
  const refused: unknown = await encode(each, large).catch((error: unknown) => error)
  t.match(refused, { code: 'CACHE_ERR_VALUE_INVALID' })
  t.match(causeOf(refused), { message: 'it did not end within 20 ms' })
  t.equal(await refusal(each, await encode(codec({ compressAboveBytes: 0, compression: own }), large)), CORRUPT)
})

t.test('codec: a compression that hangs does not keep the process running', async (t) => {
  const output = await runScript(`
    import { Codec } from './packages/cache-redis/src/entries/codec.ts'
    import { jsonSerializer } from './packages/cache-redis/src/entries/serializers.ts'
    const compression = { id: 200, compress: () => new Promise(() => {}), decompress: () => new Promise(() => {}) }
    const codec = new Codec({ serializer: jsonSerializer, compressAboveBytes: 0, compression, maxValueBytes: 1000, limitMs: 600000 })
    void codec.encode(codec.serialise('x'.repeat(100)), { ttlMs: 1, windowMs: 0, tags: [] })
    process.on('exit', () => console.log('it has ended'))
  `)
  t.match(output, 'it has ended')
})
