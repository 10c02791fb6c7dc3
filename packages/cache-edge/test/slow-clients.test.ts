import type { FastifyReply } from 'fastify'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { Recording, RecordingMemory, type Recorded } from '../src/exchange/recording.js'
import { buildEdge, until, type EdgeSetup } from './fixtures/edge-app.js'
import { receive, unread } from './fixtures/wire.js'

const KIB = 1024
const MIB = 1024 * KIB

/** A stream of so many bytes that counts those that were taken from it. */
function counted (bytes: number): { readonly stream: Readable; readonly state: { taken: number } } {
  const state = { taken: 0 }
  const stream = new Readable({
    read () {
      const chunk = state.taken >= bytes ? null : Buffer.alloc(16 * KIB, 'x')
      state.taken += chunk?.byteLength ?? 0
      this.push(chunk)
    }
  })
  return { stream, state }
}

/** Waits until a number has not changed for a time. */
async function settled (read: () => number): Promise<void> {
  for (let before = -1, quiet = 0; quiet < 10; quiet = read() === before ? quiet + 1 : 0, before = read()) await wait(10)
}

const cases: Record<string, { setup?: EdgeSetup; answer?: (reply: FastifyReply) => unknown }> = {
  'is of one client': { answer: (reply) => reply.header('cache-control', 'private') },
  'has a cookie': { answer: (reply) => reply.header('set-cookie', 'a=b') },
  'says that it is too long': { answer: (reply) => reply.header('content-length', 64 * MIB) },
  'is too long': {},
  'is not stored, as the app observes': { setup: { core: { implementation: 'null' } } },
  'may be stored': { setup: { edge: { maxBodyBytes: 64 * MIB } } }
}
for (const [what, { setup = {}, answer = () => {} }] of Object.entries(cases)) {
  t.test(`a client that does not read a stream that ${what}: the process holds little of it`, async (t) => {
    const app = await buildEdge(t, { ...setup, edge: { maxBodyBytes: 16 * MIB, ...setup.edge } })
    app.log.level = 'silent'
    const source = counted(64 * MIB)
    app.get('/', { config: { cache: { store: true } } }, async (_request, reply) => {
      answer(reply)
      return reply.type('text/plain').send(source.stream)
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const connected = once(app.server, 'connection')
    const client = await unread((app.server.address() as AddressInfo).port, '/')
    const [socket] = await connected as [Socket]
    await until(() => source.state.taken > 0)
    await settled(() => source.state.taken)
    // What the kernel has is not the process's.
    const held = source.state.taken - (socket.bytesWritten - socket.writableLength)
    t.ok(held < 512 * KIB, `${held} bytes`)
    client.destroy()
  })
}

t.test('a client that does not read keeps nobody waiting: as soon as another one asks, the stream is read to its end', async (t) => {
  const app = await buildEdge(t, { edge: { maxBodyBytes: 16 * MIB, coalesceMs: 60_000 } })
  let runs = 0
  app.get('/', { config: { cache: { store: true } } }, async (_request, reply) => {
    runs++
    return reply.type('text/plain').send(counted(12 * MIB).stream)
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const slow = await unread(port, '/')
  await until(() => runs === 1)
  const other = await receive(port, '/')
  t.same([other.end, other.body.length, runs], ['whole', 12 * MIB, 1])
  slow.destroy()
})

function recording (source: Readable, maxBytes = MIB, memory = new RecordingMemory(MIB * 100, () => {})) {
  const ends: Recorded[] = []
  const stream = new Recording(source, { maxBytes, memory }, (end) => ends.push(end))
  stream.on('error', () => {})
  return { stream, ends, memory }
}

t.test('Recording: gives its reader what the source gives, and the recording is the same', async (t) => {
  const { stream, ends, memory } = recording(Readable.from(['a', Buffer.from('b'), '', new Uint8Array([99])]))
  t.equal(Buffer.concat(await stream.toArray()).toString(), 'abc')
  t.match(ends, [Buffer.from('abc')])
  t.equal(memory.used, 0)
})

t.test('Recording: reads no further than its reader, until somebody waits for it', async (t) => {
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

t.test('Recording: one that is too long ends, and its reader has all the same', async (t) => {
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

t.test('Recording: all of them together hold no more than their memory, chunks of a byte included', async (t) => {
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

t.test('Recording: the reader leaves: the source is ended, and nothing is held', async (t) => {
  const source = counted(MIB)
  const { stream, ends, memory } = recording(source.stream)
  stream.read(0)
  await nextTurn()
  stream.destroy()
  await until(() => source.stream.destroyed)
  t.same([ends, memory.used], [['broken-off'], 0])
})

t.test('Recording: a source of objects fails, and does not end the process', async (t) => {
  const { stream, ends } = recording(Readable.from([{ a: 1 }]))
  await t.rejects(stream.toArray(), TypeError)
  t.same(ends, ['broken-off'])
})
