import { MemoryCache, type Cache } from '@x/cache-core'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import t from 'tap'
import type { EdgePolicy } from '../src/index.js'
import { responseKey } from '../src/key.js'
import { encodeResponse, type StoredResponse } from '../src/stored-response.js'
import { ask, buildEdge, raw, Time, until, type Answer, type EdgeSetup, type Fields } from './fixtures/edge-app.js'
import { PlantedCache } from './fixtures/planted-cache.js'

const MISS = 'fastify; fwd=uri-miss'
const isHit = ({ cacheStatus }: Answer): boolean => /; hit/.test(cacheStatus)

/** An app whose one page tells how often it was made, and what its handler saw of the request. */
async function page (
  t: Parameters<typeof buildEdge>[0], setup: EdgeSetup & { url?: string; cache?: EdgePolicy } = {},
  answer: (request: FastifyRequest, reply: FastifyReply, run: number) => unknown = (_request, _reply, run) => `run ${run}`
): Promise<{ app: FastifyInstance; runs: () => number }> {
  const app = await buildEdge(t, setup)
  let runs = 0
  app.get(setup.url ?? '/*', { config: { cache: { store: true, ...setup.cache } } }, async (request, reply) => answer(request, reply, ++runs))
  await app.ready()
  return { app, runs: () => runs }
}

/** Whether an answer with these fields is given to a second client. */
async function isKept (t: Parameters<typeof buildEdge>[0], fields: Fields, setup: EdgeSetup & { cache?: EdgePolicy } = {}, status = 200): Promise<boolean> {
  const { app } = await page(t, setup, (_request, reply, run) => reply.code(status).headers(fields).send(`run ${run}`))
  await ask(app, '/a')
  return isHit(await ask(app, '/a'))
}

t.test('web cache deception: no reading of a path leads from a personal prefix into the cache', async (t) => {
  const { app } = await page(t, { edge: { personal: ['/account'] } })
  for (const url of ['/account', '/account/me.css', '/ACCOUNT/me', '/account;x.css', '/account;/x.css', '/%61ccount/x', '/%2561ccount/x', '//account/x', '/./account/x',
    '/static/../account', '/static/%2e%2e/account', '/static/..%2faccount', '/account%2fx.css', '/account%3bx.css', '/account%3fx.css', '/account%23x.css', '/account%00.css',
    '/account%0a.css', '/a;b/../account', '/account?x=.css', '/%E0%A4%A', '/account\\x.css', '/static\\..\\account', '/%5caccount/x']) {
    const first = await ask(app, url)
    // Some Fastify refuses by itself.
    if (first.status === 400) continue
    const second = await ask(app, url)
    t.notOk(isHit(second), url)
    t.equal(second.headers['cache-control'], 'private, no-cache', url)
    t.not(first.body, second.body, url)
  }
})

t.test('web cache deception: a raw request line with a whole URL or backslashes is no way around a personal prefix', async (t) => {
  const { app } = await page(t, { edge: { personal: ['/account'] } })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as { port: number }
  for (const target of ['http://a.example/account/x.css', 'HTTP://A.example/account', '/\\account', '/account\\x.css', '/account#x.css']) {
    await raw(port, target)
    const second = await raw(port, target)
    if (/^HTTP\/1.1 (?:400|404)/.test(second)) continue
    t.match(second, /cache-control: private, no-cache/i, target)
    t.notMatch(second, /; hit/, target)
  }
})

t.test('web cache deception: lenient routing does not lead around a personal route', async (t) => {
  const app = await buildEdge(t, {
    server: { routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, caseSensitive: false, useSemicolonDelimiter: true } as object },
    edge: { personal: ['/account'], rules: [{ prefix: '/', store: true }] }
  })
  app.get('/account/:page', async () => 'mine')
  for (const url of ['/account/1', '/Account/1/', '//account//1', '/account/1;x=.css', '/account/1.css']) {
    await ask(app, url)
    const { body, headers, cacheStatus } = await ask(app, url)
    t.equal(body, 'mine', url)
    t.equal(headers['cache-control'], 'private, no-cache', url)
    t.equal(cacheStatus, '', url)
  }
})

