import { Readable } from 'node:stream'
import { cacheCore, coreOf } from '@x/cache-core'
import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import { cacheMetrics } from '../src/index.js'
import { Traffic } from '../src/traffic/traffic.js'
import { buildApp } from './fixtures/build-app.js'
import { scrape } from './fixtures/parse-text.js'

async function candidates (app: FastifyInstance): Promise<Record<string, number>> {
  const { samples } = await scrape(app)
  return Object.fromEntries(Object.entries(samples).filter(([name]) => name.startsWith('cache_candidate_requests')))
}

async function answered (app: FastifyInstance): Promise<Record<string, number>> {
  const { samples } = await scrape(app)
  return Object.fromEntries(Object.entries(samples).filter(([name]) => name.startsWith('cache_request_duration_seconds_count')))
}

t.test('watch: counts answered GET and HEAD requests by the pattern of their route', async (t) => {
  const app = await buildApp(t)
  app.get('/tables/:id', async () => 'table')
  app.post('/tables/:id', async () => 'table')
  app.route({ method: ['GET', 'HEAD', 'PUT'], url: '/many', handler: async () => 'many' })
  for (const id of [1, 2, 3]) await app.inject(`/tables/${id}?page=${id}`)
  await app.inject({ method: 'HEAD', url: '/tables/1' })
  await app.inject({ method: 'POST', url: '/tables/1' })
  for (const method of ['GET', 'HEAD', 'PUT'] as const) await app.inject({ method, url: '/many' })
  t.same(await candidates(app), {
    'cache_candidate_requests{method="GET",route="/tables/:id"}': 3,
    'cache_candidate_requests{method="HEAD",route="/tables/:id"}': 1,
    'cache_candidate_requests{method="GET",route="/many"}': 1,
    'cache_candidate_requests{method="HEAD",route="/many"}': 1
  })
  t.same(await answered(app), {
    'cache_request_duration_seconds_count{arm="none",route="/tables/:id"}': 5,
    'cache_request_duration_seconds_count{arm="none",route="/many"}': 3
  })
})

t.test('watch: personal requests are no candidates, whether the pattern or the URL says so', async (t) => {
  const app = await buildApp(t, {}, { personal: ['/api/user'] })
  app.get('/api/user', async () => 'me')
  app.get('/api/:what', async () => 'what')
  for (const url of ['/api/user', '/api/tables', '/api/%75ser', '/api/User', '/api/tables']) await app.inject(url)
  t.same(await candidates(app), { 'cache_candidate_requests{method="GET",route="/api/:what"}': 2 })
})

t.test('watch: what is personal may be said after the routes were declared', async (t) => {
  const app = await buildApp(t)
  app.get('/me', async () => 'me')
  app.cache.registry.personal.add(['/me'])
  await app.inject('/me')
  t.same(await candidates(app), {})
})

t.test('watch: durations go by the arm of the request', async (t) => {
  const app = await buildApp(t, {}, { implementation: 'memory', rollout: { percent: 50, key: (request) => String(request.headers['x-user']) } })
  app.get('/table', async (request) => request.cache.getOrSet('table:1', () => 1))
  app.get('/plain', async () => 'no cache')
  for (let user = 0; user < 40; user++) await app.inject({ url: '/table', headers: { 'x-user': String(user) } })
  await app.inject('/plain')
  const counts = await answered(app)
  const cached = counts['cache_request_duration_seconds_count{arm="cached",route="/table"}']!
  const control = counts['cache_request_duration_seconds_count{arm="control",route="/table"}']!
  t.equal(cached + control, 40)
  t.ok(cached > 5 && control > 5, `${cached} cached, ${control} control`)
  t.equal(counts['cache_request_duration_seconds_count{arm="none",route="/plain"}'], 1)
})

t.test('watch: observing is the control arm', async (t) => {
  const app = await buildApp(t)
  app.get('/table', async (request) => request.cache.getOrSet('table:1', () => 1))
  await app.inject('/table')
  t.same(await answered(app), { 'cache_request_duration_seconds_count{arm="control",route="/table"}': 1 })
})

