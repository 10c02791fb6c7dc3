import { MAX_TAGS, MAX_TAG_LENGTH, MAX_TTL } from '@x/cache-core/implementing'
import fc from 'fast-check'
import t from 'tap'
import { MAX_SERVER_ID_LENGTH, MAX_TOKEN_LENGTH } from '../src/entries/bound-token.js'
import {
  FRAME, hasSameStamp, HEADER_BYTES, isMark, newMark, newPlainPrefix, PAYLOAD_BYTES, PAYLOAD_SERIALISED, readFrame, withTtl,
  writeFrame, type FrameMeta
} from '../src/entries/frame.js'
import { anyCharacter } from '@x/test-kit/texts'

const duration = fc.integer({ min: 0, max: MAX_TTL * 1000 })
const text = (maxLength: number) => fc.string({ unit: anyCharacter, maxLength: Math.floor(maxLength / 2) })
const anyTag = fc.record({
  tag: fc.string({ unit: anyCharacter, minLength: 1 }),
  token: text(MAX_TOKEN_LENGTH),
  serverId: text(MAX_SERVER_ID_LENGTH)
}, { noNullPrototype: true })

const anyMeta: fc.Arbitrary<FrameMeta> = fc.record({
  payload: fc.constantFrom(PAYLOAD_SERIALISED, PAYLOAD_BYTES),
  codec: fc.integer({ min: 0, max: 255 }),
  ttlMs: fc.option(duration, { nil: undefined }),
  windowMs: duration,
  ownServerId: fc.option(text(MAX_SERVER_ID_LENGTH), { nil: undefined }),
  tags: fc.array(anyTag, { maxLength: 5 })
}, { noNullPrototype: true })

const meta: FrameMeta = {
  payload: PAYLOAD_SERIALISED, codec: 0, ttlMs: 1000, windowMs: 0, ownServerId: undefined, tags: [{ tag: 'tag', token: 'token', serverId: 'server' }]
}

/** Makes a frame with this text as its metadata. */
function withMetadata (metadata: string): Buffer {
  const bytes = Buffer.from(metadata)
  const header = Buffer.alloc(HEADER_BYTES)
  header.set([FRAME, 2])
  header.writeUInt32BE(bytes.length, 4)
  return Buffer.concat([header, bytes])
}

t.test('frame: any metadata and payload come back as they went in', async () => {
  fc.assert(fc.property(anyMeta, fc.uint8Array(), (meta, payload) => {
    const read = readFrame(writeFrame(meta, payload))
    if (typeof read === 'string') throw new Error(read)
    t.strictSame(read.meta, meta)
    t.strictSame([...read.payload], [...payload])
  }), { numRuns: 50 })
})

t.test('withTtl: another ttl leaves payload, tags and stamp of any frame as they are', async () => {
  fc.assert(fc.property(anyMeta, duration, fc.uint8Array(), (meta, ttlMs, payload) => {
    const frame = writeFrame(meta, payload)
    const end = HEADER_BYTES + frame.readUInt32BE(4)
    const changed = Buffer.concat([withTtl(frame.subarray(0, end), meta, ttlMs), frame.subarray(end)])
    const read = readFrame(changed)
    if (typeof read === 'string') throw new Error(read)
    t.strictSame(read.meta, { ...meta, ttlMs })
    t.strictSame([...read.payload], [...payload])
    t.ok(hasSameStamp(changed.subarray(0, HEADER_BYTES), frame.subarray(0, HEADER_BYTES)))
  }), { numRuns: 50 })
})

t.test('hasSameStamp: no two frames or marks have one stamp, and no other bytes have it', async (t) => {
  const header = writeFrame(meta, Buffer.from('x')).subarray(0, HEADER_BYTES)
  t.ok(hasSameStamp(Buffer.from(header), header))
  const short = Buffer.from([FRAME, 2, 2])
  t.ok(hasSameStamp(Buffer.from(short), short), 'the bytes of a stranger that are no header')
  for (const [one, two] of [[short, header], [header, short], [Buffer.alloc(0), short]] as const) t.notOk(hasSameStamp(one, two))
  for (const other of [writeFrame(meta, Buffer.from('x')).subarray(0, HEADER_BYTES), newMark(), Buffer.from('{"plain":"json"}'), Buffer.alloc(0), Buffer.from('1')]) {
    t.notOk(hasSameStamp(other, header))
  }
})

t.test('frame: begins with a byte that begins no JSON text, nor any UTF-8 text', async (t) => {
  const frame = writeFrame(meta, Buffer.from('x'))
  t.equal(frame[0], FRAME)
  t.throws(() => new TextDecoder('utf-8', { fatal: true }).decode(frame.subarray(0, 1)))
})

t.test('readFrame: any bytes are a frame or a reason, never a throw', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    const framed = Buffer.from([FRAME, 2, ...bytes])
    for (const frame of [Buffer.from(bytes), framed]) readFrame(frame)
  }))
})

t.test('readFrame: a frame cut off within its header or metadata is known for truncated', async (t) => {
  const payload = Buffer.from('payload')
  const frame = writeFrame(meta, payload)
  for (let length = 1; length < frame.length - payload.length; length++) {
    t.match(readFrame(frame.subarray(0, length)), 'truncated')
  }
})

