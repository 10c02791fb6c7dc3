import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { Recording, RecordingMemory, type Recorded } from '../src/exchange/recording.js'
import { counted, KIB, MIB } from './fixtures/counted.js'
import { until } from './fixtures/edge-app.js'

function recording (source: Readable, maxBytes = MIB, memory = new RecordingMemory(MIB * 100, () => {})) {
  const ends: Recorded[] = []
  const stream = new Recording(source, { maxBytes, memory }, (end) => ends.push(end))
  stream.on('error', () => {})
  return { stream, ends, memory }
}

t.test('gives its reader what the source gives, and the recording is the same', async (t) => {
  const { stream, ends, memory } = recording(Readable.from(['a', Buffer.from('b'), '', new Uint8Array([99])]))
  t.equal(Buffer.concat(await stream.toArray()).toString(), 'abc')
  t.match(ends, [Buffer.from('abc')])
  t.equal(memory.used, 0)
})

t.test('reads no further than its reader, until somebody waits for it', async (t) => {
  const source = counted(MIB)
  const { stream, ends } = recording(source.stream)
  stream.read(0)
  for (let turns = 0; turns < 100; turns++) await nextTurn()
  t.ok(source.state.taken <= 128 * KIB, String(source.state.taken))
  t.same(ends, [])
  stream.runAhead()
  await until(() => ends.length === 1)
  t.equal((ends[0] as Buffer).length, MIB)
  t.equal(Buffer.concat(await stream.toArray()).length, MIB, 'the reader has the rest')
})

t.test('one that is too long ends, and its reader has all the same', async (t) => {
  const source = counted(3 * MIB)
  const { stream, ends, memory } = recording(source.stream)
  stream.read(0)
  stream.runAhead()
  await until(() => ends.length === 1)
  for (let turns = 0; turns < 100; turns++) await nextTurn()
  t.same(ends, ['too-large'])
  t.ok(source.state.taken < 1.5 * MIB, 'read at the pace of the reader again')
  t.equal(Buffer.concat(await stream.toArray()).length, 3 * MIB)
  t.equal(memory.used, 0)
})

t.test('all of them together hold no more than their memory, chunks of a byte included', async (t) => {
  let full = 0
  const memory = new RecordingMemory(MIB, () => { full++ })
  const all = Array.from({ length: 20 }, (_each, index) => recording(index % 2 === 0 ? counted(512 * KIB).stream : Readable.from(Array(50_000).fill('x')), MIB, memory))
  for (const { stream } of all) {
    stream.read(0)
    stream.runAhead()
  }
  await until(() => full > 0)
  for (let turns = 0; turns < 2000; turns++) await nextTurn()
  t.ok(memory.used < 2 * MIB, String(memory.used))
  t.ok(all.some(({ ends }) => ends[0] === 'no-memory'))
  for (const [index, { stream }] of all.entries()) t.equal(Buffer.concat(await stream.toArray()).length, index % 2 === 0 ? 512 * KIB : 50_000, 'each reader has the rest')
  t.equal(memory.used, 0)
})

t.test('the reader leaves: the source is ended, and nothing is held', async (t) => {
  const source = counted(MIB)
  const { stream, ends, memory } = recording(source.stream)
  stream.read(0)
  await nextTurn()
  stream.destroy()
  await until(() => source.stream.destroyed)
  t.same([ends, memory.used], [['broken-off'], 0])
})

t.test('a source of objects fails, and does not end the process', async (t) => {
  const { stream, ends } = recording(Readable.from([{ a: 1 }]))
  await t.rejects(stream.toArray(), TypeError)
  t.same(ends, ['broken-off'])
})
