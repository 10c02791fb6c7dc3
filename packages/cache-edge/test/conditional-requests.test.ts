import type { FastifyReply } from 'fastify'
import { createReadStream, readdirSync } from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import t from 'tap'
import { ask, buildEdge, Time, until } from './fixtures/edge-app.js'

/** Sends one request over a socket. */
function overHttp (port: number, path: string, headers: Record<string, string>, method = 'GET'): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ port, host: '127.0.0.1', path, headers, method, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, body: Buffer.concat(chunks) }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

const MODIFIED = 'Sun, 01 Jun 2025 00:00:00 GMT'
const tagged = (reply: FastifyReply): FastifyReply => reply.header('etag', '"v"')
const handlers: Record<string, (reply: FastifyReply) => unknown> = {
  '/object': () => ({ a: 1 }),
  '/string': () => 'text',
  '/buffer': () => Buffer.from('bytes'),
  '/null': (reply) => reply.send(null),
  '/empty': () => '',
  '/set': (reply) => tagged(reply).send('text'),
  '/weak': (reply) => reply.header('etag', 'W/"v"').send('text'),
  '/unquoted': (reply) => reply.header('etag', 'v').send('text'),
  '/modified': (reply) => tagged(reply).header('last-modified', MODIFIED).send('text'),
  '/dated': (reply) => reply.header('last-modified', MODIFIED).send('text'),
  '/stream': (reply) => tagged(reply).send(createReadStream(import.meta.filename)),
  '/204': (reply) => reply.code(204).send(),
  '/302': (reply) => tagged(reply).redirect('/object'),
  '/404': (reply) => tagged(reply).code(404).send('no'),
  '/500': (reply) => tagged(reply).code(500).send('no'),
  '/full': (reply) => tagged(reply).headers({
    'last-modified': MODIFIED, 'content-location': '/other', 'content-language': 'en', expires: MODIFIED, 'set-cookie': 'a=b', vary: 'accept', 'x-own': '1', 'content-security-policy': 'x'
  }).send('text')
}

const conditions: Array<[what: string, url: string, request: Record<string, string>, status: number, method?: string]> = [
  ...['/object', '/string', '/buffer', '/null', '/empty'].map((url): [string, string, Record<string, string>, number] => [`${url} with its own tag`, url, { 'if-none-match': 'own' }, 304]),
  ['one of a list', '/set', { 'if-none-match': '"x", "v"' }, 304],
  ['none of a list', '/set', { 'if-none-match': '"x", "y"' }, 200],
  ['any', '/set', { 'if-none-match': '*' }, 304],
  ['weak in the request', '/set', { 'if-none-match': 'W/"v"' }, 304],
  ['weak in the answer', '/weak', { 'if-none-match': '"v"' }, 304],
  ['a tag without quotes is none', '/unquoted', { 'if-none-match': 'v' }, 200],
  ['If-Modified-Since', '/dated', { 'if-modified-since': MODIFIED }, 304],
  ['If-Modified-Since, changed since', '/dated', { 'if-modified-since': 'Sat, 31 May 2025 23:59:59 GMT' }, 200],
  ['If-Modified-Since does not count beside If-None-Match', '/modified', { 'if-modified-since': MODIFIED, 'if-none-match': '"x"' }, 200],
  ['If-None-Match counts beside an older If-Modified-Since', '/modified', { 'if-modified-since': 'Sat, 31 May 2025 23:59:59 GMT', 'if-none-match': '"v"' }, 304],
  ['If-Match that holds', '/set', { 'if-match': '"v"' }, 200],
  ['If-Match that does not', '/set', { 'if-match': '"x"' }, 412],
  ['If-Unmodified-Since that does not', '/dated', { 'if-unmodified-since': 'Sat, 31 May 2025 23:59:59 GMT' }, 412],
  ['a stream with a tag', '/stream', { 'if-none-match': '"v"' }, 304],
  ['POST never', '/set', { 'if-none-match': '"v"' }, 200, 'POST'],
  ['HEAD', '/set', { 'if-none-match': '"v"' }, 304, 'HEAD'],
  ['HEAD that does not match', '/set', { 'if-none-match': '"x"' }, 200, 'HEAD'],
  ['404 never', '/404', { 'if-none-match': '"v"' }, 404],
  ['404 never, any', '/404', { 'if-none-match': '*' }, 404],
  ['500 never', '/500', { 'if-none-match': '"v"' }, 500],
  ['a redirect never', '/302', { 'if-none-match': '"v"' }, 302],
  ['204 has no tag', '/204', { 'if-none-match': '"v"' }, 204]
]

