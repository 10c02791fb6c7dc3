import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import t, { type Test } from 'tap'
import { PreparedAnswer } from '../src/fastify/early/prepared-answer.js'
import type { EdgePolicy } from '../src/index.js'
import { bare, BOTH, comparable, sendEarly, type Seam } from './fixtures/early-app.js'
import { Time } from './fixtures/edge-app.js'
import { Http2Client, portOf, send } from './fixtures/two-clients.js'

type Handler = (reply: FastifyReply) => unknown

/** Handlers whose responses Fastify sends in a special way. */
const HANDLERS: Record<string, Handler> = {
  stream: () => Readable.from(['a', 'b']),
  'stream with a type': (reply) => reply.type('text/plain').send(Readable.from(['a', 'b'])),
  'empty stream': () => Readable.from([]),
  'stream with a tag': (reply) => reply.header('etag', '"own"').send(Readable.from(['a'])),
  'no content': (reply) => reply.code(204).send(),
  'no content, with a type': (reply) => reply.code(204).type('text/plain').send(),
  'no content, with a body': (reply) => reply.code(204).type('text/plain').send('body'),
  'no content, of a stream': (reply) => reply.code(204).send(Readable.from(['a'])),
  nothing: (reply) => reply.send(),
  'empty text': (reply) => reply.type('text/plain').send(''),
  text: () => 'text',
  bytes: () => Buffer.from([0, 255]),
  'bytes without a type': (reply) => reply.removeHeader('content-type').send(Buffer.from([0, 255])),
  'not found': (reply) => reply.code(404).send('none'),
  'not found, of a stream': (reply) => reply.code(404).send(Readable.from(['none'])),
  date: (reply) => reply.header('last-modified', 'Sun, 15 Jun 2025 11:00:00 GMT').send('dated'),
  'own lifetime': (reply) => reply.header('cache-control', 'max-age=20').send(Readable.from(['a']))
}

async function handling (t: Test, time: Time, seam: Seam, policy: EdgePolicy, server = {}): Promise<FastifyInstance> {
  const app = await bare(t, seam, { policy: { statuses: [204, 404], ...policy }, server, core: { clock: time.clock } })
  for (const [at, handler] of Object.values(HANDLERS).entries()) app.get(`/${at}`, async (_request, reply) => handler(reply))
  return app
}