t.test('web cache deception: no extension makes an answer one that is kept; the route does', async (t) => {
  const app = await buildEdge(t)
  let runs = 0
  app.get('/*', async (_request, reply) => reply.type('text/css').send(`run ${++runs}`))
  t.equal((await ask(app, '/me.css')).body, 'run 1')
  const again = await ask(app, '/me.css')
  t.equal(again.body, 'run 2')
  t.equal(again.headers['cache-control'], undefined)
})

t.test('web cache deception: what a client with a session is answered at a wildcard route is neither kept nor public', async (t) => {
  const { app } = await page(t, {}, (request) => String(request.headers.cookie))
  const mine = await ask(app, '/account/x.css', { cookie: 'session=bob' })
  t.equal(mine.body, 'session=bob')
  t.equal(mine.headers['cache-control'], 'private, no-cache')
  t.equal((await ask(app, '/account/x.css')).body, 'undefined')
})

const STEERING = ['x-forwarded-host', 'x-forwarded-proto', 'x-forwarded-port', 'x-forwarded-prefix', 'x-forwarded-scheme', 'x-forwarded-server', 'forwarded', 'x-original-url',
  'x-rewrite-url', 'x-http-method-override', 'x-http-method', 'x-method-override', 'x-host', 'x-forwarded-ssl', 'x-original-host', 'x-http-host-override']

for (const store of [true, 'by-response'] as const) {
  t.test(`poisoning: a handler behind store: ${String(store)} sees no header that steers it and is not in the key`, async (t) => {
    const { app } = await page(t, { cache: { store } }, (request, reply) => reply.header('cache-control', 'max-age=60').send(STEERING.filter((name) => request.headers[name] !== undefined)))
    for (const name of STEERING) {
      t.equal((await ask(app, `/${name}`, { [name]: 'evil' })).body, '[]', name)
      t.ok(isHit(await ask(app, `/${name}`)), name)
    }
  })
}

t.test('poisoning: an answer that is not kept but marked public was made without them as well', async (t) => {
  const { app } = await page(t, { edge: { hosts: ['a.example'] } }, (request) => String(request.headers['x-forwarded-host']))
  const evil = { 'x-forwarded-host': 'evil' }
  const requests: Record<string, Record<string, string>> = { 'no-store': { host: 'a.example', 'cache-control': 'no-store' }, range: { host: 'a.example', range: 'bytes=0-1' }, 'another host': { host: 'b.example' } }
  for (const [what, headers] of Object.entries(requests)) {
    const { body, headers: { 'cache-control': control } } = await ask(app, '/a', { ...headers, ...evil })
    t.match(control, /public/, what)
    t.equal(body, 'undefined', what)
  }
})

t.test('poisoning: HEAD is answered without them as well', async (t) => {
  const { app } = await page(t, {}, (request, reply) => reply.header('x-link', String(request.headers['x-forwarded-host'])).send(''))
  t.equal((await ask(app, '/a', { 'x-forwarded-host': 'evil' }, 'HEAD')).headers['x-link'], 'undefined')
})

t.test('poisoning: who waited in vain for the run of another is answered without them as well', async (t) => {
  const { app } = await page(t, {}, async (request, reply) => {
    await new Promise((resolve) => { setTimeout(resolve, 20) })
    return reply.header('cache-control', 'private').send(String(request.headers['x-forwarded-host']))
  })
  const answers = await Promise.all([1, 2].map(() => ask(app, '/a', { 'x-forwarded-host': 'evil' })))
  t.same(answers.map(({ body }) => body), ['undefined', 'undefined'])
})

t.test('poisoning: a stream that is made as it is read sees what its handler saw', async (t) => {
  const { Readable } = await import('node:stream')
  const { app } = await page(t, {}, (request) => Readable.from((async function * () { yield String(request.headers['x-forwarded-host']) })()))
  t.equal((await ask(app, '/a', { 'x-forwarded-host': 'evil' })).body, 'undefined')
  t.equal((await ask(app, '/a')).body, 'undefined')
})

