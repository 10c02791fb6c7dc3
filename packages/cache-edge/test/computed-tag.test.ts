import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { cacheEdge, type CacheEdgeOptions } from '../src/index.js'
import { ask, buildEdge } from './fixtures/edge-app.js'

async function withRoutes (t: Test, edge: CacheEdgeOptions = {}): Promise<FastifyInstance> {
  const app = await buildEdge(t, { edge })
  app.get('/', async () => 'page')
  app.get('/own', async (_request, reply) => reply.header('etag', '"v1"').send('page'))
  for (const [name, value] of [['cache-control', 'max-age=5'], ['expires', 'Thu, 01 Jan 1970 00:00:00 GMT'], ['cdn-cache-control', 'max-age=5'], ['surrogate-control', 'max-age=5']] as const) {
    app.get(`/${name}`, async (_request, reply) => reply.header(name, value).send('page'))
  }
  return app
}

t.test('a computed tag: a response with no lifetime of its own says no-cache, so that a proxy that stores for its validator asks', async (t) => {
  const app = await withRoutes(t)
  const first = await ask(app, '/')
  t.match(first, { status: 200, headers: { 'cache-control': 'no-cache', etag: /^W\// } })
  t.match(await ask(app, '/', { 'if-none-match': first.headers.etag }), { status: 304, headers: { 'cache-control': 'no-cache' } })
  t.match(await ask(app, '/missing'), { status: 404, headers: { 'cache-control': 'no-cache' } })
  t.match(await ask(app, '/', {}, 'HEAD'), { headers: { 'cache-control': 'no-cache' } })
})

t.test('a computed tag: with credentials the response is private as well', async (t) => {
  const app = await withRoutes(t, { credentialHeaders: ['X-Device'] })
  for (const name of ['x-api-key', 'api-key', 'x-auth-token', 'authorization', 'cookie', 'client-cert', 'x-device']) {
    t.equal((await ask(app, '/', { [name]: 'a=b' })).headers['cache-control'], 'private, no-cache', name)
  }
})

t.test('a computed tag: what names a lifetime, or has a tag of the app, is left as it is', async (t) => {
  const app = await withRoutes(t)
  for (const name of ['cache-control', 'expires', 'cdn-cache-control', 'surrogate-control', 'own']) {
    t.equal((await ask(app, `/${name}`)).headers['cache-control'], name === 'cache-control' ? 'max-age=5' : undefined, name)
  }
})

t.test('a computed tag: hooks of the app do not see the no-cache, also those behind the edge', async (t) => {
  const app = await withRoutes(t)
  const seen: unknown[] = []
  app.addHook('onSend', async (_request, reply) => { seen.push(reply.getHeader('cache-control')) })
  app.get('/hooked', { onSend: async (_request, reply) => { seen.push(reply.getHeader('cache-control')) } }, async () => 'x')
  t.equal((await ask(app, '/hooked')).headers['cache-control'], 'no-cache')
  t.same(seen, [undefined, undefined])
})

t.test('a computed tag: etag.noCache: false and etag: false write nothing, and a line at the start names the option otherwise', async (t) => {
  for (const [edge, isTold] of [[{}, true], [{ etag: { noCache: false } }, false], [{ etag: false }, false]] as const) {
    const lines: string[] = []
    const app = Fastify({ logger: { level: 'info', stream: { write: (line: string) => { lines.push(line) } } } })
    t.teardown(() => app.close())
    await app.register(cacheEdge, edge)
    app.get('/', async () => 'page')
    await app.ready()
    t.equal((await app.inject('/')).headers['cache-control'], isTold ? 'no-cache' : undefined)
    t.equal(lines.filter((line) => line.includes('etag: { noCache: false }')).length, isTold ? 1 : 0)
  }
})

t.test('a computed tag: a stored response without a lifetime says no-cache on hits and 304, too, and is a hit', async (t) => {
  const app = await buildEdge(t)
  let runs = 0
  app.get('/', { config: { cache: { store: 'by-response' } } }, async (_request, reply) => {
    runs++
    return reply.header('cdn-cache-control', 'max-age=60').header('last-modified', 'Thu, 01 Jan 2026 00:00:00 GMT').send('page')
  })
  const first = await ask(app, '/')
  const hit = await ask(app, '/')
  t.equal(hit.headers['cache-control'], first.headers['cache-control'])
  t.equal((await ask(app, '/', { 'if-none-match': hit.headers.etag })).status, 304)
  t.equal(runs, 1)
})
