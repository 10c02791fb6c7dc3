import { MemoryCache } from '@x/cache-core'
import Fastify, { type FastifyReply } from 'fastify'
import t from 'tap'
import { ask, buildEdge, type Fields } from './fixtures/edge-app.js'
import { isHit, isKept, page } from './fixtures/page.js'

t.test('Set-Cookie: by the handler, the response is neither stored nor public', async (t) => {
  const { app } = await page(t, {}, (_request, reply, run) => reply.header('set-cookie', `id=${run}`).send('x'))
  for (const run of [1, 2]) {
    const { headers } = await ask(app, '/a')
    t.equal(headers['set-cookie'], `id=${run}`)
    t.equal(headers['cache-control'], 'private, no-cache')
  }
})

for (const where of ['before', 'after', 'route', 'writeHead'] as const) {
  t.test(`Set-Cookie: by a hook (${where}) the response is not stored`, async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    const setCookie = async (_request: unknown, reply: FastifyReply): Promise<void> => { reply.header('set-cookie', 'id=1') }
    const { cacheCore } = await import('@x/cache-core')
    const { cacheEdge } = await import('../src/index.js')
    if (where === 'before') app.addHook('onSend', setCookie)
    // The hook replaces `writeHead` as the package "on-headers" does, which the session middleware of Express uses.
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

t.test('Authorization: no client receives the response to another, even if it is public', async (t) => {
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

t.test('two representations: a header of the policy has an entry each, any other one is not seen', async (t) => {
  const { app } = await page(t, { cache: { vary: ['RSC'] } }, (request) => `${String(request.headers.rsc)} ${String(request.headers['next-url'])}`)
  t.equal((await ask(app, '/a', { rsc: '1', 'next-url': '/x' })).body, '1 undefined')
  const plain = await ask(app, '/a')
  t.equal(plain.body, 'undefined undefined')
  t.match(plain.headers.vary, /^rsc, cookie$/i)
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

t.test('two representations: by-response, a request that waits for the run of another receives its response only if Vary allows', async (t) => {
  const { app } = await page(t, { cache: { store: 'by-response' } }, async (request, reply) => {
    await new Promise((resolve) => { setTimeout(resolve, 20) })
    return reply.headers({ vary: 'accept-language', 'cache-control': 'max-age=60' }).send(String(request.headers['accept-language']))
  })
  const answers = await Promise.all(['de', 'fr'].map((language) => ask(app, '/a', { 'accept-language': language })))
  t.same(answers.map(({ body }) => body), ['de', 'fr'])
})

for (const status of [206, 304, 400, 401, 403, 404, 413, 414, 429, 431, 500, 502, 503]) {
  t.test(`errors and parts: a ${status} is not stored`, async (t) => {
    const { app, runs } = await page(t, {}, (_request, reply) => reply.code(status).header('cache-control', 'public, max-age=60').send(status === 304 ? undefined : 'x'))
    for (const run of [1, 2]) {
      t.equal((await ask(app, '/a')).status, status)
      t.equal(runs(), run)
    }
  })
}

t.test('errors: one that is not listed is marked as not to be stored', async (t) => {
  const { app } = await page(t, {}, (_request, reply) => reply.code(503).send('x'))
  t.equal((await ask(app, '/a')).headers['cache-control'], 'no-store')
})

t.test('Range: a part is never stored as the whole, and parts of the stored whole are served', async (t) => {
  const { app, runs } = await page(t, {}, (request, reply) => request.headers.range === undefined ? 'whole' : reply.code(206).header('content-range', 'bytes 0-1/5').send('wh'))
  t.equal((await ask(app, '/a', { range: 'bytes=0-1' })).body, 'wh')
  t.equal((await ask(app, '/a')).body, 'whole')
  t.match(await ask(app, '/a', { range: 'bytes=2-4' }), { status: 206, body: 'ole' })
  t.ok(isHit(await ask(app, '/a')))
  t.equal(runs(), 2)
})

t.test('Range: a 200 with Content-Range is not stored', async (t) => t.notOk(await isKept(t, { 'content-range': 'bytes 0-4/9' })))

t.test('HEAD: is answered from the stored GET without its body, and is itself never stored', async (t) => {
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
  t.equal(implementation.size, 1 + 3, 'the index and three representations')
})

for (const vary of ['Cookie', '*', 'Accept, Cookie', 'Authorization', 'x y', 'User-Agent']) {
  t.test(`Vary: ${vary} of a handler: the response is not stored`, async (t) => t.notOk(await isKept(t, { vary })))
}
for (const vary of ['Cookie', '*', 'Authorization', 'x y']) {
  t.test(`Vary: ${vary} of a handler: the response is not stored, by-response too`, async (t) =>
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
  t.test(`stampede: a response with ${what} is sent to no request that waits`, async (t) => {
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
  t.test(`injected tags: a response with ${JSON.stringify(tag.slice(0, 24))} is neither stored nor public`, async (t) => {
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
