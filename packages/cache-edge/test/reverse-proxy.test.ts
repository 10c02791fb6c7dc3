import Fastify from 'fastify'
import t from 'tap'
import { ask, buildEdge, Time } from './fixtures/edge-app.js'
import { byResponse } from './fixtures/scene.js'

t.test('a reverse proxy: by-response goes by what the origin says', async (t) => {
  const time = new Time(t)
  const origin = Fastify()
  let runs = 0
  let status = 200
  origin.all('/*', async (request, reply) => {
    runs++
    if (request.headers['if-none-match'] === '"v"') return reply.code(304).header('etag', '"v"').send()
    const control = { '/kept': 'public, max-age=60', '/private': 'private, max-age=60', '/error': 'max-age=10, stale-if-error=60' }[request.url]
    if (control !== undefined) reply.header('cache-control', control)
    if (request.url === '/kept') reply.header('etag', '"v"').header('surrogate-key', 'a').header('cache-status', 'origin; fwd=miss')
    return reply.code(status).send(`${request.method} ${request.url} ${runs}`)
  })
  t.teardown(() => origin.close())
  const base = await origin.listen({ host: '127.0.0.1', port: 0 })
  const app = await buildEdge(t, { time })
  app.all('/*', { config: { cache: byResponse } }, async (request, reply) => {
    const { host, connection, 'content-length': length, ...headers } = request.headers as Record<string, string>
    const answer = await fetch(base + request.url, { method: request.method, headers, redirect: 'manual' })
    for (const [name, value] of answer.headers) if (!['connection', 'keep-alive', 'transfer-encoding', 'content-length'].includes(name)) reply.header(name, value)
    return reply.code(answer.status).send(Buffer.from(await answer.arrayBuffer()))
  })
  t.match(await ask(app, '/kept'), { body: 'GET /kept 1', headers: { 'cache-control': 'public, max-age=60', 'surrogate-key': 'a', etag: '"v"' }, cacheStatus: 'origin; fwd=miss, fastify; fwd=uri-miss' })
  t.match(await ask(app, '/kept'), { body: 'GET /kept 1', cacheStatus: /^fastify; hit/, headers: { 'surrogate-key': 'a' } })
  // The body is not compared: on routes that are declared for HEAD, `inject` returns a body, whereas a socket gets none.
  t.match(await ask(app, '/kept', {}, 'HEAD'), { headers: { 'content-length': '11' }, cacheStatus: /hit/ })
  time.advance(61)
  t.match(await ask(app, '/kept'), { status: 200, body: 'GET /kept 1', cacheStatus: /fwd=stale; fwd-status=304/ })
  t.equal(runs, 2)
  await ask(app, '/kept', {}, 'DELETE')
  t.match(await ask(app, '/kept'), { body: 'GET /kept 4' })
  for (const url of ['/private', '/silent']) {
    await ask(app, url)
    const answer = await ask(app, url)
    t.match(answer, { body: `GET ${url} ${runs}`, cacheStatus: 'fastify; fwd=uri-miss' })
    t.equal(answer.headers['cache-control'], url === '/silent' ? 'no-cache' : 'private, max-age=60', 'nothing that shares it')
  }
  await ask(app, '/error')
  time.advance(11)
  status = 503
  t.match(await ask(app, '/error'), { status: 200, body: /GET \/error/, cacheStatus: /detail="stale-if-error, error"/ })
})