t.test('readFrame: another version and an unknown kind are refused by name', async (t) => {
  const frame = writeFrame(meta, Buffer.from('x'))
  frame[1] = 1
  t.match(readFrame(frame), 'version 1')
  frame[1] = 2
  frame[2] = 3
  t.match(readFrame(frame), 'unknown kind')
})

t.test('readFrame: metadata of any other shape is broken', async (t) => {
  for (const metadata of [
    '', '{', '{}', 'null', '[]', '[1]', '["1",2]', '[1,"2"]', '[1,2,"tag"]', '[1,2,"tag","token"]', '[1,2,3,"token","server"]',
    '[1,2,"tag",null,"server"]', '[1,2,"tag","token",[]]', '[-1,0]', '[0,-1]', '[1e999,0]', '[0,null]', '[null,-1]'
  ]) {
    t.equal(readFrame(withMetadata(metadata)), 'broken metadata', metadata)
  }
  t.type(readFrame(withMetadata('[1,2]')), 'object')
})

t.test('readFrame: the longest metadata that may be written is read', async (t) => {
  // Each UTF-16 unit of these tags takes six bytes in JSON.
  const tags = Array.from({ length: MAX_TAGS }, (_, at) => {
    return { tag: '\u0001'.repeat(MAX_TAG_LENGTH - 2) + String(at).padStart(2, '0'), token: 't'.repeat(MAX_TOKEN_LENGTH), serverId: 'f'.repeat(MAX_SERVER_ID_LENGTH) }
  })
  const longest: FrameMeta = { ...meta, ttlMs: MAX_TTL * 1000, windowMs: MAX_TTL * 1000, ownServerId: 'f'.repeat(MAX_SERVER_ID_LENGTH), tags }
  t.match(readFrame(writeFrame(longest, Buffer.from('x'))), { meta: longest })
})

const one = { tag: 'tag', token: 'token', serverId: 'server' }
const beyond: Record<string, Partial<FrameMeta>> = {
  '50 000 tags': { tags: Array.from({ length: 50_000 }, (_, at) => ({ ...one, tag: `t${at}` })) },
  'one tag too many': { tags: Array.from({ length: MAX_TAGS + 1 }, (_, at) => ({ ...one, tag: `t${at}` })) },
  'a tag that is too long': { tags: [{ ...one, tag: 't'.repeat(MAX_TAG_LENGTH + 1) }] },
  'a tag that is no Unicode': { tags: [{ ...one, tag: '\ud800' }] },
  'a token that is too long': { tags: [{ ...one, token: 't'.repeat(MAX_TOKEN_LENGTH + 1) }] },
  'a server identity that is too long': { tags: [{ ...one, serverId: 'f'.repeat(MAX_SERVER_ID_LENGTH + 1) }] },
  'a server identity of its own that is too long': { ownServerId: 'f'.repeat(MAX_SERVER_ID_LENGTH + 1) },
  'a ttl beyond the longest': { ttlMs: MAX_TTL * 1000 + 1 },
  'a window beyond the longest': { windowMs: MAX_TTL * 1000 + 1 }
}
for (const [what, part] of Object.entries(beyond)) {
  t.test(`readFrame: ${what} is refused, as it is when it is written`, async (t) => {
    t.match(readFrame(writeFrame({ ...meta, ...part }, Buffer.from('x'))), /^(broken|a frame with too much) metadata$/)
  })
}

t.test('readFrame: long metadata is refused by its length, before it is looked at', async (t) => {
  t.equal(readFrame(withMetadata(`[1,2${' '.repeat(200_000)}]`)), 'a frame with too much metadata')
})

t.test('frame: no two have the same header, though they hold the same', async (t) => {
  const headers = new Set<string>()
  for (let times = 0; times < 1000; times++) headers.add(writeFrame(meta, Buffer.from('x')).toString('hex', 0, HEADER_BYTES))
  for (let times = 0; times < 1000; times++) headers.add(newMark().toString('hex'))
  t.equal(headers.size, 2000)
})

t.test('mark: is a header of its own kind; no entry is taken for one', async (t) => {
  t.equal(newMark().length, HEADER_BYTES)
  t.ok(isMark(newMark()))
  t.match(readFrame(newMark()), 'unknown kind')
  for (const entry of [writeFrame(meta, Buffer.alloc(0)), newPlainPrefix(), Buffer.from('"0123456789abcd"'), Buffer.alloc(HEADER_BYTES), Buffer.alloc(0)]) {
    t.notOk(isMark(entry))
  }
})

t.test('newPlainPrefix: makes a frame of a plain text, without a ttl of its own', async (t) => {
  const read = readFrame(Buffer.concat([newPlainPrefix(), Buffer.from('{"a":1}')]))
  if (typeof read === 'string') throw new Error(read)
  t.strictSame(read.meta, { payload: PAYLOAD_SERIALISED, codec: 0, ttlMs: undefined, windowMs: 0, ownServerId: undefined, tags: [] })
  t.equal(read.payload.toString(), '{"a":1}')
})
