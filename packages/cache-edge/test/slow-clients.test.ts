import type { FastifyReply } from 'fastify'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { counted, KIB, MIB } from './fixtures/counted.js'
import { buildEdge, until, type EdgeSetup } from './fixtures/edge-app.js'
import { receive, unread } from './fixtures/wire.js'

/** Waits until a number has not changed for 100 ms. */
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
    // Bytes in the buffers of the kernel are subtracted, since the process does not hold them.
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
