import compress from '@fastify/compress'
import { cacheCore } from '@x/cache-core'
import { cacheMetrics } from '@x/cache-metrics'
import Fastify, { type FastifyReply } from 'fastify'
import { createReadStream, readdirSync } from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import t from 'tap'
import { gunzipSync } from 'node:zlib'
import { cacheEdge, type CacheEdgeOptions, type EdgePolicy } from '../src/index.js'
import { ask, buildEdge, until, type Fields } from './fixtures/edge-app.js'

interface Exchange {
  url?: string
  policy?: EdgePolicy | false
  /** Of the handler's answer. */
  headers?: Fields
  status?: number
  request?: Record<string, string>
}
type Expected = Record<'cache-control' | 'vary' | 'cdn-cache-control' | 'surrogate-key', string | undefined>

const PUBLIC = 'public, max-age=60, must-revalidate'
const PRIVATE = 'private, no-cache'
const BEARER = { authorization: 'Bearer x' }
const options: CacheEdgeOptions = {
  ignoreCookies: ['_ga'],
  personal: ['/api/user'],
  rules: [{ prefix: '/api' }, { prefix: '/api/long', maxAge: 300, vary: ['Accept-Language'], tags: ['long', 'api'] }, { prefix: '/api/user', maxAge: 9 }]
}

const written: Array<[what: string, exchange: Exchange, expected: Partial<Expected>]> = [
  ['a rule by its prefix', { url: '/api/a' }, { 'cache-control': PUBLIC }],
  ['a rule at its prefix itself', { url: '/api' }, { 'cache-control': PUBLIC }],
  ['no rule for a longer word', { url: '/apia' }, {}],
  ['the longest prefix', { url: '/api/long/a' }, { 'cache-control': 'public, max-age=300, must-revalidate', vary: 'accept-language', 'surrogate-key': 'long api' }],
  ['a route over its rule', { url: '/api/long/a', policy: { maxAge: 5, tags: ['own'] } }, { 'cache-control': 'public, max-age=5, must-revalidate', vary: 'accept-language', 'surrogate-key': 'own' }],
  ['a route without a policy under a rule', { url: '/api/a', policy: false }, {}],
  ['a route\'s own policy', { policy: { maxAge: 5, cdnMaxAge: 50 } }, { 'cache-control': 'public, max-age=5, must-revalidate', 'cdn-cache-control': 'max-age=50' }],
  ['no rule and no policy', {}, {}],
  ['the handler\'s own Cache-Control wins', { url: '/api/a', headers: { 'cache-control': 'max-age=7' } }, { 'cache-control': 'max-age=7' }],
  ['the handler\'s own CDN-Cache-Control wins', { policy: { cdnMaxAge: 50 }, headers: { 'cdn-cache-control': 'max-age=7' } }, { 'cache-control': PUBLIC, 'cdn-cache-control': 'max-age=7' }],
  ['Vary is merged, whatever its case', { policy: { vary: ['accept', 'x-b'] }, headers: { vary: 'X-A, ACCEPT' } }, { 'cache-control': PUBLIC, vary: 'X-A, ACCEPT, x-b' }],
  ['Vary: * stays', { policy: { vary: ['accept'] }, headers: { vary: '*' } }, { 'cache-control': PUBLIC, vary: '*' }],
  ['Set-Cookie is private', { url: '/api/long/a', headers: { 'set-cookie': 'a=b' } }, { 'cache-control': PRIVATE, vary: 'accept-language' }],
  ['a 500 is not stored', { url: '/api/long/a', status: 500 }, { 'cache-control': 'no-store' }],
  ['a 503 with a Cache-Control of its own', { url: '/api/a', status: 503, headers: { 'cache-control': 'max-age=1' } }, { 'cache-control': 'max-age=1' }],
  ['a 404', { url: '/api/long/a', status: 404 }, { 'cache-control': 'no-cache', vary: 'accept-language' }],
  ['a 404 that is listed', { policy: { statuses: [404], tags: ['x'] }, status: 404 }, { 'cache-control': PUBLIC, 'surrogate-key': 'x' }],
  ['a 500 without a rule', { status: 500 }, {}],
  ['a personal prefix', { url: '/api/user/me' }, { 'cache-control': PRIVATE }],
  ['a personal prefix beats a policy', { url: '/api/user/me', policy: { maxAge: 60, sameForAll: true } }, { 'cache-control': PRIVATE }],
  ['a personal prefix, and no-store by the handler', { url: '/api/user/me', headers: { 'cache-control': 'no-store' } }, { 'cache-control': 'no-store' }],
  ['credentials', { url: '/api/long/a', request: BEARER }, { 'cache-control': PRIVATE }],
  ['a cookie', { url: '/api/a', request: { cookie: 'sid=1' } }, { 'cache-control': PRIVATE }],
  ['an ignored cookie', { url: '/api/a', request: { cookie: '_ga=1' } }, { 'cache-control': PUBLIC }],
  ['credentials where it is the same for all', { policy: { sameForAll: true }, request: BEARER }, { 'cache-control': PUBLIC }],
  ['a private policy', { policy: { scope: 'private', maxAge: 5 } }, { 'cache-control': 'private, max-age=5, must-revalidate' }],
  ['tags that no purge could name', { policy: { tags: () => ['a b'] } }, { 'cache-control': PRIVATE }],
  ['a Surrogate-Key of the handler', { policy: { tags: ['a'] }, headers: { 'surrogate-key': 'own' } }, { 'cache-control': PUBLIC, 'surrogate-key': 'own' }]
]

