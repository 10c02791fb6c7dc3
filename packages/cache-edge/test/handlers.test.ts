import type { FastifyReply, FastifyRequest } from 'fastify'
import { Readable } from 'node:stream'
import t from 'tap'
import { early } from './fixtures/early.js'
import { ask, buildEdge, Time, until } from './fixtures/edge-app.js'
import { isHit } from './fixtures/page.js'

const store = { config: { cache: { store: true as const } } }

const quiet: Record<string, (request: FastifyRequest, reply: FastifyReply) => unknown> = {
  'returns nothing from an async function': async (_request, reply) => { reply.code(204) },
  'sends, and returns something else': async (_request, reply) => {
    reply.code(204).send()
    return 'too late'
  },
  'sends later': (_request, reply) => { setImmediate(() => reply.code(204).send()) },
  'returns the reply and sends later': async (_request, reply) => {
    setImmediate(() => reply.code(204).send())
    return reply
  }
}
for (const [what, handler] of Object.entries(quiet)) {
  t.test(`a handler that ${what} answers whoever runs it: first, HEAD, waiter, without tags`, async (t) => {
    const app = await buildEdge(t)
    app.get('/', store, handler as never)
    app.get('/untagged', { config: { cache: { store: true, tags: () => ['no tag'] } } }, handler as never)
    const all = [ask(app, '/'), ask(app, '/'), ask(app, '/?b', {}, 'HEAD'), ask(app, '/untagged'), ask(app, '/', { range: 'bytes=0-1' })]
    for (const { status } of await Promise.all(all)) t.equal(status, 204)
  })
}

t.test('hooks behind the handler are given a string where it was one, on a miss and on a hit', { skip: early.skip('hooks') }, async (t) => {
  const app = await buildEdge(t)
  const seen: string[] = []
  app.addHook('onSend', async (_request, _reply, payload) => {
    seen.push(typeof payload === 'string' ? 'string' : Buffer.isBuffer(payload) ? 'Buffer' : 'other')
    return typeof payload === 'string' ? payload.replace('ä', 'ö') : payload
  })
  app.get('/text', store, async () => 'ä')
  app.get('/json', store, async () => ({ text: 'ä' }))
  app.get('/bytes', store, async () => Buffer.from('bytes'))
  for (const [url, body] of [['/text', 'ö'], ['/json', '{"text":"ö"}'], ['/bytes', 'bytes']] as const) {
    for (const turn of ['miss', 'hit', 'hit']) t.match(await ask(app, url), { status: 200, body, cacheStatus: turn === 'miss' ? /fwd=uri-miss/ : /hit/ })
  }
  t.same(seen, [...Array(6).fill('string'), ...Array(3).fill('Buffer')])
})

t.test('a serializer set in front of the handler does not change the stored body again', async (t) => {
  const app = await buildEdge(t)
  app.addHook('preHandler', async (_request, reply) => { reply.type('text/plain').serializer((value: unknown) => `<${String(value)}>`) })
  app.get('/object', store, async () => ({ toString: () => 'made' }))
  app.get('/string', store, async () => 'made')
  for (const url of ['/object', '/string']) for (let turn = 0; turn < 3; turn++) t.match(await ask(app, url), { status: 200, body: '<made>' })
})

t.test('a response without a body or a type has none on a hit either', async (t) => {
  const app = await buildEdge(t)
  app.get('/', { config: { cache: { store: true, statuses: [301] } } }, async (_request, reply) => reply.code(301).header('location', '/b').send())
  const first = await ask(app, '/')
  const second = await ask(app, '/')
  t.ok(isHit(second))
  t.same([second.headers['content-type'], second.headers.etag], [first.headers['content-type'], first.headers.etag])
  t.equal(second.headers['content-type'], undefined)
})

