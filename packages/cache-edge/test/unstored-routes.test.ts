import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { Readable, Stream } from 'node:stream'
import t, { type Test } from 'tap'
import type { EdgePolicy } from '../src/index.js'
import { ask, buildEdge, type EdgeSetup } from './fixtures/edge-app.js'
import { isHit } from './fixtures/page.js'
import { warningsTo, type Warning } from './fixtures/warnings.js'

type Handler = (request: FastifyRequest, reply: FastifyReply, run: number) => unknown

/** Builds an app with a page that responds as the test says. Returns the headers that each run saw, and the warnings of the app. */
async function build (t: Test, handler: Handler, { cache, ...setup }: EdgeSetup & { cache?: EdgePolicy } = {}) {
  const warnings: Warning[] = []
  const app = await buildEdge(t, { server: warningsTo(warnings), ...setup })
  const seen: Array<string | undefined> = []
  app.get('/page/*', { config: { cache: { store: true, ...cache } } }, (request, reply) => {
    seen.push(request.headers['x-tenant'] as string | undefined)
    return handler(request, reply, seen.length)
  })
  await app.ready()
  warnings.length = 0
  return { app, seen, warnings: () => warnings.filter(({ reason }) => reason !== undefined) }
}

/** Makes a stream of the oldest kind in Node, which is no `Readable`. */
function legacyStream (text: string): Stream {
  const stream = Object.assign(new Stream(), { readable: true, writable: false })
  setImmediate(() => {
    stream.emit('data', Buffer.from(text))
    stream.emit('end')
    stream.emit('close')
  })
  return stream
}

const TENANT = { 'x-tenant': 'acme' }

const AT_ONCE: Array<[reason: string, handler: Handler]> = [
  ['content-encoding', (_request, reply) => reply.type('text/plain').header('content-encoding', 'gzip').send(gzipSync('x'))],
  ['content-encoding', (_request, reply) => reply.type('text/plain').header('content-encoding', 'gzip').send(Readable.from([gzipSync('x')]))],
  ['vary', (_request, reply) => reply.header('vary', '*').send('x')],
  ['vary', (_request, reply) => reply.header('vary', 'X-Device').send('x')],
  ['vary', (_request, reply) => reply.header('vary', 'X-Device').send(Readable.from(['x']))],
  ['unsupported-payload', (_request, reply) => reply.send(legacyStream('x'))],
  ['endless-stream', (_request, reply) => reply.type('text/event-stream').send(Readable.from(['data: x\n\n']))]
]

for (const [at, [reason, handler]] of AT_ONCE.entries()) {
  t.test(`never stored: ${reason} is said once and in Cache-Status, and the handler sees the whole request (${at})`, async (t) => {
    const { app, seen, warnings } = await build(t, handler)
    for (const url of ['/page/1', '/page/1', '/page/2']) {
      const answer = await ask(app, url, TENANT)
      t.equal(answer.status, 200)
      t.match(answer.cacheStatus, `fastify; fwd=uri-miss; detail=${reason}`)
      // The response of a handler that sees the whole request is for one client only.
      if (seen.length > 1) t.match(answer.headers['cache-control'], 'private, no-cache')
    }
    t.same(seen, [undefined, 'acme', 'acme'])
    t.match(warnings(), [{ route: '/page/*', reason, msg: /not stored/ }])
    t.equal(warnings().length, 1)
  })
}

const AFTER_SOME: Array<[reason: string, handler: Handler]> = [
  ['set-cookie', (_request, reply) => reply.header('set-cookie', 'a=b').send('x')],
  ['private', (_request, reply) => reply.header('cache-control', 'private').send('x')],
  ['no-store', (_request, reply) => reply.header('cache-control', 'no-store').send(Readable.from(['x']))]
]

for (const [at, [reason, handler]] of AFTER_SOME.entries()) {
  t.test(`never stored: ${reason} is taken to last after three answers (${at})`, async (t) => {
    const { app, seen, warnings } = await build(t, handler)
    for (const run of [1, 2, 3, 4]) {
      t.match(await ask(app, '/page/1', TENANT), { cacheStatus: `fastify; fwd=uri-miss; detail=${reason}` })
      t.equal(warnings().length, run < 3 ? 0 : 1)
    }
    t.same(seen, [undefined, undefined, undefined, 'acme'])
    t.match(warnings(), [{ route: '/page/*', reason }])
  })
}