for (const [what, { url = '/x', policy, headers = {}, status = 200, request }, expected] of written) {
  t.test(`headers: ${what}`, async (t) => {
    const app = await buildEdge(t, { edge: options })
    app.get(url, { ...policy === undefined ? {} : { config: { cache: policy } } }, async (_request, reply) => reply.code(status).headers(headers).send('x'))
    const answer = await ask(app, url, request)
    t.equal(answer.status, status)
    for (const name of ['cache-control', 'vary', 'cdn-cache-control', 'surrogate-key'] as const) t.equal(answer.headers[name], expected[name], name)
    t.equal((await ask(app, url, request, 'HEAD')).headers['cache-control'], expected['cache-control'], 'HEAD says the same')
  })
}

t.test('headers: a personal path is one in any spelling', async (t) => {
  const app = await buildEdge(t, { edge: options })
  app.get('/*', { config: { cache: { store: true } } }, async () => 'x')
  for (const url of ['/api/%75ser', '/API/User/me', '/api//user', '/api/x/../user', '/api/user;a=b']) {
    for (let times = 0; times < 2; times++) {
      t.match(await ask(app, url), { headers: { 'cache-control': PRIVATE }, cacheStatus: /bypass/ }, url)
    }
  }
  t.match(await ask(app, '/api/users'), { headers: { 'cache-control': PUBLIC } })
})

t.test('headers: tagHeader is another or none, and methods other than GET and HEAD get nothing', async (t) => {
  for (const [tagHeader, name] of [['Cache-Tag', 'cache-tag'], [false, undefined]] as const) {
    const app = await buildEdge(t, { edge: { tagHeader } })
    const cache = { tags: ['a', 'b'] }
    app.route({ method: ['GET', 'POST'], url: '/', config: { cache }, handler: async () => 'x' })
    const { headers } = await ask(app, '/')
    t.equal(headers['surrogate-key'], undefined)
    if (name !== undefined) t.equal(headers[name], 'a,b')
    t.equal((await ask(app, '/', {}, 'POST')).headers['cache-control'], undefined)
  }
})

t.test('headers: without rules there are ETags and 304, and nothing else', async (t) => {
  const app = await buildEdge(t)
  app.get('/', async () => ({ a: 1 }))
  const first = await ask(app, '/')
  t.same(Object.keys(first.headers).sort(), ['connection', 'content-length', 'content-type', 'date', 'etag'])
  const second = await ask(app, '/', { 'if-none-match': first.headers.etag })
  t.equal(second.status, 304)
  t.same(Object.keys(second.headers).sort(), ['connection', 'date', 'etag'])
})

/** One request over a socket. */
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
        vary: 'accept',
        expires: MODIFIED,
        'content-location': '/other',
        'last-modified': MODIFIED,
        'x-own': '1',
        'content-security-policy': 'x',
        ...store ? { 'cache-status': 'fastify; fwd=uri-miss' } : {}
      })
    })
  }
})