const answers: Record<string, (reply: FastifyReply) => unknown> = {
  'a 404': (reply) => reply.code(404).send('gone'),
  'a 404 that is thrown': () => { throw Object.assign(new Error('gone'), { statusCode: 404 }) },
  'a 410': (reply) => reply.code(410).send('gone'),
  'no-store': (reply) => reply.header('cache-control', 'no-store').send('secret'),
  'a cookie': (reply) => reply.header('set-cookie', 'a=b').send('own'),
  'a body above the limit': (reply) => reply.send('x'.repeat(2000))
}
for (const [what, answer] of Object.entries(answers)) {
  t.test(`RFC 9111 §4.3.3: ${what} in the background removes the stored response permanently`, async (t) => {
    const time = new Time(t)
    const app = await buildEdge(t, { time, edge: { maxBodyBytes: 1000 } })
    let runs = 0
    app.get('/', { config: { cache: { store: true, maxAge: 1, staleWhileRevalidate: 600 } } }, async (_request, reply) => ++runs === 1 ? 'old' : answer(reply))
    await ask(app, '/')
    time.advance(2)
    t.match(await ask(app, '/'), { status: 200, body: 'old' })
    await until(() => runs === 2)
    await new Promise((resolve) => { setImmediate(resolve) })
    const next = await ask(app, '/')
    t.notMatch(next.body, /^old$/)
    t.match(next.cacheStatus, /fwd=uri-miss/)
  })

  t.test(`RFC 9111 §4.3.3: behind ${what} a failure is sent, and not the response that was stored before`, async (t) => {
    const time = new Time(t)
    const app = await buildEdge(t, { time, edge: { maxBodyBytes: 1000 } })
    let runs = 0
    app.get('/', { config: { cache: { store: true, maxAge: 1, staleIfError: 600 } } }, async (_request, reply) => {
      if (++runs === 1) return 'old'
      if (runs > 2) throw new Error('broken')
      return answer(reply)
    })
    await ask(app, '/')
    time.advance(2)
    await ask(app, '/')
    await new Promise((resolve) => { setImmediate(resolve) })
    t.match(await ask(app, '/'), { status: 500 })
  })
}

t.test('RFC 9111 §4.3.3: a 429 does not remove the stored response', async (t) => {
  const time = new Time(t)
  const app = await buildEdge(t, { time })
  let runs = 0
  app.get('/', { config: { cache: { store: true, maxAge: 1, staleWhileRevalidate: 600 } } }, async (_request, reply) => ++runs === 1 ? 'old' : reply.code(429).send('slowly'))
  await ask(app, '/')
  time.advance(2)
  for (let turn = 2; turn < 4; turn++) {
    t.match(await ask(app, '/'), { status: 200, body: 'old' })
    await until(() => runs === turn)
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => { setImmediate(resolve) })
    t.match(await ask(app, '/'), { status: 200, body: 'old' })
    t.equal(runs, turn, 'not at every request')
    time.advance(1)
  }
})

t.test('variants: what chooses among them lives as long as the longest of them, and goes with none of their tags', async (t) => {
  const time = new Time(t)
  const app = await buildEdge(t, { time })
  const maxAges: Record<string, number> = { de: 600, fr: 1 }
  app.get('/', { config: { cache: { store: true, vary: ['Accept-Language'], tags: (request) => [`lang-${request.headers['accept-language']}`] } } }, async (request, reply) => {
    const language = request.headers['accept-language']!
    return reply.header('cache-control', `max-age=${maxAges[language]}`).send(language)
  })
  const get = (language: string) => ask(app, '/', { 'accept-language': language })
  await get('de')
  await get('fr')
  time.advance(300)
  t.ok(isHit(await get('de')))
  await app.cache.tags.invalidate('lang-fr')
  t.ok(isHit(await get('de')))
  time.advance(301)
  t.notOk(isHit(await get('de')))
  time.advance(550)
  t.ok(isHit(await get('de')), 'it was renewed')
})

t.test('a stream without a type: a hit has none either, and hooks see none', { skip: early.skip('hooks') }, async (t) => {
  const app = await buildEdge(t)
  const seen: unknown[] = []
  app.get('/', { config: { cache: { store: true } }, onSend: async (_request, reply) => { seen.push(Boolean(reply.getHeader('content-type'))) } }, async (_request, reply) => reply.send(Readable.from(['abc'])))
  const first = await ask(app, '/')
  const hit = await ask(app, '/')
  t.match(hit, { body: 'abc', cacheStatus: /; hit/ })
  t.same([first.headers['content-type'], hit.headers['content-type']], [undefined, undefined])
  t.same(seen, [false, false])
})