t.test('poisoning: with trustProxy a forwarded host and protocol have an entry of their own', async (t) => {
  const { app } = await page(t, { server: { trustProxy: true } }, (request) => `${request.protocol}://${request.host}`)
  t.equal((await ask(app, '/a', { 'x-forwarded-host': 'evil' })).body, 'http://evil')
  t.equal((await ask(app, '/a', { host: 'good' })).body, 'http://good')
  t.equal((await ask(app, '/a', { host: 'good', 'x-forwarded-proto': 'https' })).body, 'https://good')
  t.ok(isHit(await ask(app, '/a', { 'x-forwarded-host': 'evil' })))
})

t.test('poisoning: with trustProxy a handler that reads the raw header sees what is in the key, and no port', async (t) => {
  const seen = (request: FastifyRequest) => [request.headers['x-forwarded-host'], request.headers['x-forwarded-proto'], request.headers['x-forwarded-port']].join()
  const { app } = await page(t, { server: { trustProxy: true } }, seen)
  t.equal((await ask(app, '/a', { host: 'good', 'x-forwarded-host': 'evil, good', 'x-forwarded-proto': 'javascript, http', 'x-forwarded-port': '666' })).body, 'good,http,')
})

t.test('poisoning: a forwarded host from who is not trusted is not shown, since it is not in the key', async (t) => {
  const { app } = await page(t, { server: { trustProxy: '10.0.0.1' } }, (request) => [request.headers['x-forwarded-host'], request.host].join())
  const { body } = await ask(app, '/a', { host: 'good', 'x-forwarded-host': 'evil' })
  t.notMatch(body, /evil/)
  t.equal((await ask(app, '/a', { host: 'good' })).body, body)
})

t.test('poisoning: a method override changes no kept answer', async (t) => {
  const { app } = await page(t, {}, (request) => request.method)
  await ask(app, '/a', { 'x-http-method-override': 'DELETE' })
  const { body, status } = await ask(app, '/a')
  t.same([status, body], [200, 'GET'])
})

t.test('key: no separator in one part is taken for the end of it', async (t) => {
  const { app } = await page(t, {}, (request) => `${request.host} ${request.url}`)
  for (const [one, other] of [[['a', '/b/c'], ['a/b', '/c']], [['a', '/?x'], ['a?x', '/']], [['a","/b', '/c'], ['a', '/b","/c']]] as const) {
    for (const [host, url] of [one, other]) t.equal((await ask(app, url, { host })).cacheStatus.startsWith(MISS), true, host + url)
  }
})

t.test('key: two routes of one URL that a header tells apart have an entry each', async (t) => {
  const app = await buildEdge(t)
  for (const version of ['1.0.0', '2.0.0']) app.get('/a', { constraints: { version }, config: { cache: { store: true } } }, async () => version)
  t.equal((await ask(app, '/a', { 'accept-version': '1.0.0' })).body, '1.0.0')
  t.equal((await ask(app, '/a', { 'accept-version': '2.0.0' })).body, '2.0.0')
  t.ok(isHit(await ask(app, '/a', { 'accept-version': '1.0.0' })))
})

t.test('key: the order of a query and its duplicates count', async (t) => {
  const { app, runs } = await page(t, {}, (request) => JSON.stringify(request.query))
  const urls = ['/q?a=1&a=2', '/q?a=2&a=1', '/q?a=1', '/q?a=1&b=2', '/q?b=2&a=1', '/q?a=1;b=2', '/q?a=%31', '/q?', '/q?A=1']
  for (const url of urls) t.notOk(isHit(await ask(app, url)), url)
  t.equal(runs(), urls.length)
})

t.test('Set-Cookie: by the handler keeps the answer out, and it is not public', async (t) => {
  const { app } = await page(t, {}, (_request, reply, run) => reply.header('set-cookie', `id=${run}`).send('x'))
  for (const run of [1, 2]) {
    const { headers } = await ask(app, '/a')
    t.equal(headers['set-cookie'], `id=${run}`)
    t.equal(headers['cache-control'], 'private, no-cache')
  }
})