t.test('a hijacked reply is named as the reason, and the next one sees the whole request', async (t) => {
  const { app, seen, warnings } = await build(t, (_request, reply) => {
    reply.hijack()
    reply.raw.end('x')
  })
  for (let run = 1; run <= 2; run++) t.equal((await ask(app, '/page/1', TENANT)).body, 'x')
  t.same(seen, [undefined, 'acme'])
  t.match(warnings(), [{ reason: 'hijacked' }])
})

t.test('a response that is larger than maxBodyBytes three times is logged, and headers remain hidden', async (t) => {
  const { app, seen, warnings } = await build(t, () => 'x'.repeat(11), { edge: { maxBodyBytes: 10 } })
  for (let run = 1; run <= 4; run++) t.match(await ask(app, '/page/1', TENANT), { cacheStatus: /detail=too-large/ })
  t.same(seen, [undefined, undefined, undefined, undefined])
  t.match(warnings(), [{ reason: 'too-large', msg: /maxBodyBytes/ }])
})

t.test('by-response: one page says its reason for itself, and many for the route', async (t) => {
  const { app, seen, warnings } = await build(t, (_request, reply) => reply.header('vary', 'X-Device').header('cache-control', 'max-age=60').send('x'), { cache: { store: 'by-response' } })
  for (let run = 1; run <= 21; run++) t.match(await ask(app, '/page/1', TENANT), { cacheStatus: /detail=vary/ })
  t.same(seen, [...Array.from({ length: 20 }, () => undefined), 'acme'])
  t.match(warnings(), [{ reason: 'vary', vary: ['x-device'] }])
})

t.test('a text that a serializer of the handler changes is said, and headers stay hidden', async (t) => {
  const { app, seen, warnings } = await build(t, (_request, reply) => reply.type('text/plain').serializer((text: unknown) => `<${String(text)}>`).send('x'))
  for (let run = 1; run <= 2; run++) t.match(await ask(app, '/page/1', TENANT), { body: '<x>', cacheStatus: /detail=serialized-text/ })
  t.same(seen, [undefined, undefined])
  t.match(warnings(), [{ reason: 'serialized-text' }])
})

t.test('by-response: the headers of one or two responses of an upstream are no lasting reason', async (t) => {
  const { app, seen, warnings } = await build(t, (_request, reply) => reply.header('cache-control', 'private').send('x'), { cache: { store: 'by-response' } })
  for (let run = 0; run < 10; run++) t.match(await ask(app, '/page/1', TENANT), { cacheStatus: /detail=private/ })
  t.equal(seen.some((tenant) => tenant !== undefined), false)
  t.same(warnings(), [])
})

t.test('a route that has stored something hides headers whatever becomes of the next answers', async (t) => {
  const { app, seen, warnings } = await build(t, ({ url }, reply) => url === '/page/plain' ? 'x' : reply.header('vary', '*').send('x'))
  await ask(app, '/page/plain', TENANT)
  for (let run = 1; run <= 3; run++) t.match(await ask(app, '/page/any', TENANT), { cacheStatus: /detail=vary/ })
  t.same(seen, [undefined, undefined, undefined, undefined])
  t.equal(isHit(await ask(app, '/page/plain')), true)
  t.equal(warnings().length, 1)
  t.notMatch(warnings()[0]!.msg, /whole request/)
})

for (const [what, send] of [['a text', (reply: FastifyReply, text: string) => reply.send(text)], ['a stream', (reply: FastifyReply, text: string) => reply.send(Readable.from([text]))]] as const) {
  t.test(`a response that saw the whole request is never stored, and is private where it could be shared: ${what}`, async (t) => {
    const { app, warnings } = await build(t, ({ url, headers }, reply) => {
      if (url === '/page/any') reply.header('vary', '*')
      else reply.header('cache-control', 'public, max-age=60').header('cdn-cache-control', 'max-age=60')
      return send(reply, String(headers['x-tenant']))
    })
    await ask(app, '/page/any')
    t.match(await ask(app, '/page/plain', { 'x-tenant': 'evil' }), {
      body: 'evil', cacheStatus: 'fastify; fwd=uri-miss; detail=personal', headers: { 'cache-control': 'private, no-cache', 'cdn-cache-control': undefined }
    })
    // After this storable response, headers are hidden again and responses are stored.
    t.match(await ask(app, '/page/plain', { 'x-tenant': 'evil' }), { body: 'undefined', headers: { 'cache-control': 'public, max-age=60' } })
    t.match(await ask(app, '/page/plain', { 'x-tenant': 'other' }), { body: 'undefined', cacheStatus: /; hit/ })
    t.match(await ask(app, '/page/any', { 'x-tenant': 'evil' }), { body: 'undefined' })
    t.equal(warnings().length, 1)
  })
}

