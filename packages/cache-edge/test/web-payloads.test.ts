import t from 'tap'
import { buildEdge, until } from './fixtures/edge-app.js'
import { byResponse, MINUTE } from './fixtures/scene.js'

const bytes = (...texts: string[]): ReadableStream => new ReadableStream({
  start (controller) {
    for (const text of texts) controller.enqueue(Buffer.from(text))
    controller.close()
  }
})

t.test('a web stream is stored, and sent as without a store', async (t) => {
  const app = await buildEdge(t)
  let runs = 0
  app.get('/', { config: { cache: { store: true } } }, async (_request, reply) => {
    runs++
    return reply.type('text/plain').send(bytes('hello ', 'world'))
  })
  for (const cacheStatus of [/uri-miss/, /; hit/]) {
    const { statusCode, body, headers } = await app.inject('/')
    t.match({ statusCode, body }, { statusCode: 200, body: 'hello world' })
    t.match(headers, { 'content-type': 'text/plain', 'cache-status': cacheStatus, 'cache-control': 'public, max-age=60, must-revalidate' })
  }
  t.equal(runs, 1)
})

t.test('a Response is stored with its status and headers, by which it is judged', async (t) => {
  const app = await buildEdge(t)
  const answers: Record<string, [response: () => Response, isStored: boolean]> = {
    '/text': [() => new Response('text', { headers: MINUTE as Record<string, string> }), true],
    '/stream': [() => new Response(bytes('te', 'xt'), { headers: { ...MINUTE as Record<string, string>, 'content-type': 'text/x' } }), true],
    '/404': [() => new Response('none', { status: 404, headers: MINUTE as Record<string, string> }), true],
    '/500': [() => new Response('broken', { status: 500, headers: MINUTE as Record<string, string> }), false],
    '/private': [() => new Response('mine', { headers: { 'cache-control': 'private' } }), false],
    '/cookie': [() => new Response('mine', { headers: { ...MINUTE as Record<string, string>, 'set-cookie': 'a=b' } }), false],
    '/empty': [() => new Response(null, { headers: MINUTE as Record<string, string> }), true]
  }
  for (const [url, [response]] of Object.entries(answers)) {
    app.get(url, { config: { cache: { ...byResponse, statuses: [404] } } }, async () => response())
  }
  for (const [url, [response, isStored]] of Object.entries(answers)) {
    const expected = response()
    const body = await expected.text()
    for (const turn of ['first', 'second']) {
      const answer = await app.inject(url)
      t.match({ status: answer.statusCode, body: answer.body, type: answer.headers['content-type'] }, { status: expected.status, body, type: expected.headers.get('content-type') ?? undefined }, url)
      t.equal(/; hit/.test(String(answer.headers['cache-status'])), isStored && turn === 'second', url)
      if (url === '/cookie') t.equal(answer.headers['set-cookie'], 'a=b')
    }
  }
})

t.test('a Response whose body is larger than maxBodyBytes is sent whole, and not stored', async (t) => {
  const app = await buildEdge(t, { edge: { maxBodyBytes: 10 } })
  app.get('/', { config: { cache: byResponse } }, async () => new Response(bytes('x'.repeat(8), 'y'.repeat(8)), { headers: MINUTE as Record<string, string> }))
  for (let times = 0; times < 2; times++) t.match(await app.inject('/'), { body: 'xxxxxxxxyyyyyyyy', headers: { 'cache-status': /uri-miss/ } })
})

t.test('a Response whose client has the body already is cancelled', async (t) => {
  const app = await buildEdge(t)
  let isCancelled = false
  app.get('/', { config: { cache: byResponse } }, async () => new Response(new ReadableStream({ cancel () { isCancelled = true } }), { headers: { ...MINUTE as Record<string, string>, etag: '"v"' } }))
  t.equal((await app.inject({ url: '/', headers: { 'if-none-match': '"v"' } })).statusCode, 304)
  await until(() => isCancelled)
})