for (const where of ['before', 'after', 'route', 'writeHead'] as const) {
  t.test(`Set-Cookie: by a hook (${where}) keeps the answer out`, async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    const setCookie = async (_request: unknown, reply: FastifyReply): Promise<void> => { reply.header('set-cookie', 'id=1') }
    const { cacheCore } = await import('@x/cache-core')
    const { cacheEdge } = await import('../src/index.js')
    if (where === 'before') app.addHook('onSend', setCookie)
    // As "on-headers" does, and with it the session middleware of Express.
    if (where === 'writeHead') {
      app.addHook('onRequest', async (_request, reply) => {
        const { writeHead } = reply.raw
        reply.raw.writeHead = function (this: typeof reply.raw, ...args: any[]) {
          this.setHeader('set-cookie', 'id=1')
          return writeHead.apply(this, args as Parameters<typeof writeHead>)
        } as typeof writeHead
      })
    }
    await app.register(cacheCore, { implementation: 'memory' })
    await app.register(cacheEdge)
    if (where === 'after') app.addHook('onSend', setCookie)
    let runs = 0
    app.get('/a', { config: { cache: { store: true } }, ...where === 'route' ? { onSend: setCookie } : {} }, async () => `run ${++runs}`)
    t.match(await ask(app, '/a'), { body: 'run 1', headers: { 'set-cookie': /id=1/ } })
    t.equal((await ask(app, '/a')).body, 'run 2')
  })
}

t.test('Set-Cookie: a 304 to who asked first does not hide it', async (t) => {
  const { app, runs } = await page(t, {}, (_request, reply) => reply.header('set-cookie', 'id=1').header('etag', '"a"').send('x'))
  t.equal((await ask(app, '/a', { 'if-none-match': '"a"' })).status, 304)
  await ask(app, '/a')
  t.equal(runs(), 2)
})

t.test('Authorization: nobody is given what another one was answered, even if the answer is public', async (t) => {
  const { app, runs } = await page(t, {}, (request, reply) => reply.header('cache-control', 'public, max-age=60').send(String(request.headers.authorization)))
  t.equal((await ask(app, '/a', { authorization: 'Bearer bob' })).body, 'Bearer bob')
  t.equal((await ask(app, '/a')).body, 'undefined')
  t.equal((await ask(app, '/a', { authorization: 'Bearer eve' })).body, 'Bearer eve')
  t.equal(runs(), 3)
})

t.test('Authorization: even an empty one counts', async (t) => {
  const { app } = await page(t)
  await ask(app, '/a')
  t.equal((await ask(app, '/a', { authorization: '' })).body, 'run 2')
})

t.test('Authorization: sameForAll and public together share', async (t) => {
  const { app } = await page(t, { cache: { sameForAll: true } })
  await ask(app, '/a', { authorization: 'Bearer bob' })
  t.ok(isHit(await ask(app, '/a')))
})

t.test('cookies: only those by name are ignored, and a handler does not see them', async (t) => {
  const { app } = await page(t, { edge: { ignoreCookies: ['_ga'] } }, (request) => String(request.headers.cookie))
  t.equal((await ask(app, '/a', { cookie: '_ga=1' })).body, 'undefined')
  t.ok(isHit(await ask(app, '/a', { cookie: ' _ga=2; _ga=3' })))
  for (const cookie of ['session=1', '_ga=1; session=1', '_GA=1', '_ga ; x', 'session', '_ga=1;session=1', '"_ga"=1', '_ga\u00a0=1;x=1']) {
    t.equal((await ask(app, '/a', { cookie })).body, cookie, cookie)
  }
})

for (const control of ['private=""', 'Private', 'PRIVATE, max-age=60', 'max-age=60, private="x, y"', 'private, private="x"', 'max-age=60, x="a, b", private', 'x="a\\", max-age=60", private',
  'No-Store', 'max-age=60,no-store', 'max-age=60, x=", no-store', 'max-age=60; private', 'private =x', ' ,,private', 'no-store=1', 'max-age=60, "no-store"']) {
  t.test(`malformed directives: ${control} is read the strict way`, async (t) => t.notOk(await isKept(t, { 'cache-control': control })))
}

t.test('malformed directives: private in a second line counts', async (t) => t.notOk(await isKept(t, { 'cache-control': ['max-age=60', 'private'] })))