t.test('conditional requests over HTTP', async (t) => {
  for (const store of [false, true] as const) {
    const app = await buildEdge(t)
    for (const [url, handler] of Object.entries(handlers)) {
      app.route({ method: ['GET', 'POST'], url, config: { cache: { store } }, handler: async (_request, reply) => handler(reply) })
    }
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as { port: number }

    for (const [what, url, request, status, method] of conditions) {
      await t.test(`${what}, store: ${store}`, async (t) => {
        const headers = { ...request }
        const plain = await overHttp(port, url, {})
        if (headers['if-none-match'] === 'own') headers['if-none-match'] = plain.headers.etag!
        const answer = await overHttp(port, url, headers, method)
        t.equal(answer.status, status)
        if (status === 304 || status === 412) {
          t.equal(answer.body.length, 0)
          for (const name of ['content-type', 'content-encoding'] as const) t.equal(answer.headers[name], undefined)
          if (status === 304) for (const name of ['content-length', 'transfer-encoding'] as const) t.equal(answer.headers[name], undefined, name)
        } else if (method === undefined) {
          t.same(answer.body, plain.body)
        } else if (method === 'HEAD') {
          t.match(answer, { body: Buffer.alloc(0), headers: { 'content-length': '4' } })
        }
      })
    }

    await t.test(`a 304 has the headers it must have and no others, store: ${store}`, async (t) => {
      const { headers } = await overHttp(port, '/full', { 'if-none-match': '"v"' })
      const { date, 'keep-alive': _keepAlive, connection: _connection, ...own } = headers
      t.ok(date)
      t.same(own, {
        'cache-control': 'private, no-cache',
        etag: '"v"',
        vary: 'accept, cookie',
        expires: MODIFIED,
        'content-location': '/other',
        'last-modified': MODIFIED,
        'x-own': '1',
        'content-security-policy': 'x',
        'set-cookie': ['a=b'],
        ...store ? { 'cache-status': 'fastify; fwd=uri-miss; detail=set-cookie' } : {}
      })
    })
  }
})

t.test('a 304 describes no body, whatever hooks add; one of a stored response has no cookie of a hook either', async (t) => {
  const app = await buildEdge(t)
  const cookie = (): string | undefined => isRolling ? 'a=b' : undefined
  let isRolling = false
  app.addHook('onRequest', async (_request, reply) => { if (cookie() !== undefined) reply.header('set-cookie', 'a=b') })
  app.addHook('onSend', async (_request, reply) => { reply.header('content-language', 'en') })
  for (const [url, store] of [['/kept', true], ['/not', false]] as const) app.get(url, { config: { cache: { store } } }, async () => ({ a: 1 }))
  for (const url of ['/kept', '/not']) {
    isRolling = false
    const { headers: { etag } } = await ask(app, url)
    isRolling = true
    const answer = await ask(app, url, { 'if-none-match': etag })
    t.equal(answer.status, 304)
    t.same(answer.headers['set-cookie'], url === '/not' ? 'a=b' : undefined, url)
    for (const name of ['content-language', 'content-type', 'content-length']) t.notOk(name in answer.headers, name)
  }
})

for (const [what, cache] of Object.entries({ 'without any rule': undefined, 'with a policy': {}, 'personal by a cookie': {}, 'that stores, and may not store this one': { store: true } })) {
  t.test(`a session cookie reaches a client that revalidates: a route ${what}`, async (t) => {
    const app = await buildEdge(t)
    const request: Record<string, string> = what === 'personal by a cookie' ? { cookie: 'sid=1' } : {}
    let visits = 0
    app.addHook('onSend', async (_request, reply) => { reply.header('set-cookie', `visits=${++visits}`) })
    app.get('/', cache === undefined ? {} : { config: { cache } }, async () => 'page')
    const { headers: { etag } } = await ask(app, '/', request)
    for (const condition of [etag, `"x", ${String(etag)}`, '*']) {
      const answer = await ask(app, '/', { ...request, 'if-none-match': condition })
      t.match(answer, { status: 304, headers: { 'set-cookie': `visits=${visits}` } })
      t.notMatch(answer.headers['cache-control'] ?? '', /public/)
    }
  })
}

t.test('a 304 of the handler\'s own keeps its cookie, and a 412 the cookie of a hook', async (t) => {
  const app = await buildEdge(t)
  app.get('/304', async (_request, reply) => reply.code(304).headers({ etag: '"v"', 'set-cookie': 'a=b', 'content-language': 'en' }).send())
  app.get('/412', async (_request, reply) => reply.headers({ etag: '"v"', 'set-cookie': 'a=b' }).send('x'))
  const answer = await ask(app, '/304')
  t.match(answer, { status: 304, headers: { 'set-cookie': 'a=b' } })
  t.equal(answer.headers['content-language'], undefined)
  t.match(await ask(app, '/412', { 'if-match': '"w"' }), { status: 412, headers: { 'set-cookie': 'a=b' } })
})

t.test('a hit that becomes a 304 leaves the cookie of an onSend hook out', async (t) => {
  const app = await buildEdge(t)
  app.addHook('onSend', async (request, reply) => { if (request.headers['x-cookie'] !== undefined) reply.header('set-cookie', 'a=b') })
  app.get('/', { config: { cache: { store: true } } }, async () => ({ a: 1 }))
  const { headers: { etag } } = await ask(app, '/')
  for (const condition of [etag, `"x", ${String(etag)}`]) {
    const answer = await ask(app, '/', { 'if-none-match': condition, 'x-cookie': '1' })
    t.match(answer, { status: 304, cacheStatus: /hit/ })
    t.equal(answer.headers['set-cookie'], undefined, condition)
  }
})