t.test('a request past the store sees the whole request as well, and a HEAD does not end that', async (t) => {
  const { app } = await build(t, ({ method, url, headers }, reply) => {
    if (method === 'GET' && !url.endsWith('plain')) reply.header('vary', '*')
    return reply.send(String(headers['x-tenant']))
  })
  await ask(app, '/page/1')
  t.match(await ask(app, '/page/1', { ...TENANT, range: 'bytes=0-1' }), { body: 'acme', cacheStatus: 'fastify; fwd=bypass; detail=range' })
  t.match(await ask(app, '/page/plain', { ...TENANT, 'cache-control': 'no-store' }), { body: 'acme', headers: { 'cache-control': 'private, no-cache' } })
  t.match(await ask(app, '/page/1', TENANT, 'HEAD'), { headers: { 'cache-control': 'private, no-cache' } })
  t.match(await ask(app, '/page/1', TENANT), { body: 'acme' })
})

t.test('an error of a page says nothing of the page', async (t) => {
  const { app, seen, warnings } = await build(t, () => { throw new Error('x') })
  for (let run = 1; run <= 4; run++) t.match(await ask(app, '/page/1', TENANT), { status: 500, cacheStatus: 'fastify; fwd=uri-miss' })
  t.same(seen, [undefined, undefined, undefined, undefined])
  t.same(warnings(), [])
})