t.test('internal header: one with a wrong token neither starts a run nor gets past what is kept', async (t) => {
  const { app, runs } = await page(t, {}, (request, _reply, run) => `${run} ${String(request.headers['x-cache-edge-refresh'])}`)
  await ask(app, '/a')
  for (const token of ['', '1', 'true', 'x'.repeat(32), '__proto__']) t.ok(isHit(await ask(app, '/a', { 'x-cache-edge-refresh': token })), token)
  t.equal((await ask(app, '/b', { 'x-cache-edge-refresh': 'x' })).body, '2 undefined')
  t.equal(runs(), 2)
})

t.test('two representations: a header of the policy has an entry each, any other one is not seen', async (t) => {
  const { app } = await page(t, { cache: { vary: ['RSC'] } }, (request) => `${String(request.headers.rsc)} ${String(request.headers['next-url'])}`)
  t.equal((await ask(app, '/a', { rsc: '1', 'next-url': '/x' })).body, '1 undefined')
  const plain = await ask(app, '/a')
  t.equal(plain.body, 'undefined undefined')
  t.match(plain.headers.vary, /^rsc$/i)
  t.equal((await ask(app, '/a', { rsc: '1' })).body, '1 undefined')
  t.equal((await ask(app, '/a', { rsc: '' })).body, ' undefined')
})

t.test('two representations: by-response, a name that a hook in front had in Vary already counts for the handler too', async (t) => {
  const app = await buildEdge(t)
  app.addHook('onRequest', async (_request, reply) => { reply.header('vary', 'Origin') })
  app.get('/a', { config: { cache: { store: 'by-response' } } }, async (request, reply) =>
    reply.header('vary', 'Origin').header('cache-control', 'max-age=60').send(String(request.headers.origin)))
  t.equal((await ask(app, '/a', { origin: 'https://a.example' })).body, 'https://a.example')
  t.equal((await ask(app, '/a', { origin: 'https://b.example' })).body, 'https://b.example')
})

t.test('two representations: by-response, who waits for the run of another is given its answer only if Vary allows', async (t) => {
  const { app } = await page(t, { cache: { store: 'by-response' } }, async (request, reply) => {
    await new Promise((resolve) => { setTimeout(resolve, 20) })
    return reply.headers({ vary: 'x-request-id', 'cache-control': 'max-age=60' }).send(String(request.headers['x-request-id']))
  })
  const answers = await Promise.all(['1', '2'].map((id) => ask(app, '/a', { 'x-request-id': id })))
  t.same(answers.map(({ body }) => body), ['1', '2'])
})

for (const status of [206, 304, 400, 401, 403, 404, 413, 414, 429, 431, 500, 502, 503]) {
  t.test(`errors and parts: a ${status} is not kept`, async (t) => {
    const { app, runs } = await page(t, {}, (_request, reply) => reply.code(status).header('cache-control', 'public, max-age=60').send(status === 304 ? undefined : 'x'))
    for (const run of [1, 2]) {
      t.equal((await ask(app, '/a')).status, status)
      t.equal(runs(), run)
    }
  })
}

t.test('errors: one that is not listed is marked as not to be kept', async (t) => {
  const { app } = await page(t, {}, (_request, reply) => reply.code(503).send('x'))
  t.equal((await ask(app, '/a')).headers['cache-control'], 'no-store')
})

t.test('Range: goes to the handler, and a part is never served for the whole, nor kept in its place', async (t) => {
  const { app, runs } = await page(t, {}, (request, reply) => request.headers.range === undefined ? 'whole' : reply.code(206).header('content-range', 'bytes 0-1/5').send('wh'))
  t.equal((await ask(app, '/a', { range: 'bytes=0-1' })).body, 'wh')
  t.equal((await ask(app, '/a')).body, 'whole')
  t.equal((await ask(app, '/a', { range: 'bytes=0-1' })).body, 'wh')
  t.ok(isHit(await ask(app, '/a')))
  t.equal(runs(), 3)
})

t.test('Range: what calls itself 200 and has Content-Range is not kept', async (t) => t.notOk(await isKept(t, { 'content-range': 'bytes 0-4/9' })))

t.test('HEAD: is answered from the kept GET without its body, and is itself never kept', async (t) => {
  const { app, runs } = await page(t)
  const cold = await ask(app, '/a', {}, 'HEAD')
  t.same([cold.status, cold.body], [200, ''])
  t.equal((await ask(app, '/a')).body, 'run 2')
  const warm = await ask(app, '/a', {}, 'HEAD')
  t.same([isHit(warm), warm.body, warm.headers['content-length'], runs()], [true, '', '5', 2])
  t.equal((await ask(app, '/a')).body, 'run 2')
})