t.test('conditional requests for streams leave no file open', { skip: process.platform !== 'linux' && 'counts in /proc' }, async (t) => {
  for (const store of [false, true]) {
    const app = await buildEdge(t)
    const paths: string[] = []
    app.get('/', { config: { cache: { store } } }, async (_request, reply) => {
      const stream = createReadStream(import.meta.filename)
      paths.push(String(stream.path))
      return reply.header('etag', '"v"').send(stream)
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as { port: number }
    const open = (): number => readdirSync('/proc/self/fd').length
    const before = open()
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => overHttp(port, '/', { 'if-none-match': '"v"' })))
      t.ok(answers.every(({ status }) => status === 304))
    }
    await until(() => open() <= before + 5)
    t.ok(paths.length > 0)
  }
})

const PUBLIC = 'public, max-age=60, must-revalidate'

t.test('currentTag: 304 without a handler run, 412 before an unsafe one', async (t) => {
  for (const store of [false, true, 'by-response'] as const) {
    const app = await buildEdge(t)
    let runs = 0
    let tag: string | undefined = '"v"'
    app.route({
      method: ['GET', 'PUT'],
      url: '/',
      config: { cache: { store, currentTag: async () => tag } },
      handler: async (_request, reply) => {
        runs++
        return reply.send('x')
      }
    })
    t.match(await ask(app, '/', { 'if-none-match': '"v"' }), { status: 304, body: '', headers: { etag: '"v"', ...store === 'by-response' ? {} : { 'cache-control': PUBLIC } } })
    t.match(await ask(app, '/', { 'if-none-match': '"v"' }, 'HEAD'), { status: 304 })
    t.match(await ask(app, '/', { 'if-match': '"x"' }, 'PUT'), { status: 412 })
    t.match(await ask(app, '/', { 'if-none-match': '*' }, 'PUT'), { status: 412 })
    t.equal(runs, 0)
    t.match(await ask(app, '/', { 'if-match': '"v"' }, 'PUT'), { status: 200 })
    t.match(await ask(app, '/', { 'if-none-match': '"x"' }), { status: 200, headers: { etag: '"v"' } })
    t.equal(runs, 2)
    tag = undefined
    t.match(await ask(app, '/', { 'if-match': '*' }, 'PUT'), { status: 412 })
    t.match(await ask(app, '/', { 'if-none-match': '*' }, 'PUT'), { status: 200 })
  }
})

t.test('currentTag: a stored response whose tag is no longer the current one is not served under the new one', async (t) => {
  const app = await buildEdge(t)
  let version = 1
  app.get('/', { config: { cache: { store: true, currentTag: () => `"${version}"` } } }, async () => `body ${version}`)
  t.match(await ask(app, '/'), { body: 'body 1', headers: { etag: '"1"' } })
  version = 2
  const answer = await ask(app, '/')
  t.equal(`${answer.body} ${String(answer.headers.etag)}`, answer.body === 'body 1' ? 'body 1 "1"' : 'body 2 "2"')
})

t.test('a stream that a 304 or a 412 leaves out is ended, of whatever kind it is', async (t) => {
  for (const kind of ['Readable', 'web stream', 'Response']) {
    const app = await buildEdge(t)
    let isEnded = false
    app.get('/', async (_request, reply) => {
      tagged(reply).type('text/plain')
      if (kind === 'Readable') return reply.send(new Readable({ read () {}, destroy (error, done) { isEnded = true; done(error) } }))
      const stream = new ReadableStream({ cancel () { isEnded = true } })
      return reply.send(kind === 'web stream' ? stream : new Response(stream))
    })
    for (const [condition, status] of [[{ 'if-none-match': '"v"' }, 304], [{ 'if-match': '"w"' }, 412]] as const) {
      isEnded = false
      t.equal((await ask(app, '/', condition as Record<string, string>)).status, status)
      await until(() => isEnded)
      t.ok(isEnded, `${kind}, ${status}`)
    }
  }
})

t.test('RFC 9110 §15.4.5: the 304 of a stored response has its Age, whatever condition asks for it', async (t) => {
  const time = new Time(t)
  const app = await buildEdge(t, { time })
  app.get('/', { config: { cache: { store: true } } }, async (_request, reply) => reply.header('last-modified', MODIFIED).header('etag', '"v"').send('x'))
  await ask(app, '/')
  time.advance(7)
  for (const [name, value] of [['if-none-match', '"v"'], ['if-none-match', '"u", W/"v"'], ['if-none-match', '*'], ['if-modified-since', MODIFIED]] as const) {
    t.match(await ask(app, '/', { [name]: value }), { status: 304, headers: { age: '7' } })
  }
})