t.test('a 304 from the cache has no cookie of a hook, and describes no body', async (t) => {
  const app = await buildEdge(t)
  app.addHook('onRequest', async (_request, reply) => { reply.header('set-cookie', 'a=b') })
  app.addHook('onSend', async (_request, reply) => { reply.header('content-language', 'en') })
  const plain = await buildEdge(t)
  for (const each of [app, plain]) each.get('/', { config: { cache: { store: true } } }, async () => ({ a: 1 }))
  const { headers: { etag } } = await ask(plain, '/')
  t.match(await ask(plain, '/', { 'if-none-match': etag }), { status: 304, cacheStatus: /hit/ })
  const answer = await ask(app, '/', { 'if-none-match': etag })
  t.equal(answer.status, 304)
  for (const name of ['set-cookie', 'content-language', 'content-type', 'content-length']) t.notOk(name in answer.headers, name)
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

t.test('currentTag: a kept answer whose tag is no longer the current one is not served under the new one', async (t) => {
  const app = await buildEdge(t)
  let version = 1
  app.get('/', { config: { cache: { store: true, currentTag: () => `"${version}"` } } }, async () => `body ${version}`)
  t.match(await ask(app, '/'), { body: 'body 1', headers: { etag: '"1"' } })
  version = 2
  const answer = await ask(app, '/')
  t.equal(`${answer.body} ${String(answer.headers.etag)}`, answer.body === 'body 1' ? 'body 1 "1"' : 'body 2 "2"')
})

for (const order of ['before', 'after'] as const) {
  t.test(`compression registered ${order}: one kept body for every coding, Vary on all, no coding on a 304`, async (t) => {
    const app = await buildEdge(t, { compress: order })
    let runs = 0
    for (const [url, handler] of Object.entries({ '/text': () => 'text '.repeat(100), '/json': () => ({ a: 'text '.repeat(100) }) })) {
      app.get(url, { config: { cache: { store: true } } }, async () => { runs++; return handler() })
    }
    for (const url of ['/text', '/json']) {
      runs = 0
      for (const encoding of ['gzip', 'identity', 'gzip', 'br']) {
        const answer = await app.inject({ url, headers: { 'accept-encoding': encoding } })
        t.equal(answer.headers['content-encoding'], encoding === 'identity' ? undefined : encoding)
        t.match(answer.headers.vary, /accept-encoding/i, `${url} ${encoding}`)
        t.equal(String(answer.headers.vary).toLowerCase(), 'accept-encoding')
        if (encoding !== 'br') t.match((encoding === 'gzip' ? gunzipSync(answer.rawPayload) : answer.rawPayload).toString(), /text text/)
        t.match(answer.headers.etag, /^W\//)
        for (const tag of [answer.headers.etag as string, '*']) {
          const second = await app.inject({ url, headers: { 'accept-encoding': encoding, 'if-none-match': tag } })
          t.equal(second.statusCode, 304)
          for (const name of ['content-encoding', 'content-length', 'content-type']) t.equal(second.headers[name], undefined, name)
          t.equal(second.rawPayload.length, 0)
        }
      }
      t.equal(runs, 1)
    }
  })
}

t.test('compression: Vary is on answers of routes that are not kept as well', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheEdge, { rules: [{ prefix: '/' }] })
  await app.register(compress, { threshold: 0 })
  app.get('/', async () => 'text')
  t.match((await ask(app, '/')).headers.vary, /accept-encoding/i)
})

t.test('etag: the options of @fastify/etag, none at all, and a clash with one', async (t) => {
  const tagOf = async (etag: CacheEdgeOptions['etag']): Promise<unknown> => {
    const app = await buildEdge(t, { edge: etag === undefined ? {} : { etag } })
    app.get('/', async () => 'x')
    return (await ask(app, '/')).headers.etag
  }
  t.match(await tagOf(undefined), /^W\/"[^"]+"$/)
  t.match(await tagOf({ weak: false }), /^"[^"]+"$/)
  t.match(await tagOf({ algorithm: 'md5', weak: false }), /^"[^"]{22,24}"$/)
  t.equal(await tagOf(false), undefined)
  await t.rejects(tagOf({ algorithm: 'none' }))
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register((await import('@fastify/etag')).default)
  await t.rejects(async () => app.register(cacheEdge), { code: 'CACHE_ERR_ETAG_CLASH' })
})

t.test('hooks registered before and after see and change what is sent, and only what the handler said is kept', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, { implementation: 'memory' })
  let asked = 0
  app.addHook('onSend', async (_request, reply, payload) => {
    reply.header('x-before', String(++asked))
    return typeof payload === 'string' || Buffer.isBuffer(payload) ? `${String(payload)} before` : payload
  })
  await app.register(cacheEdge)
  app.addHook('onSend', async (_request, reply, payload) => {
    reply.header('x-after', String(asked))
    return typeof payload === 'string' ? `${payload} after` : payload
  })
  app.addHook('preHandler', async (_request, reply) => { reply.header('x-pre', String(asked)) })
  let runs = 0
  app.get('/', { config: { cache: { store: true } } }, async () => `run ${++runs}`)
  t.match(await ask(app, '/'), { body: 'run 1 before after', headers: { 'x-before': '1', 'x-after': '1', 'x-pre': '0' } })
  t.match(await ask(app, '/'), { body: 'run 1 before after', headers: { 'x-before': '2', 'x-after': '2', 'x-pre': '1' }, cacheStatus: /hit/ })
})