t.test('fat GET: a body takes part in nothing', async (t) => {
  const app = await buildEdge(t)
  let runs = 0
  app.get('/a', { config: { cache: { store: true } } }, async (request) => `${++runs} ${JSON.stringify(request.body)}`)
  const fat = { method: 'GET', url: '/a', payload: { q: 'evil' } } as const
  const { headers } = await app.inject(fat)
  t.match(headers['cache-status'], /bypass; detail=request-body/)
  t.equal(headers['cache-control'], 'private, no-cache', 'nor in a cache in front, which has the URL alone')
  t.equal((await ask(app, '/a')).body.split(' ', 1)[0], '2')
  t.equal((await app.inject(fat)).body.split(' ', 1)[0], '3')
})

t.test('Vary explosion: a URL has at most maxVariants entries, and the others are answered all the same', async (t) => {
  const implementation = new MemoryCache()
  const { app } = await page(t, { core: { implementation }, edge: { maxVariants: 3 }, cache: { vary: ['accept-language'] } }, (request) => String(request.headers['accept-language']))
  for (const language of Array.from({ length: 20 }, (_, i) => `l${i}`)) t.equal((await ask(app, '/a', { 'accept-language': language })).body, language)
  const kept = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(app, '/a', { 'accept-language': `l${i}` })))
  t.equal(kept.filter(isHit).length, 3)
})

for (const vary of ['Cookie', '*', 'Accept, Cookie', 'Authorization', 'x y', 'User-Agent']) {
  t.test(`Vary: ${vary} of a handler keeps the answer out`, async (t) => t.notOk(await isKept(t, { vary })))
}
for (const vary of ['Cookie', '*', 'Authorization', 'x y']) {
  t.test(`Vary: ${vary} of a handler keeps the answer out, by-response too`, async (t) =>
    t.notOk(await isKept(t, { vary, 'cache-control': 'public, max-age=60' }, { cache: { store: 'by-response' } })))
}

t.test('stampede: of 50 cold requests one runs the handler', async (t) => {
  const { app, runs } = await page(t, {}, async (_request, _reply, run) => {
    await new Promise((resolve) => { setTimeout(resolve, 20) })
    return `run ${run}`
  })
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(app, '/a')))
  t.equal(runs(), 1)
  t.same([...new Set(answers.map(({ body }) => body))], ['run 1'])
})

for (const [what, fields] of Object.entries({ private: { 'cache-control': 'private' }, 'a cookie': { 'set-cookie': 'a=1' }, 'no-store': { 'cache-control': 'no-store' }, 'Vary: *': { vary: '*' } } as Record<string, Fields>)) {
  t.test(`stampede: an answer with ${what} is given to none of those who wait`, async (t) => {
    const { app } = await page(t, {}, async (_request, reply, run) => {
      await new Promise((resolve) => { setTimeout(resolve, 20) })
      return reply.headers(fields).send(`run ${run}`)
    })
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(app, '/a')))
    t.equal(new Set(answers.map(({ body }) => body)).size, 10)
  })
}

t.test('stampede: a request with credentials neither waits nor is waited for', async (t) => {
  const { app } = await page(t, {}, async (request) => {
    await new Promise((resolve) => { setTimeout(resolve, 20) })
    return String(request.headers.cookie)
  })
  const answers = await Promise.all(['s=1', undefined, 's=2', undefined].map((cookie) => ask(app, '/a', cookie === undefined ? {} : { cookie })))
  t.same(answers.map(({ body }) => body), ['s=1', 'undefined', 's=2', 'undefined'])
})

t.test('stampede: who waits does so for a bounded time', async (t) => {
  let release!: () => void
  const hung = new Promise<void>((resolve) => { release = resolve })
  const { app } = await page(t, { edge: { coalesceMs: 20 } }, async (_request, _reply, run) => {
    if (run === 1) await hung
    return `run ${run}`
  })
  const first = ask(app, '/a')
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal((await ask(app, '/a')).body, 'run 2')
  release()
  await first
})

