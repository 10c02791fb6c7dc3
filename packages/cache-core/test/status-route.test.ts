import type { CacheCoreOptions } from '@x/cache-core'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { buildApp, inEnvironment, inProduction, type LogLine } from '@x/test-kit/build-app'
import { settle } from '@x/test-kit/deferred'
import { ThreeMethodCache } from '@x/test-kit/foreign-caches'

const PATH = '/internal/cache'

t.test('GET /internal/cache: exactly the status while observing', async (t) => {
  const app = await buildApp(t)
  const response = await app.inject(PATH)
  t.equal(response.statusCode, 200)
  t.match(response.headers, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
  const { registeredAt, ...status } = response.json()
  t.same(status, { enabled: false, implName: 'NullCache', recentStats: { hits: 0, misses: 0, errors: 0, hitRate: 0 } })
  t.equal(new Date(registeredAt).toISOString(), registeredAt)
  t.match(response.body, /^\{"enabled":false,"implName":"NullCache",/)
})

t.test('GET /internal/cache: shows what is in service now, and what it counted', async (t) => {
  const app = await buildApp(t, { implementation: 'memory' })
  await app.cache.getOrSet('user:1', () => 1)
  await app.cache.getOrSet('user:1', () => 1)
  await app.cache.get('')
  t.match((await app.inject(PATH)).json(), {
    enabled: true, implName: 'MemoryCache', recentStats: { hits: 1, misses: 1, errors: 1, hitRate: 0.5 }
  })
  app.cache.registry.register(Object.assign(new ThreeMethodCache(), { status: () => ({ degraded: true, health: 'down' }) }))
  app.cache.registry.rollout.percent = 10
  const { registeredAt, ...status } = (await app.inject(PATH)).json()
  t.same(status, {
    enabled: true,
    implName: 'NullCache',
    recentStats: { hits: 0, misses: 0, errors: 0, hitRate: 0 },
    degraded: true,
    health: 'down',
    rollout: { percent: 10, allow: ['*'] }
  })
})

t.test('GET /internal/cache: answers although the implementation fails to tell of itself', async (t) => {
  const app = await buildApp(t, { implementation: Object.assign(new ThreeMethodCache(), { status: () => { throw new Error('bug') } }) })
  t.match((await app.inject(PATH)).json(), { enabled: true, implName: 'ThreeMethodCache' })
})

async function asUnknown (app: FastifyInstance, path: string, method: 'GET' | 'HEAD' | 'POST' = 'GET') {
  const { statusCode, headers, body } = await app.inject({ method, url: path })
  const { date, ...others } = headers
  // The body of a HEAD route is never sent over the network, so it is not compared.
  return { statusCode, headers: others, body: method === 'HEAD' ? '' : body.replaceAll(path, '') }
}

t.test('GET /internal/cache: in production it is the 404 of any unknown route, to the byte', async (t) => {
  inProduction(t)
  for (const handler of [undefined, 'own'] as const) {
    for (const options of [{}, { implementation: 'memory', guard: (_request: unknown, _reply: unknown, done: () => void) => done() }] as CacheCoreOptions[]) {
      const app = await buildApp(t, options)
      if (handler === 'own') app.setNotFoundHandler((request, reply) => reply.code(404).type('text/html').send(`<h1>${request.url}</h1>`))
      app.addHook('onSend', async (_request, reply) => { reply.header('x-every', 'reply') })
      for (const method of ['GET', 'HEAD', 'POST'] as const) {
        const unknown = await asUnknown(app, '/internal/other', method)
        t.equal(unknown.statusCode, 404)
        t.same(await asUnknown(app, PATH, method), unknown, `${method}, ${handler ?? 'default'} handler`)
      }
    }
  }
})

t.test('expose: needs a guard in production, and shows the status to whom the guard lets in', async (t) => {
  inProduction(t)
  await t.rejects(buildApp(t, { expose: true }), { code: 'CACHE_ERR_STATUS_UNGUARDED' })
  const app = await buildApp(t, {
    expose: true,
    guard: async (request, reply) => {
      if (request.headers['x-key'] !== 'secret') return reply.code(401).send({ error: 'no' })
    }
  })
  t.equal((await app.inject(PATH)).statusCode, 401)
  t.equal((await app.inject({ url: PATH, headers: { 'x-key': 'secret' } })).statusCode, 200)
})

t.test('expose: is taken back by expose false, and does nothing outside of production', async (t) => {
  t.equal((await (await buildApp(t, { expose: true })).inject(PATH)).statusCode, 200)
  inProduction(t)
  t.equal((await (await buildApp(t, { expose: false, guard: (_request, _reply, done) => done() })).inject(PATH)).statusCode, 404)
})

for (const name of ['prod', 'Production', 'PRODUCTION', 'Staging', 'production ', 'live', 'dev', 'Test', '']) {
  t.test(`GET /internal/cache: is closed where NODE_ENV is ${JSON.stringify(name)}`, async (t) => {
    inEnvironment(t, name)
    t.equal((await (await buildApp(t)).inject(PATH)).statusCode, 404)
    await t.rejects(buildApp(t, { expose: true }), { code: 'CACHE_ERR_STATUS_UNGUARDED' })
  })
}

for (const name of [undefined, 'development', 'test', 'staging']) {
  t.test(`GET /internal/cache: is open where NODE_ENV is ${name ?? 'not set'}, which the start says once`, async (t) => {
    inEnvironment(t, name)
    const lines: LogLine[] = []
    t.equal((await (await buildApp(t, {}, lines)).inject(PATH)).statusCode, 200)
    const said = lines.filter(({ msg }) => msg.startsWith('Cache: GET /internal/cache'))
    t.equal(said.length, 1)
    t.match(said[0], { level: 30, msg: /are open to every client \(NODE_ENV is .*NODE_ENV=production closes them/ })
  })
}

t.test('start: says that the internal endpoints are closed, and what opens them', async (t) => {
  inProduction(t)
  const lines: LogLine[] = []
  await (await buildApp(t, {}, lines)).ready()
  t.strictSame(lines.filter(({ msg }) => msg.includes('/internal/cache')).map(({ level, msg }) => [level, /are closed \(NODE_ENV is "production"\).*expose: true, guard/.test(msg)]), [[30, true]])
})

t.test('start: says that the internal endpoints are open behind a guard', async (t) => {
  inProduction(t)
  const lines: LogLine[] = []
  await (await buildApp(t, { expose: true, guard: (_request, _reply, done) => done() }, lines)).ready()
  t.match(lines.filter(({ msg }) => msg.includes('/internal/cache')), [{ msg: /are open behind the guard/ }])
})

const guards: Record<string, CacheCoreOptions['guard']> = {
  'with done': (_request, _reply, done) => done(),
  'with an error for done': (_request, _reply, done) => done(Object.assign(new Error('no'), { statusCode: 403 })),
  'that resolves': (async () => {}) as never,
  'that resolves later': (async () => { await settle() }) as never,
  'that rejects': (async () => { throw Object.assign(new Error('no'), { statusCode: 403 }) }) as never,
  'that throws': (() => { throw Object.assign(new Error('no'), { statusCode: 403 }) }) as never,
  'that is a thenable': (() => ({ then: (_: unknown, reject: (error: Error) => void) => reject(Object.assign(new Error('no'), { statusCode: 403 })) })) as never,
  'that sends and returns the reply': (async (_request: unknown, reply: any) => reply.code(403).send('no')) as never,
  'that sends without done': (_request, reply) => { reply.code(403).send('no') },
  'that hijacks': (_request, reply) => { reply.hijack(); reply.raw.writeHead(403).end() }
}
for (const [name, guard] of Object.entries(guards)) {
  t.test(`guard: a hook ${name}`, async (t) => {
    const app = await buildApp(t, guard === undefined ? {} : { guard })
    // An asynchronous hook runs after the reply was sent, as with many plugins; the status must not be sent in that time.
    app.addHook('onSend', async (_request, _reply, payload) => { await settle(); return payload })
    const { statusCode, body } = await app.inject(PATH)
    const isLetIn = ['with done', 'that resolves', 'that resolves later'].includes(name)
    t.equal(statusCode, isLetIn ? 200 : 403)
    if (!isLetIn) t.notMatch(body, /implName/)
  })
}

t.test('guard: is called with the instance and the request', async (t) => {
  let self: unknown
  const app = await buildApp(t, { guard: function (request, _reply, done) { self = this; t.equal(request.url, PATH); done() } })
  await app.inject(PATH)
  t.equal(Object.getPrototypeOf(self) === app || self === app, true)
})