t.test('a stream that goes on keeps a second reader waiting a moment, and not for coalesceMs', async (t) => {
  const { app } = await build(t, (_request, reply, run) => {
    const stream = new Readable({ read () {} })
    stream.push(`{"run":${run}}\n`)
    return reply.type('application/x-ndjson').send(stream)
  }, { edge: { coalesceMs: 600_000 } })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}/page/1`
  const ending = new AbortController()
  const first = await fetch(url, { signal: ending.signal })
  const reader = first.body!.getReader()
  t.equal(Buffer.from((await reader.read()).value!).toString(), '{"run":1}\n')
  for (const run of [2, 3]) {
    const answer = await fetch(url, { signal: ending.signal })
    t.equal(Buffer.from((await answer.body!.getReader().read()).value!).toString(), `{"run":${run}}\n`)
  }
  const closed = once(app.server, 'close')
  ending.abort()
  await app.close()
  await closed
})

t.test('a route with a wsHandler and store is logged once, since its responses are not stored', async (t) => {
  const warnings: Warning[] = []
  const app = await buildEdge(t, { server: warningsTo(warnings) })
  const wsHandler = (): void => {}
  app.route({ method: 'GET', url: '/both', config: { cache: { store: true } }, handler: async () => 'page', wsHandler } as RouteOptions)
  app.route({ method: 'GET', url: '/plain', config: { cache: { maxAge: 5 } }, handler: async () => 'page', wsHandler } as RouteOptions)
  await app.ready()
  const said = warnings.filter(({ msg }) => msg.includes('wsHandler'))
  t.match(said, [{ route: '/both', msg: /are not stored/ }])
  t.equal(said.length, 1)
})

type RepeatedSetup = EdgeSetup & { headers?: (run: number) => Record<string, string> }

const REPEATED: Array<[name: string, reason: string, causes: string[], setup: RepeatedSetup, handler: Handler]> = [
  ['redirects', 'status', ['302'], {}, (_request, reply) => reply.redirect('/other', 302)],
  ['no content', 'status', ['204'], {}, (_request, reply) => reply.code(204).send()],
  ['a misspelt host', 'host', ['exmaple.com'], { edge: { hosts: ['exmaple.com'] } }, () => 'x'],
  ['a gateway with a token', 'personal', ['header authorization'], { headers: () => ({ authorization: 'Bearer s3cret' }) }, () => 'x'],
  ['analytics', 'personal', ['cookie _ga'], { edge: { ignoreCookies: ['seen'] }, headers: (run) => ({ cookie: `seen=1; _ga=s3cret${run}; x${run}=1` }) }, () => 'x']
]

for (const [name, reason, causes, { headers = () => ({}), ...setup }, handler] of REPEATED) {
  t.test(`never stored after twenty requests: ${reason} is said once, with names and no values (${name})`, async (t) => {
    const { app, warnings } = await build(t, handler, setup)
    for (let run = 1; run <= 41; run++) {
      t.match((await ask(app, `/page/${run}`, headers(run))).cacheStatus, new RegExp(`detail=${reason}`))
      t.equal(warnings().length, run < 20 ? 0 : 1)
    }
    t.match(warnings(), [{ route: '/page/*', reason, causes, msg: { personal: /ignoreCookies.*sameForAll/, host: /hosts/, status: /statuses/ }[reason]! }])
    t.notMatch(JSON.stringify(warnings()), 's3cret')
  })
}

t.test('a route that has stored or served a response has no warning, whatever its next requests are', async (t) => {
  const { app, warnings } = await build(t, ({ url }, reply) => url === '/page/plain' ? 'x' : reply.redirect('/other', 302))
  await ask(app, '/page/plain')
  for (let run = 0; run < 25; run++) await ask(app, '/page/1', { authorization: 'Bearer x' })
  for (let run = 0; run < 25; run++) await ask(app, '/page/2')
  t.same(warnings(), [])
})

t.test('errors and reasons that change have no warning: one request may be the last of its kind', async (t) => {
  const { app, warnings } = await build(t, ({ url }, reply) => url === '/page/error' ? reply.code(404).send('x') : reply.redirect('/other', 302))
  for (let run = 0; run < 25; run++) await ask(app, '/page/error')
  for (let run = 0; run < 40; run++) await ask(app, '/page/1', run % 19 === 18 ? { authorization: 'Bearer x' } : {})
  t.same(warnings(), [])
})

const OTHER_OUTCOMES: Array<[name: string, path: string, headers: Record<string, string>]> = [
  ['a 404', '/page/missing', {}], ['a private response', '/page/private', {}], ['a large body', '/page/large', {}], ['an error', '/page/error', {}],
  ['a parameter that is not in the key', '/page/1?other=1', {}], ['a range', '/page/1', { range: 'bytes=0-1' }],
  ['no-store of the client', '/page/1', { 'cache-control': 'no-store' }], ['only-if-cached', '/page/1', { 'cache-control': 'only-if-cached' }]
]

for (const [name, path, headers] of OTHER_OUTCOMES) {
  t.test(`a request with another outcome ends a succession: ${name}`, async (t) => {
    const { app, warnings } = await build(t, ({ url }, reply) => {
      if (url === '/page/error') throw new Error('x')
      if (url === '/page/missing') return reply.code(404).send('x')
      if (url === '/page/private') return reply.header('cache-control', 'private').send('x')
      return url === '/page/large' ? 'x'.repeat(101) : reply.redirect('/other', 302)
    }, { cache: { query: ['id'] }, edge: { maxBodyBytes: 100 } })
    for (let run = 1; run <= 60; run++) await (run % 15 === 0 ? ask(app, path, headers) : ask(app, `/page/${run}`))
    t.same(warnings().filter(({ reason }) => reason === 'status'), [])
  })
}

t.test('requests to a personal path have no warning, and do not hide that all others have credentials', async (t) => {
  const { app, warnings } = await build(t, () => 'x', { edge: { personal: ['/page/me'] } })
  for (let run = 0; run < 25; run++) await ask(app, '/page/me', run % 2 === 0 ? {} : { authorization: 'Bearer x' })
  t.same(warnings(), [])
  for (let run = 0; run < 20; run++) {
    await ask(app, '/page/me')
    await ask(app, '/page/1', { authorization: 'Bearer x' })
  }
  t.match(warnings(), [{ reason: 'personal', causes: ['header authorization'] }])
})

t.test('health probes by IP address have no warning about hosts, and do not hide a misspelt host', async (t) => {
  const { app, warnings } = await build(t, () => 'x', { edge: { hosts: ['exmaple.com'] } })
  for (const host of ['10.0.0.7:3000', '10.0.0.7', '[::1]:3000', '[::1]']) {
    for (let run = 0; run < 25; run++) t.match((await ask(app, '/page/1', { host })).cacheStatus, /detail=host/)
  }
  t.same(warnings(), [])
  for (let run = 0; run < 20; run++) {
    await ask(app, '/page/1', { host: '10.0.0.7:3000' })
    await ask(app, '/page/1', { host: 'example.com' })
  }
  t.match(warnings(), [{ reason: 'host', causes: ['exmaple.com'] }])
})