for (const tag of ['a" || obj.status != 0', 'a b', 'a\r\nx: y', 'é', '', '.*', 'x'.repeat(129)]) {
  t.test(`injected tags: an answer with ${JSON.stringify(tag.slice(0, 24))} is neither kept nor public`, async (t) => {
    const { app } = await page(t, { cache: { tags: (() => ['ok', tag]) as () => string[] } })
    t.equal((await ask(app, '/a')).body, 'run 1')
    const { body, headers } = await ask(app, '/a')
    t.equal(body, 'run 2')
    t.same([headers['cache-control'], headers['surrogate-key']], ['private, no-cache', undefined])
  })
}

t.test('Cache-Status: does not tell the key', async (t) => {
  const { app } = await page(t)
  for (const url of ['/a', '/a']) t.notMatch((await ask(app, url)).cacheStatus, /key|edge:|\/a/)
})

const planted: StoredResponse = {
  status: 200,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body: Buffer.from('planted'),
  etag: undefined,
  receivedAt: Date.now(),
  freshness: { lifetime: 600, isExplicit: true, initialAge: 0, staleWhileRevalidate: 600, staleIfError: 600, mustRevalidate: false, noCache: false },
  vary: [],
  variant: '[]',
  tags: []
}
const KEY = responseKey({ scheme: 'http', host: 'localhost:80', url: '/a' })
const withHeader = (name: string, value: unknown): Buffer => encodeResponse({ ...planted, headers: JSON.parse(JSON.stringify({ NAME: value }).replace('NAME', name)) })
const corruptions: Record<string, unknown> = {
  'random bytes': Buffer.from('\x01\x00\x00\x00\x09{"status"'),
  'an empty buffer': Buffer.alloc(0),
  text: 'hello',
  'a number': 7,
  'an object': { status: 200 },
  'a length beyond the end': Buffer.from([1, 255, 255, 255, 255, 0]),
  'an unknown kind': Buffer.from([9, ...encodeResponse(planted).subarray(1)]),
  Set_Cookie: withHeader('set-cookie', 'id=evil'),
  __proto__: withHeader('__proto__', 'x'),
  'upper case': withHeader('Set-Cookie', 'id=evil'),
  CRLF: withHeader('x-a', 'a\r\nset-cookie: id=evil'),
  'a control character': withHeader('x-a', 'a\u0001'),
  'a character beyond Latin-1': withHeader('x-a', '\u0100'),
  'CRLF in a list': withHeader('x-a', ['a', 'b\n']),
  'CRLF in a name': withHeader('x-a\\r\\nb', 'a'),
  'a number for a value': withHeader('x-a', 1),
  'Transfer-Encoding': withHeader('transfer-encoding', 'chunked'),
  'Content-Length': withHeader('content-length', '1'),
  Connection: withHeader('connection', 'upgrade'),
  'a tag with CRLF': encodeResponse({ ...planted, etag: '"a"\r\nset-cookie: id=evil' }),
  'a tag beyond Latin-1': encodeResponse({ ...planted, etag: '"\u0100"' }),
  'status 100': encodeResponse({ ...planted, status: 100 }),
  'status 206': encodeResponse({ ...planted, status: 206 }),
  'status 304': encodeResponse({ ...planted, status: 304 }),
  'status 1000': encodeResponse({ ...planted, status: 1000 }),
  'a negative lifetime': encodeResponse({ ...planted, freshness: { ...planted.freshness, initialAge: -1 } }),
  'an endless age': Buffer.from(encodeResponse({ ...planted, freshness: { ...planted.freshness, initialAge: 12345678 } }).toString('latin1').replace('12345678', '1e999999'), 'latin1'),
  'a time without end': encodeResponse({ ...planted, receivedAt: -1e300 }),
  'no freshness': encodeResponse({ ...planted, freshness: null as never })
}
for (const [what, value] of Object.entries(corruptions)) {
  t.test(`store compromise: ${what} is a miss, counted as an error, and never served`, async (t) => {
    const store = new PlantedCache(KEY, value)
    const { app, runs } = await page(t, { core: { implementation: store as Cache } })
    const { status, body, headers } = await ask(app, '/a')
    t.same([status, body, headers['set-cookie'], headers['x-a']], [200, 'run 1', undefined, undefined])
    t.equal(runs(), 1)
    t.equal(app.cache.registry.active.stats.totals().errors, 1)
  })
}

