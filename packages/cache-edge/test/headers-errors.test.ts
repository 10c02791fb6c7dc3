import { cacheCore } from '@x/cache-core'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import t, { type Test } from 'tap'
import { cacheEdge, type EdgePolicy } from '../src/index.js'
import { ask, buildEdge } from './fixtures/edge-app.js'

const SAID = {
  'cache-control': 'public, max-age=600',
  'cdn-cache-control': 'max-age=600',
  'surrogate-control': 'max-age=600',
  'surrogate-key': 'own',
  'cache-tag': 'own',
  etag: '"v1"',
  'last-modified': 'Sun, 15 Jun 2025 12:00:00 GMT',
  expires: 'Sun, 15 Jun 2035 12:00:00 GMT',
  age: '5'
}

/** Builds an app whose handler sets all headers of `SAID`, and then fails. */
async function failing (
  t: Test, cache: EdgePolicy | false | undefined, fail: (reply: FastifyReply) => unknown, setUp = (_app: FastifyInstance): void => {}
): Promise<FastifyInstance> {
  const app = await buildEdge(t)
  setUp(app)
  app.get('/', cache === undefined ? {} : { config: { cache } }, (_request, reply) => fail(reply.headers(SAID)))
  return app
}

const failures: Record<string, { status: number; fail: (reply: FastifyReply) => unknown }> = {
  throws: { status: 500, fail: () => { throw new Error('x') } },
  rejects: { status: 503, fail: async () => { throw Object.assign(new Error('x'), { statusCode: 503 }) } },
  'sends an Error': { status: 500, fail: (reply) => reply.send(new Error('x')) },
  'throws one of 404': { status: 404, fail: () => { throw Object.assign(new Error('x'), { statusCode: 404 }) } },
  'sends what cannot be serialised': { status: 500, fail: (reply) => reply.send({ toJSON () { throw new Error('x') } }) }
}
const policies: (EdgePolicy | false | undefined)[] = [undefined, false, {}, { tags: ['a'], statuses: [404] }, { store: true }, { store: 'by-response' }, { scope: 'private', maxAge: 60 }]
for (const [what, { status, fail }] of Object.entries(failures)) {
  for (const cache of policies) {
    t.test(`errors: a handler that ${what}, with the policy ${JSON.stringify(cache) ?? 'none'}: no header of its response is sent with the error`, async (t) => {
      const { headers, ...answer } = await ask(await failing(t, cache, fail), '/')
      t.equal(answer.status, status)
      t.equal(headers['cache-control'], 'no-store')
      for (const [name, value] of Object.entries(SAID)) t.not(headers[name], value, name)
    })
  }
}

t.test('errors: what the error handler says then is heard', async (t) => {
  for (const cache of [undefined, {}, { store: true }]) {
    const app = await failing(t, cache, () => { throw new Error('x') }, (app) => {
      app.setErrorHandler(async (_error, _request, reply) => reply.code(503).headers({ 'cache-control': 'public, max-age=5', etag: '"error"', 'cdn-cache-control': 'max-age=6' }).send('x'))
    })
    t.match(await ask(app, '/'), { status: 503, headers: { 'cache-control': 'public, max-age=5', etag: '"error"', 'cdn-cache-control': 'max-age=6', expires: undefined } })
  }
  const app = await failing(t, {}, () => { throw Object.assign(new Error('x'), { headers: { 'cache-control': 'max-age=7' } }) })
  t.match(await ask(app, '/'), { status: 500, headers: { 'cache-control': 'max-age=7' } })
})

t.test('errors: a 5xx that is sent and not thrown says what its handler says', async (t) => {
  const app = await failing(t, {}, (reply) => reply.code(503).send('x'))
  t.match(await ask(app, '/'), { status: 503, headers: { 'cache-control': SAID['cache-control'], 'cdn-cache-control': SAID['cdn-cache-control'], etag: SAID.etag } })
})

t.test('errors: an error of which nothing had been said goes by the policy', async (t) => {
  const app = await buildEdge(t)
  const missing = async (): Promise<never> => { throw Object.assign(new Error('x'), { statusCode: 404 }) }
  app.get('/listed', { config: { cache: { statuses: [404] } } }, missing)
  app.get('/plain', missing)
  t.equal((await ask(app, '/listed')).headers['cache-control'], 'public, max-age=60, must-revalidate')
  t.equal((await ask(app, '/plain')).headers['cache-control'], 'no-cache', 'for its computed tag')
})

t.test('errors: a hook in front that fails, a hook behind that fails, and a route that is older than the plugin', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore)
  app.register(cacheEdge)
  const fail = async (): Promise<never> => { throw new Error('x') }
  const say = async (_request: unknown, reply: FastifyReply): Promise<string> => { reply.headers(SAID); return 'x' }
  app.get('/old', async (request, reply) => { await say(request, reply); await fail() })
  app.get('/before', { onRequest: async (_request, reply) => { reply.headers(SAID) }, preHandler: fail }, say)
  app.get('/behind', { onSend: async (_request, reply) => { if (reply.statusCode === 200) await fail() } }, say)
  for (const url of ['/old', '/before', '/behind']) t.match(await ask(app, url), { status: 500, headers: { 'cache-control': 'no-store', 'cdn-cache-control': undefined, expires: undefined } }, url)
})
