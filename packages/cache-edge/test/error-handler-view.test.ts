import t from 'tap'
import { ask, buildEdge } from './fixtures/edge-app.js'

for (const status of [200, 404]) {
  t.test(`a ${status} that an error handler sends to one client is not marked as a response for all`, async (t) => {
    const app = await buildEdge(t)
    app.setErrorHandler((_error, { headers }, reply) => reply.code(status).send(`sorry, ${String(headers['x-name'])}`))
    app.get('/', { config: { cache: { store: true, statuses: [404] } } }, async () => { throw new Error('no row') })
    const { headers, body } = await ask(app, '/', { 'x-name': 'alice' })
    t.match({ body, headers }, { body: 'sorry, alice', headers: { 'cache-control': 'private, no-cache' } })
    t.match(await ask(app, '/'), { body: 'sorry, undefined', cacheStatus: 'fastify; fwd=uri-miss' })
  })
}

t.test('a Cache-Control of the error handler itself goes out', async (t) => {
  const app = await buildEdge(t)
  app.setErrorHandler((_error, _request, reply) => reply.code(404).header('cache-control', 'public, max-age=5').send('gone'))
  app.get('/', { config: { cache: { store: true } } }, async () => { throw new Error('no row') })
  t.equal((await ask(app, '/')).headers['cache-control'], 'public, max-age=5')
})

t.test('a stale response in place of an error has its headers as before', async (t) => {
  const app = await buildEdge(t)
  let runs = 0
  app.get('/', { config: { cache: { store: true, maxAge: 1, staleIfError: 60, tags: ['page'] } } }, async () => {
    if (runs++ > 0) throw new Error('no row')
    return 'page'
  })
  await ask(app, '/')
  await app.cache.tags.invalidate('page', { soft: true })
  t.match(await ask(app, '/'), { body: 'page', headers: { 'cache-control': 'public, max-age=1, stale-if-error=60' }, cacheStatus: /stale-if-error/ })
})