for (const seam of BOTH) {
  for (const [name, policy] of Object.entries({ 'by policy': { tags: ['a'] }, 'by response': { store: 'by-response' } } as Record<string, EdgePolicy>)) {
    t.test(`early, by ${seam}: each kind of response is sent as without early answers, ${name}`, async (t) => {
      const time = new Time(t)
      time.advance(0)
      const [one, other] = [await handling(t, time, seam, policy), await handling(t, time, seam, { ...policy, early: false })]
      let count = 0
      for (const [at, kind] of Object.keys(HANDLERS).entries()) {
        const target = `/${at}`
        await send(one, { target })
        await send(other, { target })
        const first = await send(other, { target })
        const fields = ['', `If-None-Match: ${first.fields.etag ?? '"none"'}`, `If-None-Match: W/"x", ${first.fields.etag ?? '"none"'}`, 'If-None-Match: *', 'If-Modified-Since: Sun, 15 Jun 2025 12:00:00 GMT']
        for (const field of fields) {
          const request = { target, headers: ['Host: a.example', ...field === '' ? [] : [field]] }
          const [got, expected] = [await sendEarly(one, request), await send(other, request)]
          t.same(comparable(got), comparable(expected), `${kind}: ${field}`)
          if (got.isEarly) count++
        }
      }
      t.ok(count >= (name === 'by policy' ? 60 : 5), `${count} early`)
    })
  }

  t.test(`early, by ${seam}: over HTTP/2, each kind of response is sent as without early answers`, async (t) => {
    const time = new Time(t)
    time.advance(0)
    const server = { http2: true }
    const apps = [await handling(t, time, seam, {}, server), await handling(t, time, seam, { early: false }, server)] as const
    const clients = [await Http2Client.to(t, apps[0]), await Http2Client.to(t, apps[1])] as const
    for (const [at, kind] of Object.keys(HANDLERS).entries()) {
      // For a HEAD whose response is a 204, Fastify sends a type and a length, which clients of HTTP/2 refuse, so only GET is tested.
      for (const method of kind.startsWith('no content,') ? ['GET'] : ['GET', 'HEAD']) {
        const request = { ':path': `/${at}`, ':method': method }
        for (const client of clients) for (let times = 0; times < 2; times++) await client.ask(request)
        const before = apps[0].cacheEdge.earlyAnswers
        const [got, expected] = [await clients[0].ask(request), await clients[1].ask(request)]
        t.same(comparable(got), comparable(expected), `${method} ${kind}`)
        t.equal(apps[0].cacheEdge.earlyAnswers, before + 1, kind)
      }
    }
  })

  t.test(`early, by ${seam}: the last tags of the policy's function are sent, also of a response that was sent early before`, async (t) => {
    let tags = ['one']
    const app = await bare(t, seam, { policy: { tags: () => tags } })
    app.get('/', async () => 'page')
    for (let times = 0; times < 2; times++) await send(app, {})
    t.match(await sendEarly(app), { isEarly: true, fields: { 'surrogate-key': 'one' } })
    tags = ['one', 'two']
    // A request whose precondition fails is not answered early.
    t.equal((await sendEarly(app, { headers: ['Host: a.example', 'If-Match: "other"'] })).isEarly, false)
    t.match(await sendEarly(app), { isEarly: true, fields: { 'surrogate-key': 'one two' } })
  })

  t.test(`early, by ${seam}: a response that HTTP/2 refuses is left to the route and logged once, and no exception ends the process`, async (t) => {
    const lines: string[] = []
    const stream = { write: (line: string) => { lines.push(line) } }
    const app = await bare(t, seam, { server: { http2: true, logger: { level: 'warn', stream } } })
    // The app sends two lines of `Last-Modified`, which only HTTP/1 allows.
    app.get('/', async (_request, reply) => reply.header('last-modified', ['Sun, 15 Jun 2025 11:00:00 GMT', 'Sun, 15 Jun 2025 12:00:00 GMT']).send('page'))
    app.get('/other', async () => 'other')
    await portOf(app)
    await app.inject({ url: '/', headers: { host: 'a.example' } })
    const client = await Http2Client.to(t, app)
    const statuses = []
    for (let times = 0; times < 4; times++) statuses.push((await client.ask({ ':path': '/' })).status)
    t.same(statuses, [500, 500, 500, 500], 'as without early answers')
    t.equal(app.cacheEdge.earlyAnswers, 0)
    t.equal(lines.filter((line) => line.includes('early response')).length, 1)
    for (let times = 0; times < 3; times++) t.match(await client.ask({ ':path': '/other' }), { status: 200, body: 'other' })
    t.equal(app.cacheEdge.earlyAnswers, 2)
  })

  t.test(`early, by ${seam}: after an exception before the head was sent, the route answers as if no early response had begun`, async (t) => {
    const app = await bare(t, seam, {
      before: (app) => { app.addHook('onRequest', async (_request, reply) => { reply.raw.setHeader('x-before', 'hook') }) }
    })
    app.get('/', async () => 'page')
    for (let times = 0; times < 2; times++) await send(app, {})
    const { send: sendWhole } = PreparedAnswer.prototype
    t.teardown(() => { PreparedAnswer.prototype.send = sendWhole })
    PreparedAnswer.prototype.send = function ({ response }) {
      response.statusCode = 500
      response.setHeader('x-before', 'early').setHeader('x-early', 'yes')
      throw new Error('no head')
    }
    const { isEarly, status, body, fields } = await sendEarly(app)
    t.match({ isEarly, status, body, fields }, { isEarly: false, status: 200, body: 'page', fields: { 'x-before': 'hook', 'x-early': undefined, 'cache-status': /hit/ } })
  })

  t.test(`early, by ${seam}: an exception after the head was sent ends that stream alone`, async (t) => {
    const lines: string[] = []
    const app = await bare(t, seam, { server: { http2: true, logger: { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } } } })
    app.get('/', async () => 'page')
    app.get('/other', async () => 'other')
    await portOf(app)
    const client = await Http2Client.to(t, app)
    for (const target of ['/', '/other']) for (let times = 0; times < 2; times++) await client.ask({ ':path': target })
    const { send: sendWhole } = PreparedAnswer.prototype
    t.teardown(() => { PreparedAnswer.prototype.send = sendWhole })
    PreparedAnswer.prototype.send = function (request, ...others) {
      if (request.raw.url === '/other') return sendWhole.call(this, request, ...others)
      request.response.writeHead(200)
      throw new Error('no end')
    }
    const before = app.cacheEdge.earlyAnswers
    const [broken, other] = await Promise.allSettled([client.ask({ ':path': '/' }), client.ask({ ':path': '/other' })])
    t.ok(broken.status === 'rejected' || broken.value.body === '', 'no body')
    t.match(other, { status: 'fulfilled', value: { status: 200, body: 'other' } })
    t.equal(app.cacheEdge.earlyAnswers, before + 1)
    t.equal(lines.filter((line) => line.includes('no end')).length, 1)
  })
}

t.test('early, by hook: a function that a hook put in place of end or writeHead gets a copy of the body and no flat list of fields', async (t) => {
  for (const payload of ['page', Buffer.from('page')]) {
    const heads: unknown[] = []
    const app = await bare(t, 'hook', {
      before: (app) => {
        app.addHook('onRequest', async ({ headers }, { raw }) => {
          const { end, writeHead } = raw
          Object.assign(raw, {
            writeHead (status: number, ...rest: unknown[]) {
              heads.push(rest.at(-1))
              return Reflect.apply(writeHead, raw, [status, ...rest]) as unknown
            },
            end (chunk?: unknown, ...rest: unknown[]) {
              if (headers['x-fill'] !== undefined && Buffer.isBuffer(chunk)) chunk.fill('x')
              return Reflect.apply(end, raw, [chunk, ...rest]) as unknown
            }
          })
        })
      }
    })
    app.get('/', async (_request, reply) => reply.type('text/plain').header('link', ['</a>', '</b>']).send(payload))
    await send(app, {})
    for (const fields of [['X-Fill: 1'], [], []]) {
      const answer = await sendEarly(app, { headers: ['Host: a.example', ...fields] })
      t.match(answer, { isEarly: true, body: fields.length === 1 && Buffer.isBuffer(payload) ? 'xxxx' : 'page' })
    }
    const early = heads.slice(1) as Record<string, unknown>[]
    for (const head of early) t.match(head, { 'content-type': /^text\/plain/, 'cache-status': /hit/, link: ['</a>', '</b>'] })
  }
})
