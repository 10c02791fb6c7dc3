import Fastify, { type FastifyInstance } from 'fastify'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { askItself, peerOf } from '../src/fastify/loopback.js'

async function build (t: Test, declare: (app: FastifyInstance) => void): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  declare(app)
  await app.ready()
  return app
}

const request = { url: '/a/../b?x=<"#y', headers: { host: 'a.example', 'x-a': 'b' }, peer: { remoteAddress: '10.1.2.3', encrypted: true }, isHttp2: false }

t.test('askItself: the app sees the target, the headers, the address and the protocol as they were given', async (t) => {
  let seen: unknown
  const app = await build(t, (app) => {
    app.get('/*', async ({ url, ip, protocol, host, method, headers, raw }) => {
      seen = { url, ip, protocol, host, method, a: headers['x-a'], lines: raw.rawHeaders, distinct: raw.headersDistinct['x-a'], version: raw.httpVersion }
      return 'x'
    })
  })
  let marked: unknown
  t.equal(await askItself(app, request, (raw) => { marked = raw.url }), 200)
  t.equal(marked, request.url)
  t.same(seen, { url: request.url, ip: '10.1.2.3', protocol: 'https', host: 'a.example', method: 'GET', a: 'b', lines: ['host', 'a.example', 'x-a', 'b'], distinct: ['b'], version: '1.1' })
})

t.test('askItself: gives the status of whatever the app answers', async (t) => {
  const app = await build(t, (app) => {
    app.get('/empty', async (_request, reply) => reply.code(204).send())
    app.get('/stream', async (_request, reply) => reply.code(203).send(Readable.from(['a'.repeat(200_000), 'b'])))
    app.get('/throws', async () => { throw Object.assign(new Error('no'), { statusCode: 409 }) })
    app.get('/hijacked', (_request, reply) => {
      reply.hijack()
      reply.raw.writeHead(202).end('x')
    })
    app.get('/late', (_request, reply) => { setImmediate(() => reply.code(418).send('x')) })
    app.get('/redirect', (_request, reply) => reply.redirect('/x', 301))
  })
  for (const [url, status] of Object.entries({ '/empty': 204, '/stream': 203, '/throws': 409, '/hijacked': 202, '/late': 418, '/redirect': 301, '/none': 404, '/%zz': 400 })) {
    t.equal(await askItself(app, { ...request, url }, () => {}), status, url)
  }
})

t.test('askItself: a response that breaks off ends it, and the app receives each event of the end', async (t) => {
  const closed: Array<Promise<unknown>> = []
  let answered = 0
  const app = await build(t, (app) => {
    app.addHook('onRequest', async ({ raw }) => { closed.push(once(raw, 'close')) })
    app.addHook('onResponse', async () => { answered++ })
    app.get('/done', async () => 'x')
    app.get('/broken', (_request, reply) => { reply.raw.destroy() })
    app.get('/cut', (request, reply) => {
      reply.hijack()
      reply.raw.writeHead(200)
      request.raw.socket.destroy()
    })
  })
  t.equal(await askItself(app, { ...request, url: '/done' }, () => {}), 200)
  await closed[0]
  t.equal(answered, 1)
  await askItself(app, { ...request, url: '/broken' }, () => {})
  await askItself(app, { ...request, url: '/cut' }, () => {})
})

t.test('askItself: a response that the app destroys with an error, at any time and more than once, does not end the process', async (t) => {
  const app = await build(t, (app) => {
    app.get('/response', (_request, reply) => { reply.raw.destroy(new Error('response')) })
    app.get('/socket', (request) => { request.raw.socket.destroy(new Error('socket')) })
    app.get('/request', (request) => { request.raw.destroy(new Error('request')).destroy(new Error('twice')) })
    app.get('/stream', async (_request, reply) => reply.send(Readable.from((async function * () {
      yield 'a'.repeat(100_000)
      throw new Error('stream')
    })())))
    app.get('/late', (_request, reply) => {
      reply.hijack()
      reply.raw.end('x')
      reply.raw.write('too late')
    })
  })
  for (const url of ['/response', '/socket', '/request', '/stream', '/late']) {
    const end = await askItself(app, { ...request, url }, () => {}).then(() => 'answered', ({ message }: Error) => message)
    t.match(end, /^(?:response|socket|request|answered|write after end)$/, url)
  }
})

t.test('askItself: rejects where the app throws at once', async (t) => {
  const app = await build(t, () => {})
  Object.assign(app, { routing: () => { throw new Error('no') } })
  await t.rejects(askItself(app, request, () => {}), { message: 'no' })
})

t.test('peerOf: there may be no socket, or one without an address', async (t) => {
  t.equal(peerOf(undefined).remoteAddress, undefined)
  t.equal(peerOf(null).encrypted, undefined)
  t.match(peerOf({ remoteAddress: '::1', localPort: 80, secret: 'x' }), { remoteAddress: '::1', localPort: 80 })
  t.notOk('secret' in peerOf({ secret: 'x' }))
})
