import { cacheCore } from '@x/cache-core'
import { isGone } from '@x/cache-core/suite'
import Fastify, { type FastifyInstance } from 'fastify'
import fc from 'fast-check'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectHttp2, constants } from 'node:http2'
import { join } from 'node:path'
import { connect, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { logTo, type LogLine } from '@x/test-kit/build-app'
import { cacheEdge } from '../src/index.js'
import { ask, buildEdge, until, type EdgeSetup } from './fixtures/edge-app.js'

/** The location in the response to a write, and the name of the header that contains it. */
interface Said { location?: unknown; name?: string }

/** Makes an app with a stored page. A PUT to the page responds with the headers that the test gives; `setup` may change the app. */
async function site (t: Test, setup: EdgeSetup & Said = {}): Promise<{ app: FastifyInstance; runs: () => number; writes: () => number }> {
  const app = await buildEdge(t, setup)
  let runs = 0
  let writes = 0
  app.get('/p', { config: { cache: { store: true } } }, async () => `run ${++runs}`)
  app.put('/p', async (_request, reply) => {
    writes++
    if (setup.location !== undefined) reply.header(setup.name ?? 'location', setup.location)
    return 'done'
  })
  return { app, runs: () => runs, writes: () => writes }
}

/** Returns the responses of a server to requests of HTTP/1.0 without a `Host`. */
async function withoutHost (app: FastifyInstance, method: string): Promise<string> {
  if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  socket.end(`${method} /p HTTP/1.0\r\n\r\n`)
  return (await socket.setEncoding('utf8').toArray()).join('')
}

for (const name of ['location', 'content-location']) {
  t.test(`a write without a Host (HTTP/1.0) whose answer has a ${name} is answered, and its target is invalidated`, async (t) => {
    const { app } = await site(t, { name, location: '/p' })
    t.match(await withoutHost(app, 'GET'), /run 1$/)
    t.match(await withoutHost(app, 'GET'), /run 1$/)
    t.match(await withoutHost(app, 'PUT'), /^HTTP\/1.1 200 OK[^]*done$/)
    t.match(await withoutHost(app, 'GET'), /run 2$/)
  })

  t.test(`a write whose Host is part of no URL, and whose answer has a ${name}, is answered, and its target is invalidated`, async (t) => {
    const said: Said = { name }
    const { app, runs, writes } = await site(t, said)
    for (const host of ['', ' ', 'a b', '[', ':', '/', '//', '?', '#', '%', '\\', '@', 'a:b:c', 'a:99999', '[::1', 'a<b', 'a@b', '..', 'xn--']) {
      for (const location of ['/p', 'p', '?', 'http://other.example/p', 'http://[', '//', '']) {
        said.location = location
        const before = await ask(app, '/p', { host })
        const run = runs()
        const written = await ask(app, '/p', { host }, 'PUT')
        const after = await ask(app, '/p', { host })
        const isRight = [before, written, after].every(({ status }) => status === 200) && written.body === 'done' && after.body === `run ${run + 1}`
        if (!isRight) t.fail(JSON.stringify({ host, location, before, written, after }))
      }
    }
    t.equal(writes(), 19 * 7)
  })

  t.test(`a ${name} that is no URL, a number, a list or an object costs neither the write nor its invalidation`, async (t) => {
    for (const location of ['http://[', 'http://', '//', '\\\\', '::', 7, ['/a', '/b'], [], new Date(0), { toString: () => '/q' }]) {
      const { app } = await site(t, { name, location })
      await ask(app, '/p')
      t.match(await ask(app, '/p', {}, 'PUT'), { status: 200, body: 'done' }, JSON.stringify(location))
      t.match(await ask(app, '/p'), { body: 'run 2' }, JSON.stringify(location))
    }
  })
}

t.test('a Location that is a URL object invalidates as its text does', async (t) => {
  const { app } = await site(t)
  app.post('/new', async (_request, reply) => reply.code(201).header('location', new URL('http://localhost:80/p')).send('made'))
  await ask(app, '/p')
  t.match(await ask(app, '/new', {}, 'POST'), { status: 201, body: 'made' })
  t.match(await ask(app, '/p'), { body: 'run 2' })
})

t.test('whatever Host and Location say, a write is answered, and its target is invalidated', async (t) => {
  const part = fc.oneof(fc.string(), fc.webUrl(), fc.constantFrom('localhost', 'http:', '//', '[', ']', ':', '@', '?', '#', '/', '\\', '..'))
  const text = fc.array(part, { maxLength: 4 }).map((parts) => parts.join('').replace(/[^\t\x20-\x7e]/g, ''))
  const said: Said = {}
  const { app, runs } = await site(t, said)
  await fc.assert(fc.asyncProperty(text, text, fc.constantFrom('location', 'content-location'), async (host, location, name) => {
    Object.assign(said, { name, location })
    await ask(app, '/p', { host })
    const run = runs()
    const written = await ask(app, '/p', { host }, 'PUT')
    const after = await ask(app, '/p', { host })
    return written.status === 200 && written.body === 'done' && after.body === `run ${run + 1}`
  }), { numRuns: 150 })
})

t.test('a trustProxy function that throws behind a write prevents neither the response nor the invalidation, and is logged once', async (t) => {
  const lines: LogLine[] = []
  let isBroken = false
  const trustProxy = (): boolean => {
    if (isBroken) throw new Error('no proxies known')
    return true
  }
  const app = await buildEdge(t, { server: { trustProxy, logger: logTo(lines) as object } })
  let runs = 0
  app.get('/p', { config: { cache: { store: true } } }, async () => `run ${++runs}`)
  app.put('/p', async () => {
    isBroken = true
    return 'done'
  })
  for (let times = 1; times <= 3; times++) {
    t.match(await ask(app, '/p', { 'x-forwarded-host': 'a.example' }), { body: `run ${times}` })
    t.match(await ask(app, '/p', { 'x-forwarded-host': 'a.example' }, 'PUT'), { status: 200, body: 'done' })
    isBroken = false
  }
  t.match(lines.filter(({ msg }) => /the target of a write cannot be told/.test(msg)), [{ level: 40, route: '/p', err: { message: 'no proxies known' } }])
})

t.test('a write whose client leaves invalidates the host and the protocol that its proxy forwarded', async (t) => {
  const { app } = await site(t, { server: { trustProxy: '127.0.0.1' } })
  let hasBegun = false
  app.put('/slow', async (request, reply) => {
    hasBegun = true
    await until(() => request.raw.socket.destroyed)
    return reply.header('location', '/p').send('done')
  })
  let invalidations = 0
  app.cache.registry.events.on('invalidated', () => { invalidations++ })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const forwarded = { host: 'inner', 'x-forwarded-host': 'a.example', 'x-forwarded-proto': 'https' }
  for (let times = 0; times < 2; times++) t.match(await ask(app, '/p', forwarded), { body: 'run 1' })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(`PUT /slow HTTP/1.1\r\n${Object.entries(forwarded).map(([name, value]) => `${name}: ${value}\r\n`).join('')}Content-Length: 0\r\n\r\n`)
  await until(() => hasBegun)
  socket.destroy()
  await until(() => invalidations > 0)
  t.match(await ask(app, '/p', forwarded), { body: 'run 2' })
})

t.test('a write over HTTP/2 whose client leaves invalidates the page of its protocol', async (t) => {
  const folder = t.testdir()
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', join(folder, 'key'), '-out', join(folder, 'cert')], { stdio: 'ignore' })
  const app = Fastify({ http2: true, https: { key: readFileSync(join(folder, 'key')), cert: readFileSync(join(folder, 'cert')) } }) as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(cacheCore, { implementation: 'memory' })
  await app.register(cacheEdge)
  let runs = 0
  let hasBegun = false
  let invalidations = 0
  app.get('/p', { config: { cache: { store: true } } }, async () => `run ${++runs}`)
  app.put('/p', async (_request, reply) => {
    hasBegun = true
    await until(() => isGone(reply))
    return 'done'
  })
  app.cache.registry.events.on('invalidated', () => { invalidations++ })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const session = connectHttp2(`https://localhost:${(app.server.address() as AddressInfo).port}`, { rejectUnauthorized: false })
  session.on('error', () => {})
  t.teardown(() => { session.destroy() })
  const get = async (): Promise<string> => (await session.request({ ':path': '/p' }).setEncoding('utf8').toArray()).join('')
  t.equal(await get(), 'run 1')
  t.equal(await get(), 'run 1')
  const writing = session.request({ ':method': 'PUT', ':path': '/p' }, { endStream: true })
  writing.on('error', () => {})
  await until(() => hasBegun)
  writing.close(constants.NGHTTP2_CANCEL)
  await until(() => invalidations > 0)
  t.equal(await get(), 'run 2')
})
