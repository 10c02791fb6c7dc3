import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance } from 'fastify'
import { once } from 'node:events'
import { createServer as createHttp1, type IncomingMessage, type ServerResponse } from 'node:http'
import { constants, createServer as createHttp2, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { ask, buildEdge, Time } from './fixtures/edge-app.js'
import { isHit } from './fixtures/page.js'
import { portOf } from './fixtures/two-clients.js'

interface World { readonly app: FastifyInstance; readonly time: Time; readonly seen: string[]; fail: boolean }
type Answering = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => void

/** Sends half of a body, then resets the stream or the connection. */
function breakOff (response: ServerResponse | Http2ServerResponse, body: string): void {
  (response as ServerResponse).write(body, () => {
    if ('stream' in response) response.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    else response.destroy()
  })
}

/**
 * Builds a proxy by response in front of an upstream with this version of HTTP. Its pages are fresh for 10 s, and may be served stale after
 * errors.
 */
async function build (t: Test, version: 1 | 2): Promise<World> {
  const time = new Time(t)
  const app = await buildEdge(t, { time, edge: { rules: [{ prefix: '/', store: 'by-response' }] } })
  const world: World = { app, time, seen: [], fail: false }
  const answer: Answering = (request, response) => {
    world.seen.push(`${request.url!} ${String(request.headers['if-none-match'])}`)
    const head = { 'cache-control': 'max-age=10, stale-if-error=60', etag: '"v"', 'content-type': 'text/plain' }
    const size = Number(/\d+/.exec(request.url!)?.[0] ?? 5)
    const body = 'x'.repeat(size)
    const status = world.fail ? 503 : request.headers['if-none-match'] === '"v"' ? 304 : 200
    response.statusCode = status
    for (const [name, value] of Object.entries(head)) response.setHeader(name, value)
    if (request.url === '/broken') return breakOff(response, body)
    ;(response as ServerResponse).end(status === 304 ? undefined : body)
  }
  const server = version === 1 ? createHttp1(answer) : createHttp2(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  await app.register(httpProxy, { upstream: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, ...version === 2 && { http2: true } })
  return world
}

for (const version of [1, 2] as const) {
  t.test(`HTTP/${version} upstream: a 304 renews a stale response, twice`, async (t) => {
    const { app, time, seen } = await build(t, version)
    t.match(await ask(app, '/a'), { status: 200, body: 'xxxxx', cacheStatus: /uri-miss/ })
    for (let turn = 1; turn <= 2; turn++) {
      t.equal(isHit(await ask(app, '/a')), true)
      time.advance(11)
      t.match(await ask(app, '/a'), { status: 200, body: 'xxxxx', cacheStatus: /fwd=stale; fwd-status=304/ })
    }
    t.same(seen, ['/a undefined', '/a "v"', '/a "v"'])
  })

  t.test(`HTTP/${version} upstream: a response that breaks off also breaks off for its client, and is not stored`, async (t) => {
    const { app, seen } = await build(t, version)
    const base = `http://127.0.0.1:${await portOf(app)}`
    for (let turn = 1; turn <= 2; turn++) {
      await t.rejects(fetch(`${base}/broken`).then((answer) => answer.text()))
      t.equal(seen.length, turn)
    }
    t.equal(await (await fetch(`${base}/a`)).text(), 'xxxxx')
  })

  for (const size of [0, 5, 200_000]) {
    t.test(`HTTP/${version} upstream: a 503 of ${size} bytes is replaced by what is stored`, async (t) => {
      const world = await build(t, version)
      const { app, time } = world
      await ask(app, `/${size}`)
      t.equal(isHit(await ask(app, `/${size}`)), true)
      time.advance(11)
      world.fail = true
      t.match(await ask(app, `/${size}`), { status: 200, body: 'x'.repeat(size), cacheStatus: /stale-if-error, error/ })
    })

    t.test(`HTTP/${version} upstream: a client that has the response of ${size} bytes gets 304, and the next one gets all of it`, async (t) => {
      const { app } = await build(t, version)
      t.match(await ask(app, `/${size}`, { 'if-none-match': '"v"' }), { status: 304, body: '' })
      t.match(await ask(app, `/${size}`), { status: 200, body: 'x'.repeat(size) })
    })
  }
}

t.test('a handler that takes the end of its 304 for a failure, and sends an error, does not reach the client', async (t) => {
  const time = new Time(t)
  const app = await buildEdge(t, { time })
  app.addHook('onSend', async (_request, _reply, payload) => {
    await new Promise((resolve) => { setImmediate(resolve) })
    return payload
  })
  app.get('/', { config: { cache: { store: true, maxAge: 10 } } }, (request, reply) => {
    if (request.headers['if-none-match'] === undefined) return reply.header('etag', '"v"').send('x')
    const stream = new Readable({ read () {} })
    stream.once('close', () => { reply.send(new Error('premature close')) })
    return reply.code(304).send(stream)
  })
  await ask(app, '/')
  time.advance(11)
  t.match(await ask(app, '/'), { status: 200, body: 'x', cacheStatus: /fwd-status=304/ })
  t.equal(isHit(await ask(app, '/')), true)
})