t.test('watch: requests that no route answers are unmatched', async (t) => {
  const app = await buildApp(t)
  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send('nothing here'))
  await app.register(async (child) => {
    child.setNotFoundHandler(async (_request, reply) => reply.code(404).send('nothing there'))
    child.get('/gone', async (_request, reply) => reply.callNotFound())
  }, { prefix: '/child' })
  for (const url of ['/nothing', '/child/nothing', '/child/gone', `/${'x'.repeat(500)}`]) await app.inject(url)
  t.same(await answered(app), { 'cache_request_duration_seconds_count{arm="none",route="unmatched"}': 4 })
  t.same(await candidates(app), {})
})

t.test('watch: a failing handler and a failing hook are measured too', async (t) => {
  const app = await buildApp(t)
  app.get('/throws', async () => { throw new Error('broken') })
  app.get('/refuses', { onRequest: async (_request, reply) => reply.code(401).send('who?') }, async () => 'never')
  await app.inject('/throws')
  await app.inject('/refuses')
  t.same(await answered(app), {
    'cache_request_duration_seconds_count{arm="none",route="/throws"}': 1,
    'cache_request_duration_seconds_count{arm="none",route="/refuses"}': 1
  })
})

t.test('watch: a prefix is part of the label, with and without a slash behind it', async (t) => {
  const app = await buildApp(t)
  await app.register(async (child) => { child.get('/', async () => 'root') }, { prefix: '/child' })
  await app.inject('/child')
  await app.inject('/child/')
  t.same(await candidates(app), { 'cache_candidate_requests{method="GET",route="/child"}': 2 })
})

t.test('watch: sees routes that are declared while the plugin is not loaded yet', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.get('/before', async () => 'before')
  app.register(cacheCore)
  app.register(cacheMetrics)
  app.get('/behind', async () => 'behind')
  await app.inject('/before')
  await app.inject('/behind')
  t.equal(Object.keys(await candidates(app)).length, 2)
})

t.test('watch: the endpoints of the suite are not traffic', async (t) => {
  const app = await buildApp(t, { otel: true })
  for (const url of ['/metrics', '/metrics/otel', '/metrics/prom', '/internal/cache']) t.equal((await app.inject(url)).statusCode, 200)
  await app.inject({ method: 'HEAD', url: '/metrics/prom' })
  t.same(await answered(app), {})
  t.same(await candidates(app), {})
})

t.test('watch: a request that is answered twice, since a hook failed, counts once', async (t) => {
  const app = await buildApp(t)
  let fails = true
  app.addHook('onSend', async () => {
    if (!fails) return
    fails = false
    throw new Error('broken')
  })
  app.get('/', async () => 'root')
  t.equal((await app.inject('/')).statusCode, 500)
  t.same(await candidates(app), { 'cache_candidate_requests{method="GET",route="/"}': 1 })
  t.same(await answered(app), { 'cache_request_duration_seconds_count{arm="none",route="/"}': 1 })
})

t.test('watch: what is refused before the plugin sees it is a candidate without a duration', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.addHook('onRequest', async (request, reply) => request.url === '/' ? reply.code(429).send('later') : undefined)
  await app.register(cacheMetrics)
  app.get('/', async () => 'root')
  t.equal((await app.inject('/')).statusCode, 429)
  t.same(await candidates(app), { 'cache_candidate_requests{method="GET",route="/"}': 1 })
  t.same(await answered(app), {})
})

t.test('watch: the answer is the same, whatever it is made of', async (t) => {
  const app = await buildApp(t)
  app.get('/object', async () => ({ a: 1 }))
  app.get('/buffer', async () => Buffer.from('buffer'))
  app.get('/stream', async () => Readable.from(['stream']))
  app.get('/nothing', async (_request, reply) => reply.code(204).send())
  t.equal((await app.inject('/object')).body, '{"a":1}')
  t.equal((await app.inject('/buffer')).body, 'buffer')
  t.equal((await app.inject('/stream')).body, 'stream')
  t.equal((await app.inject('/nothing')).body, '')
  t.equal(Object.keys(await answered(app)).length, 4)
})

t.test('listen: receives each duration until it stops', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore)
  const traffic = new Traffic(coreOf(app)!)
  traffic.watch(app)
  app.get('/', async () => 'root')
  const heard: unknown[] = []
  const stop = traffic.listen((seconds, route, arm) => heard.push([seconds > 0, route, arm]))
  await app.inject('/')
  stop()
  await app.inject('/')
  t.same(heard, [[true, '/', 'none']])
})
