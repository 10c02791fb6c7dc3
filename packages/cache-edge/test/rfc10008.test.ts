import type { FastifyInstance, InjectOptions } from 'fastify'
import { createServer, request as httpRequest } from 'node:http'
import t, { type Test } from 'tap'
import { gzipSync } from 'node:zlib'
import type { CacheEdgeOptions, EdgePolicy } from '../src/index.js'
import { buildEdge, Time, until, type Fields } from './fixtures/edge-app.js'
import { BOTH, MINUTE } from './fixtures/scene.js'
import { portOf } from './fixtures/two-clients.js'

interface Scene { app: FastifyInstance; time: Time; runs: () => number; seen: unknown[] }

/** Builds an app with a QUERY route at `/search`, whose responses have the number of the run. */
async function scene (t: Test, cache: EdgePolicy = { store: true }, headers: Fields = {}, edge: CacheEdgeOptions = {}): Promise<Scene> {
  const time = new Time(t)
  const app = await buildEdge(t, { time, edge })
  const seen: unknown[] = []
  app.addContentTypeParser('text/x', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  app.route({
    method: 'QUERY',
    url: '/search',
    bodyLimit: 1024 * 1024,
    config: { cache },
    handler: async (request, reply) => {
      const run = seen.push([request.body, { ...request.headers }])
      if (request.headers['if-none-match'] === '"v"') return reply.code(304).send()
      return reply.headers(headers).type('text/plain').send(`run ${run}`)
    }
  })
  return { app, time, seen, runs: () => seen.length }
}

const query = (payload: string | Buffer = '{"q":1}', headers: Record<string, string> = {}, url = '/search'): InjectOptions => ({
  method: 'QUERY' as 'POST', url, payload, headers: { 'content-type': 'application/json', ...headers }
})

// Rows with two queries; `isHit`: whether the second one is answered with the stored response to the first one.
const rows: Array<[section: string, first: InjectOptions, second: InjectOptions, isHit: boolean, policy?: EdgePolicy]> = [
  ['§2.7 the same content', query(), query(), true],
  ['§2.7 other content', query(), query('{"q":2}'), false],
  ['§2.7 content that differs in spaces alone: no normalisation', query(), query('{"q": 1}'), false],
  ['§2.7 other members first: no normalisation', query('{"a":1,"b":2}'), query('{"b":2,"a":1}'), false],
  ['§2.7 the same bytes of another type', query(), query('{"q":1}', { 'content-type': 'text/x' }), false],
  ['§2.7 a parameter of the type', query(), query('{"q":1}', { 'content-type': 'application/json; charset=utf-8' }), false],
  ['§2.7 another content language', query(), query('{"q":1}', { 'content-language': 'fr' }), false],
  ['§2.7 another URL', query(), query('{"q":1}', {}, '/search?x'), false],
  ['§2.7 another host', query(), query('{"q":1}', { host: 'other.example' }), false],
  ['§2.7 content of 64 KiB', query(JSON.stringify('x'.repeat(65_534))), query(JSON.stringify('x'.repeat(65_534))), true],
  ['§2.7 larger content is in no key, so nothing is stored', query(JSON.stringify('x'.repeat(65_535))), query(JSON.stringify('x'.repeat(65_535))), false],
  ['§2.7 a header that vary names', query('1', { accept: 'a' }), query('1', { accept: 'b' }), false, { vary: ['accept'] }],
  ['§2.7 a header that the handler does not see', query('1', { accept: 'a' }), query('1', { accept: 'b' }), true],
  ['RFC 9111 §3.5 credentials', query('1', { authorization: 'Bearer x' }), query(), false],
  ['RFC 9111 §5.2.1.5 no-store in the request', query(undefined, { 'cache-control': 'no-store' }), query(), false]
]

for (const [name, store] of Object.entries(BOTH)) {
  for (const [section, first, second, isHit, policy] of rows) {
    t.test(`QUERY: ${section}, ${name}`, async (t) => {
      const { app } = await scene(t, { store, ...policy }, MINUTE)
      t.equal((await app.inject(first)).body, 'run 1')
      const { body, headers } = await app.inject(second)
      t.equal(body, isHit ? 'run 1' : 'run 2')
      t.equal(/; hit/.test(String(headers['cache-status'])), isHit, String(headers['cache-status']))
    })
  }
}

t.test('QUERY: §2.7 a GET of the same URL has its own stored response, in both orders', async (t) => {
  for (const order of [['GET', 'QUERY'], ['QUERY', 'GET']]) {
    const app = await buildEdge(t)
    app.route({ method: ['GET', 'QUERY'], url: '/x', config: { cache: { store: true } }, handler: async ({ method }) => method })
    for (const method of [...order, ...order]) {
      const { body } = await app.inject({ method: method as 'GET', url: '/x', ...method === 'QUERY' && { payload: '1', headers: { 'content-type': 'application/json' } } })
      t.equal(body, method)
    }
  }
})

t.test('QUERY: the handler sees the content and the headers that describe it, and no others', async (t) => {
  const { app, seen } = await scene(t)
  await app.inject(query('{"q":1}', { accept: 'a', 'content-language': 'fr', 'x-any': '1' }))
  const [body, { host, ...headers }] = seen[0] as [unknown, Record<string, string>]
  t.same(body, { q: 1 })
  t.same(headers, { 'content-type': 'application/json', 'content-language': 'fr' })
  t.type(host, 'string')
})

t.test('QUERY: §2.7 the headers of the policy, and the tag of the body; a response that is not keyed is private', async (t) => {
  const { app } = await scene(t, { store: true, tags: ['one'] })
  for (let times = 0; times < 2; times++) t.match((await app.inject(query())).headers, { 'cache-control': 'public, max-age=60, must-revalidate', etag: /^W\//, 'surrogate-key': 'one' })
  const large = await app.inject(query(JSON.stringify('x'.repeat(70_000))))
  t.match(large.headers, { 'cache-control': 'private, no-cache', 'cache-status': 'fastify; fwd=bypass; detail=request-body' })
})

t.test('QUERY: §2.6 a conditional query is answered with 304, from the store and by the handler', async (t) => {
  const { app, runs } = await scene(t, { store: true }, { etag: '"v"' })
  await app.inject(query())
  t.match(await app.inject(query(undefined, { 'if-none-match': '"v"' })), { statusCode: 304, body: '' })
  t.match(await app.inject(query(undefined, { 'if-none-match': '"w"' })), { statusCode: 200, body: 'run 1' })
  t.equal(runs(), 1)
  t.match(await app.inject(query('{"q":2}', { 'if-none-match': '"v"' })), { statusCode: 304 }, 'another query with the same tag')
  t.equal(runs(), 2)
})

t.test('QUERY: RFC 9111 §4.3 a stale response is validated with the same content', async (t) => {
  const { app, time, seen } = await scene(t, { store: true, maxAge: 10 }, { etag: '"v"' })
  await app.inject(query())
  time.advance(11)
  t.match(await app.inject(query()), { statusCode: 200, body: 'run 1', headers: { 'cache-status': /fwd-status=304/ } })
  t.match(seen[1], [{ q: 1 }, { 'if-none-match': '"v"' }])
})

t.test('QUERY: RFC 5861 stale-while-revalidate is not used, stale-if-error is', async (t) => {
  const time = new Time(t)
  const app = await buildEdge(t, { time })
  let runs = 0
  app.route({
    method: 'QUERY',
    url: '/search',
    config: { cache: { store: true, maxAge: 10, staleWhileRevalidate: 60, staleIfError: 60 } },
    handler: async () => {
      if (++runs === 3) throw new Error('the handler fails')
      return `run ${runs}`
    }
  })
  await app.inject(query())
  time.advance(11)
  t.equal((await app.inject(query())).body, 'run 2')
  time.advance(11)
  t.match(await app.inject(query()), { statusCode: 200, body: 'run 2' })
})

t.test('QUERY: RFC 9111 §4.4 is safe, so that it invalidates nothing; an unsafe method invalidates its responses', async (t) => {
  const { app } = await scene(t)
  app.get('/search', { config: { cache: { store: true } } }, async () => 'page')
  app.post('/search', async () => 'done')
  const isHit = async (given: InjectOptions): Promise<boolean> => /; hit/.test(String((await app.inject(given)).headers['cache-status']))
  await app.inject('/search')
  await app.inject(query())
  t.ok(await isHit({ url: '/search' }))
  t.ok(await isHit(query()))
  await app.inject({ method: 'POST', url: '/search' })
  t.notOk(await isHit({ url: '/search' }))
  t.notOk(await isHit(query()))
})

t.test('QUERY: one run of the handler for requests with one content, over connections', async (t) => {
  const app = await buildEdge(t)
  const answers: Array<() => void> = []
  app.route({
    method: 'QUERY',
    url: '/search',
    config: { cache: { store: true } },
    handler: async ({ body }) => {
      await new Promise<void>((resolve) => { answers.push(resolve) })
      return body
    }
  })
  const port = await portOf(app)
  const send = (content: string): Promise<string> => new Promise((resolve, reject) => {
    const request = httpRequest({ port, host: '127.0.0.1', method: 'QUERY', path: '/search', headers: { 'content-type': 'application/json' }, agent: false }, (response) => {
      response.setEncoding('utf8').toArray().then((parts: string[]) => resolve(parts.join('')), reject)
    })
    request.on('error', reject)
    request.end(content)
  })
  const first = [send('[1]'), send('[2]')]
  await until(() => answers.length === 2)
  const second = [send('[1]'), send('[2]')]
  for (const answer of answers) answer()
  t.same(await Promise.all([...first, ...second]), ['[1]', '[2]', '[1]', '[2]'])
  t.equal(answers.length, 2)
})

t.test('QUERY: trailers are in no key, so that such a request bypasses the store', async (t) => {
  const { app, runs } = await scene(t)
  const port = await portOf(app)
  for (let times = 0; times < 2; times++) {
    await new Promise<void>((resolve, reject) => {
      const request = httpRequest({ port, host: '127.0.0.1', method: 'QUERY', path: '/search', headers: { 'content-type': 'application/json', trailer: 'x-steer' }, agent: false }, (response) => {
        t.match(response.headers['cache-status'], 'fastify; fwd=bypass; detail=request-body')
        response.resume().on('end', resolve)
      })
      request.on('error', reject)
      request.addTrailers({ 'x-steer': 'evil' })
      request.end('{"q":1}')
    })
  }
  t.equal(runs(), 2)
})

t.test('QUERY: a hook that decodes the content: the key is of what the parser reads', async (t) => {
  const app = await buildEdge(t)
  let runs = 0
  const { createGunzip } = await import('node:zlib')
  app.addHook('preParsing', async (request, _reply, payload) => {
    if (request.headers['content-encoding'] !== 'gzip') return payload
    const decoded = Object.assign(createGunzip(), { receivedEncodedLength: Number(request.headers['content-length']) })
    return payload.pipe(decoded)
  })
  app.route({ method: 'QUERY', url: '/search', config: { cache: { store: true } }, handler: async ({ body }) => ({ body, run: ++runs }) })
  const zipped = query(gzipSync('{"q":1}'), { 'content-encoding': 'gzip' })
  for (let times = 0; times < 2; times++) t.same((await app.inject(zipped)).json(), { body: { q: 1 }, run: 1 })
  t.same((await app.inject(query(gzipSync('{"q":2}'), { 'content-encoding': 'gzip' }))).json(), { body: { q: 2 }, run: 2 })
})

t.test('QUERY: a parser that reads the raw request past the hooks leaves it without a key', async (t) => {
  const app = await buildEdge(t)
  let runs = 0
  app.addContentTypeParser('text/raw', (request, _payload, done) => {
    request.raw.setEncoding('utf8').toArray().then((parts: string[]) => done(null, parts.join('')), done)
  })
  app.route({ method: 'QUERY', url: '/search', config: { cache: { store: true } }, handler: async ({ body }) => `${String(body).length} ${++runs}` })
  const content = 'x'.repeat(200_000)
  for (const run of [1, 2]) t.equal((await app.inject(query(content, { 'content-type': 'text/raw' }))).body, `200000 ${run}`)
})

t.test('QUERY: content beyond the bodyLimit, no type, and JSON that is broken are errors as without the cache', async (t) => {
  const { app, runs } = await scene(t)
  t.equal((await app.inject(query(Buffer.alloc(1024 * 1024 + 1, ' ')))).statusCode, 413)
  t.equal((await app.inject(query('{'))).statusCode, 400)
  t.equal((await app.inject({ method: 'QUERY' as 'POST', url: '/search' })).statusCode, 400)
  t.equal(runs(), 0)
})

t.test('QUERY: currentTag is the tag of the target, so that it is not asked', async (t) => {
  const app = await buildEdge(t)
  app.route({ method: ['GET', 'QUERY'], url: '/x', config: { cache: { maxAge: 60, currentTag: () => '"v"' } }, handler: async ({ method }) => method })
  const condition = { 'if-none-match': '"v"' }
  t.equal((await app.inject({ url: '/x', headers: condition })).statusCode, 304)
  t.match(await app.inject(query('1', condition, '/x')), { statusCode: 200, body: 'QUERY' })
})

t.test('QUERY: a reverse proxy by response sends the content on', async (t) => {
  const upstream = createServer((request, response) => {
    request.setEncoding('utf8').toArray().then((parts: string[]) => {
      response.setHeader('cache-control', 'max-age=60')
      response.end(`${request.method!} ${parts.join('')}`)
    }, () => response.destroy())
  }).listen(0, '127.0.0.1')
  t.teardown(() => upstream.close())
  const app = await buildEdge(t)
  const { default: httpProxy } = await import('@fastify/http-proxy')
  await until(() => upstream.listening)
  const { port } = upstream.address() as { port: number }
  await app.register(httpProxy, { upstream: `http://127.0.0.1:${port}`, httpMethods: ['GET', 'QUERY'] as any, config: { cache: { store: 'by-response' } } } as any)
  for (let times = 0; times < 2; times++) t.match(await app.inject(query('{"q":1}', {}, '/')), { statusCode: 200, body: 'QUERY {"q":1}' })
})