t.test('store compromise: what is as it should be is served, so that the tests above mean something', async (t) => {
  const { app, runs } = await page(t, { core: { implementation: new PlantedCache(KEY, encodeResponse({ ...planted, receivedAt: Date.now() })) as Cache } })
  t.equal((await ask(app, '/a')).body, 'planted')
  t.equal(runs(), 0)
})

t.test('store compromise: an entry that another variant lies in is not served', async (t) => {
  const { app } = await page(t, { core: { implementation: new PlantedCache(KEY, encodeResponse({ ...planted, vary: ['accept'], variant: '[["accept","b"]]' })) as Cache } })
  t.equal((await ask(app, '/a', { accept: 'a' })).body, 'run 1')
})

t.test('poisoned refresh: has none of the headers of the client that caused it but those of the variant', async (t) => {
  const time = new Time(t)
  const seen: FastifyRequest['headers'][] = []
  const app = await buildEdge(t, { time, edge: { ignoreCookies: ['_ga'] } })
  app.addHook('onRequest', async (request) => { seen.push({ ...request.raw.headers }) })
  let runs = 0
  app.get('/a', { config: { cache: { store: true, maxAge: 10, staleWhileRevalidate: 60, vary: ['accept-language'], sameForAll: true } } }, async () => `run ${++runs}`)
  await ask(app, '/a', { 'accept-language': 'de' })
  time.advance(11)
  t.equal((await ask(app, '/a', { 'accept-language': 'de', authorization: 'Bearer bob', cookie: '_ga=1; session=bob', 'x-forwarded-host': 'evil', 'x-a': 'b' })).body, 'run 1')
  await until(() => runs === 2)
  const [, , refresh] = seen
  t.same(Object.keys(refresh!).filter((name) => name !== 'user-agent').sort(), ['accept-language', 'host', 'x-cache-edge-refresh'])
  await until(() => true)
  t.equal((await ask(app, '/a', { 'accept-language': 'de' })).body, 'run 2')
})

for (const [what, fields] of Object.entries({ 'another ETag': { etag: '"2"' }, 'no-store': { 'cache-control': 'no-store' }, private: { 'cache-control': 'private' }, 'Set-Cookie': { 'set-cookie': 'id=1' } } as Record<string, Fields>)) {
  t.test(`poisoned refresh: a 304 with ${what} drops the entry`, async (t) => {
    const time = new Time(t)
    const { app, runs } = await page(t, { time, cache: { maxAge: 10, staleWhileRevalidate: 600 } }, (request, reply, run) => {
      if (run === 2) return reply.code(304).headers(fields).send()
      return reply.header('etag', '"1"').send(`run ${run}`)
    })
    await ask(app, '/a')
    time.advance(11)
    t.equal((await ask(app, '/a')).body, 'run 1')
    await until(() => runs() === 2)
    await new Promise((resolve) => { setImmediate(resolve) })
    const after = await ask(app, '/a')
    t.match(after, { body: 'run 3', cacheStatus: /uri-miss/ })
  })
}

t.test('poisoned refresh: a 304 keeps nothing that a hook in front of the handler said to one client', async (t) => {
  const time = new Time(t)
  const app = await buildEdge(t, { time })
  app.addHook('onRequest', async (request, reply) => { if (request.headers.origin !== undefined) reply.header('access-control-allow-origin', request.headers.origin) })
  app.get('/a', { config: { cache: { store: true, maxAge: 10 } } }, async (request, reply) =>
    request.headers['if-none-match'] === undefined ? reply.header('etag', '"1"').send('x') : reply.code(304).send())
  await ask(app, '/a')
  time.advance(11)
  t.equal((await ask(app, '/a', { origin: 'https://a.example' })).headers['access-control-allow-origin'], 'https://a.example')
  const other = await ask(app, '/a', { origin: 'https://b.example' })
  t.ok(isHit(other))
  t.equal(other.headers['access-control-allow-origin'], 'https://b.example')
})
