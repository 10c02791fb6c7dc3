import httpProxy from '@fastify/http-proxy'
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { ask, buildEdge } from './fixtures/edge-app.js'
import { isHit } from './fixtures/page.js'
import { portOf } from './fixtures/two-clients.js'

const STORES = [true, 'by-response'] as const
const HANDSHAKE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']

/** Starts a server that greets each WebSocket, and responds to other requests with a page. */
async function socketServer (t: Test): Promise<string> {
  const server = createServer((_request, response) => { response.setHeader('cache-control', 'max-age=60').end('page') })
  server.on('upgrade', (request, socket) => {
    import('node:crypto').then(({ createHash }) => {
      const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']!}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
      socket.end(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from('hello'), Buffer.from([0x88, 0])]))
    }, () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.closeAllConnections(); server.close() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Returns the bytes that a WebSocket client receives until the greeting, or until the connection ends. */
async function shakeHands (port: number, path: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a.example\r\n${HANDSHAKE.map((line) => `${line}\r\n`).join('')}\r\n`)
  let text = ''
  for await (const chunk of socket.setEncoding('latin1')) {
    text += String(chunk)
    if (text.includes('hello')) break
  }
  socket.destroy()
  return text
}

for (const store of STORES) {
  t.test(`@fastify/http-proxy with websocket: a handshake reaches the upstream, before and after the page is stored, store ${String(store)}`, async (t) => {
    const app = await buildEdge(t, { edge: { rules: [{ prefix: '/', store }] } })
    await app.register(httpProxy, { upstream: await socketServer(t), websocket: true })
    const port = await portOf(app)
    t.match(await shakeHands(port, '/x'), /^HTTP\/1\.1 101 [^]*hello/)
    for (const isSecond of [false, true]) {
      const answer = await ask(app, '/x')
      t.equal(answer.body, 'page')
      t.equal(isHit(answer), isSecond)
    }
    t.match(await shakeHands(port, '/x'), /^HTTP\/1\.1 101 [^]*hello/)
  })

  t.test(`a request for an upgrade that is answered as any other is neither stored nor answered from the store: store ${String(store)}`, async (t) => {
    const app = await buildEdge(t)
    let runs = 0
    app.get('/', { config: { cache: { store } } }, async (request, reply) => reply.header('cache-control', 'max-age=60').send(`${++runs} ${String(request.headers.upgrade)}`))
    const upgrade = { connection: 'upgrade', upgrade: 'h2c' }
    t.match(await ask(app, '/', upgrade), { body: '1 h2c', cacheStatus: 'fastify; fwd=bypass; detail=upgrade' })
    t.match(await ask(app, '/'), { body: '2 undefined', cacheStatus: /uri-miss/ })
    t.match(await ask(app, '/', upgrade), { body: '3 h2c' })
    t.match(await ask(app, '/'), { body: '2 undefined', cacheStatus: /hit/ })
  })
}

t.test('a response to a request for an upgrade is private, as its handler sees the whole request', async (t) => {
  const app = await buildEdge(t)
  app.get('/', { config: { cache: { store: true, sameForAll: true } } }, async () => 'x')
  t.match(await ask(app, '/', { upgrade: 'x' }), { headers: { 'cache-control': 'private, no-cache' } })
})

t.test('early hints of a handler reach its client, and the response behind them is stored', async (t) => {
  const app = await buildEdge(t)
  app.get('/', { config: { cache: { store: true } } }, async (_request, reply) => {
    reply.raw.writeEarlyHints({ link: '</style.css>; rel=preload' })
    return 'x'
  })
  const port = await portOf(app)
  const get = httpRequest({ port, host: '127.0.0.1', headers: { host: 'a.example' }, agent: false }).end()
  const [[hints], [response]] = await Promise.all([once(get, 'information'), once(get, 'response')])
  t.match(hints, { statusCode: 103 })
  response.resume()
  await once(response, 'end')
  t.match(await ask(app, '/', { host: 'a.example' }), { status: 200, body: 'x', cacheStatus: /; hit/ })
})

t.test('CONNECT passes the cache, and removes what is stored of its path, as it is no safe method', async (t) => {
  const app = await buildEdge(t)
  app.addHttpMethod('CONNECT' as never)
  let runs = 0
  app.route({ method: ['GET', 'CONNECT' as never], url: '/x', config: { cache: { store: true } }, handler: async ({ method }) => `${method} ${++runs}` })
  await ask(app, '/x')
  t.match(await ask(app, '/x', {}, 'CONNECT' as never), { body: 'CONNECT 2', cacheStatus: 'fastify; fwd=method' })
  t.equal(isHit(await ask(app, '/x')), false)
})