t.test('an authenticating hook stands in front of what is kept', async (t) => {
  const app = await buildEdge(t)
  let isOpen = true
  app.addHook('preHandler', async (_request, reply) => isOpen ? undefined : reply.code(401).send('no'))
  app.get('/', { config: { cache: { store: true } } }, async () => 'x')
  const { headers: { etag } } = await ask(app, '/')
  isOpen = false
  t.match(await ask(app, '/'), { status: 401, headers: { 'cache-control': 'no-cache' } })
  t.match(await ask(app, '/', { 'if-none-match': etag }), { status: 401 })
})

t.test('a route that was declared before the plugin had loaded has ETag and 304', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(cacheEdge)
  const matches: string[] = []
  app.get('/', async () => 'x')
  await app.ready()
  app.cache.registry.events.on('etagMatch', (route, method) => matches.push(`${method} ${route}`))
  const { headers: { etag } } = await ask(app, '/')
  t.match(await ask(app, '/', { 'if-none-match': etag }), { status: 304, body: '' })
  t.same(matches, ['GET /'])
})

for (const withMetrics of [false, true]) {
  t.test(`edgeCandidate and etagMatch are announced once each, ${withMetrics ? 'with' : 'without'} @x/cache-metrics`, async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(cacheCore, { implementation: 'memory' })
    if (withMetrics) await app.register(cacheMetrics)
    await app.register(cacheEdge, { personal: ['/me'] })
    const heard: string[] = []
    app.cache.registry.events.on('edgeCandidate', (route, method) => heard.push(`candidate ${method} ${route}`))
    app.cache.registry.events.on('etagMatch', (route, method) => heard.push(`match ${method} ${route}`))
    for (const store of [false, true]) app.get(`/${String(store)}/:id`, { config: { cache: { store } } }, async () => 'x')
    app.get('/plain', async () => 'x')
    app.get('/me', async () => 'x')
    app.get('/private', { config: { cache: { scope: 'private' } } }, async () => 'x')
    for (const url of ['/false/1', '/true/1']) {
      const { headers: { etag } } = await ask(app, url)
      for (const condition of [etag, '*']) await ask(app, url, { 'if-none-match': condition })
      await ask(app, url, BEARER)
      await ask(app, url, {}, 'HEAD')
    }
    for (const url of ['/plain', '/me', '/private', '/nowhere']) await ask(app, url)
    const of = (route: string): string[] => [`candidate GET ${route}`, `candidate GET ${route}`, `candidate GET ${route}`, `candidate HEAD ${route}`, `match GET ${route}`, `match GET ${route}`]
    t.same(heard.sort(), [...of('/false/:id'), ...of('/true/:id')].sort())
    if (!withMetrics) return
    const page = (await ask(app, '/metrics/prom')).body
    t.match(page, /^cache_edge_candidates_total 8$/m)
    t.match(page, /^etag_match_total 4$/m)
  })
}
