import Fastify, { type FastifyInstance } from 'fastify'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import t from 'tap'
import { ask, buildEdge, until } from './fixtures/edge-app.js'

/** Sends a request over a separate socket, and reads no part of the response until the test resumes it. */
async function unread (port: number, path: string): Promise<{ close: () => void }> {
  const socket = connect(port, 'localhost')
  socket.pause()
  await once(socket, 'connect')
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`)
  return { close: () => socket.destroy() }
}

/** Counts the requests that have reached the app. */
function arrivals (app: FastifyInstance): { count: number } {
  const seen = { count: 0 }
  app.addHook('preHandler', async () => { seen.count++ })
  return seen
}

t.test('no request waits for a client that reads a storable stream slowly', async (t) => {
  const app = await buildEdge(t, { edge: { coalesceMs: 60_000, maxBodyBytes: 8 * 1024 * 1024 } })
  let runs = 0
  app.get('/', { config: { cache: { store: true } } }, async (_request, reply) => {
    runs++
    return reply.type('text/plain').send(Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(64 * 1024, 'x'))))
  })
  await app.listen({ port: 0, host: 'localhost' })
  const { port } = app.server.address() as AddressInfo
  const slow = await unread(port, '/')
  await until(() => runs === 1)
  const answer = await fetch(`http://localhost:${port}/`)
  t.equal((await answer.arrayBuffer()).byteLength, 4 * 1024 * 1024)
  slow.close()
})

for (const [what, type] of [['longer than may be kept', 'text/plain'], ['of events', 'text/event-stream']] as const) {
  t.test(`nobody waits for the end of a stream ${what}`, async (t) => {
    const app = await buildEdge(t, { edge: { coalesceMs: 60_000, maxBodyBytes: 100 } })
    const streams: PassThrough[] = []
    app.get('/', { config: { cache: { store: true } } }, async (_request, reply) => {
      const stream = new PassThrough()
      streams.push(stream)
      return reply.type(type).send(stream)
    })
    const first = ask(app, '/')
    await until(() => streams.length === 1)
    const second = ask(app, '/')
    streams[0]!.write('x'.repeat(type === 'text/plain' ? 200 : 10))
    await until(() => streams.length === 2)
    for (const stream of streams) stream.end()
    for (const { status } of await Promise.all([first, second])) t.equal(status, 200)
  })
}

t.test('a client that goes away does not send the others to the handler: what it makes is theirs', async (t) => {
  const app = await buildEdge(t)
  const seen = arrivals(app)
  let hasLeft = false
  const made: Array<() => void> = []
  app.get('/', { config: { cache: { store: true } } }, async (request) => {
    request.raw.once('close', () => { hasLeft = true })
    await new Promise<void>((resolve) => { made.push(resolve) })
    return 'text'
  })
  await app.listen({ port: 0, host: 'localhost' })
  const { port } = app.server.address() as AddressInfo
  const leader = await unread(port, '/')
  await until(() => made.length === 1)
  const others = Array.from({ length: 20 }, async () => (await fetch(`http://localhost:${port}/`)).text())
  await until(() => seen.count === 21)
  leader.close()
  await until(() => hasLeft)
  made[0]!()
  t.same(new Set(await Promise.all(others)), new Set(['text']))
  t.equal(made.length, 1)
})

t.test('a stream that breaks off is made once more for all who waited, not once for each', async (t) => {
  const app = await buildEdge(t)
  const seen = arrivals(app)
  const streams: PassThrough[] = []
  app.get('/', { config: { cache: { store: true } } }, async (_request, reply) => {
    const stream = new PassThrough()
    streams.push(stream)
    return reply.type('text/plain').send(stream)
  })
  await app.listen({ port: 0, host: 'localhost' })
  const { port } = app.server.address() as AddressInfo
  const url = `http://localhost:${port}/`
  const leader = fetch(url).then((answer) => answer.text()).catch((error: unknown) => error)
  await until(() => streams.length === 1)
  const others = Array.from({ length: 10 }, async () => (await fetch(url)).text())
  await until(() => seen.count === 11)
  streams[0]!.write('half')
  streams[0]!.destroy(new Error('broken'))
  t.type(await leader, Error)
  await until(() => streams.length === 2)
  streams[1]!.end('whole')
  t.same(new Set(await Promise.all(others)), new Set(['whole']))
  t.equal(streams.length, 2)
})

t.test('requests for responses that are not stored do not queue: the next one does not wait', async (t) => {
  const app = await buildEdge(t, { edge: { coalesceMs: 60_000 } })
  const pending: Array<() => void> = []
  app.get('/', { config: { cache: { store: true } } }, async (_request, reply) => {
    await new Promise<void>((resolve) => { pending.push(resolve) })
    return reply.header('set-cookie', 'a=b').send('own')
  })
  const first = ask(app, '/')
  await until(() => pending.length === 1)
  pending[0]!()
  await first
  const others = [ask(app, '/'), ask(app, '/'), ask(app, '/')]
  await until(() => pending.length === 4)
  for (const resolve of pending) resolve()
  for (const { body } of await Promise.all(others)) t.equal(body, 'own')
})

t.test('once a response is stored again, other requests wait for it again', async (t) => {
  const app = await buildEdge(t)
  const pending: Array<(isPrivate: boolean) => void> = []
  app.get('/', { config: { cache: { store: true } } }, async (_request, reply) => {
    const isPrivate = await new Promise<boolean>((resolve) => { pending.push(resolve) })
    if (isPrivate) reply.header('cache-control', 'private')
    return 'text'
  })
  for (const isPrivate of [true, false]) {
    const one = ask(app, '/')
    await until(() => pending.length === 1)
    pending.pop()!(isPrivate)
    await one
  }
  await app.cache.clear()
  const all = [ask(app, '/'), ask(app, '/'), ask(app, '/')]
  await until(() => pending.length > 0)
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(pending.length, 1)
  pending[0]!(false)
  await Promise.all(all)
})

t.test('HTTP/2: handlers see the authority that their response is stored for, and so does a refresh', async (t) => {
  const { cacheCore } = await import('@x/cache-core')
  const { cacheEdge } = await import('../src/index.js')
  const { connect: connect2 } = await import('node:http2')
  const app = Fastify({ http2: true })
  t.teardown(() => app.close())
  await app.register(cacheCore as never, { implementation: 'memory' })
  await app.register(cacheEdge as never, {})
  let runs = 0
  app.get('/', { config: { cache: { store: true, maxAge: 0, staleWhileRevalidate: 600 } } }, async (request) => `${++runs} for ${request.host}`)
  await app.listen({ port: 0, host: 'localhost' })
  const client = connect2(`http://localhost:${(app.server.address() as AddressInfo).port}`)
  t.teardown(() => { client.destroy() })
  const get = async (): Promise<string> => (await client.request({ ':path': '/', ':authority': 'a.example' }).setEncoding('utf8').toArray()).join('')
  t.equal(await get(), '1 for a.example')
  // Each request is answered at once with a stale response, and starts the refresh of the next one.
  for (let turn = 0; turn < 10; turn++) t.match(await get(), /^\d+ for a\.example$/)
  await until(() => runs > 2)
})
