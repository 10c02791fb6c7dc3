import compress from '@fastify/compress'
import { cacheCore } from '@x/cache-core'
import { cacheMetrics } from '@x/cache-metrics'
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import t from 'tap'
import { gunzipSync } from 'node:zlib'
import { cacheEdge, type CacheEdgeOptions } from '../src/index.js'
import { early } from './fixtures/early.js'
import { ask, buildEdge } from './fixtures/edge-app.js'

const BEARER = { authorization: 'Bearer x' }

for (const order of ['before', 'after'] as const) {
  t.test(`compression registered ${order}: one stored body for every coding, Vary on all, no coding on a 304`, { skip: early.skip('hooks') }, async (t) => {
    const app = await buildEdge(t, { compress: order })
    let runs = 0
    for (const [url, handler] of Object.entries({ '/text': () => 'text '.repeat(100), '/json': () => ({ a: 'text '.repeat(100) }) })) {
      app.get(url, { config: { cache: { store: true } } }, async () => { runs++; return handler() })
    }
    for (const url of ['/text', '/json']) {
      runs = 0
      for (const encoding of ['gzip', 'identity', 'gzip', 'br']) {
        const answer = await app.inject({ url, headers: { 'accept-encoding': encoding } })
        t.equal(answer.headers['content-encoding'], encoding === 'identity' ? undefined : encoding)
        t.match(answer.headers.vary, /accept-encoding/i, `${url} ${encoding}`)
        t.equal(String(answer.headers.vary).toLowerCase(), 'accept-encoding, cookie')
        if (encoding !== 'br') t.match((encoding === 'gzip' ? gunzipSync(answer.rawPayload) : answer.rawPayload).toString(), /text text/)
        t.match(answer.headers.etag, /^W\//)
        for (const tag of [answer.headers.etag as string, '*']) {
          const second = await app.inject({ url, headers: { 'accept-encoding': encoding, 'if-none-match': tag } })
          t.equal(second.statusCode, 304)
          for (const name of ['content-encoding', 'content-length', 'content-type']) t.equal(second.headers[name], undefined, name)
          t.equal(second.rawPayload.length, 0)
        }
      }
      t.equal(runs, 1)
    }
  })
}

t.test('compression: Vary is on responses of routes that are not stored as well', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheEdge, { rules: [{ prefix: '/' }] })
  await app.register(compress, { threshold: 0 })
  app.get('/', async () => 'text')
  t.match((await ask(app, '/')).headers.vary, /accept-encoding/i)
})

t.test('etag: the options of @fastify/etag, none at all, and a clash with one', async (t) => {
  const tagOf = async (etag: CacheEdgeOptions['etag']): Promise<unknown> => {
    const app = await buildEdge(t, { edge: etag === undefined ? {} : { etag } })
    app.get('/', async () => 'x')
    return (await ask(app, '/')).headers.etag
  }
  t.match(await tagOf(undefined), /^W\/"[^"]+"$/)
  t.match(await tagOf({ weak: false }), /^"[^"]+"$/)
  t.match(await tagOf({ algorithm: 'md5', weak: false }), /^"[^"]{22,24}"$/)
  t.equal(await tagOf(false), undefined)
  await t.rejects(tagOf({ algorithm: 'none' }))
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register((await import('@fastify/etag')).default)
  await t.rejects(async () => app.register(cacheEdge), { code: 'CACHE_ERR_ETAG_CLASH' })
})

t.test('hooks registered before and after see and change the body that is sent, and only that of the handler is stored', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, { implementation: 'memory' })
  let asked = 0
  app.addHook('onSend', async (_request, reply, payload) => {
    reply.header('x-before', String(++asked))
    return typeof payload === 'string' || Buffer.isBuffer(payload) ? `${String(payload)} before` : payload
  })
  await app.register(cacheEdge)
  app.addHook('onSend', async (_request, reply, payload) => {
    reply.header('x-after', String(asked))
    return typeof payload === 'string' ? `${payload} after` : payload
  })
  app.addHook('preHandler', async (_request, reply) => { reply.header('x-pre', String(asked)) })
  let runs = 0
  app.get('/', { config: { cache: { store: true } } }, async () => `run ${++runs}`)
  t.match(await ask(app, '/'), { body: 'run 1 before after', headers: { 'x-before': '1', 'x-after': '1', 'x-pre': '0' } })
  t.match(await ask(app, '/'), { body: 'run 1 before after', headers: { 'x-before': '2', 'x-after': '2', 'x-pre': '1' }, cacheStatus: /hit/ })
})

for (const hooks of [0, 1, 2]) {
  t.test(`a plugin that wraps the onSend hooks of each route, as @fastify/otel does: each response is finished once (${hooks} hooks of the route)`, { skip: hooks > 0 && early.skip('hooks') }, async (t) => {
    const app = await buildEdge(t)
    app.addHook('onRoute', (route) => {
      const hooks = [route.onSend ?? []].flat() as ((...args: unknown[]) => unknown)[]
      const wrapped = hooks.map((hook) => function wrapper (this: FastifyInstance, ...args: unknown[]) { return hook.apply(this, args) })
      route.onSend = wrapped as never
      route.onSend = [...[route.onSend ?? []].flat(), (_request, _reply, payload, done) => { done(null, payload) }]
    })
    const matches: string[] = []
    app.cache.registry.events.on('etagMatch', (route) => matches.push(route))
    app.get('/', {
      config: { cache: { store: true } },
      onSend: Array.from({ length: hooks }, () => async (_request: unknown, reply: FastifyReply, payload: unknown) => {
        reply.header('x-hooks', `${String(reply.getHeader('x-hooks') ?? '')}+`)
        return payload
      })
    }, async () => 'page')
    const { headers: { etag } } = await ask(app, '/')
    for (let times = 1; times <= 3; times++) {
      t.match(await ask(app, '/', { 'if-none-match': etag }), { status: 304, body: '', headers: { etag, ...hooks > 0 && { 'x-hooks': '+'.repeat(hooks) } } })
      t.equal(matches.length, times)
    }
  })
}

t.test('an authenticating hook runs before a stored response is served', { skip: early.skip('hooks') }, async (t) => {
  const app = await buildEdge(t)
  let isOpen = true
  app.addHook('preHandler', async (_request, reply) => isOpen ? undefined : reply.code(401).send('no'))
  app.get('/', { config: { cache: { store: true } } }, async () => 'x')
  const { headers: { etag } } = await ask(app, '/')
  isOpen = false
  t.match(await ask(app, '/'), { status: 401, headers: { 'cache-control': 'no-cache' } })
  t.match(await ask(app, '/', { 'if-none-match': etag }), { status: 401 })
})

t.test('a route that was declared before the plugin had loaded has ETag and 304', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(cacheEdge)
  const matches: string[] = []
  app.get('/', async () => 'x')
  await app.ready()
  app.cache.registry.events.on('etagMatch', (route, method) => matches.push(`${method} ${route}`))
  const { headers: { etag } } = await ask(app, '/')
  t.match(await ask(app, '/', { 'if-none-match': etag }), { status: 304, body: '' })
  t.same(matches, ['GET /'])
})

for (const withMetrics of [false, true]) {
  t.test(`edgeCandidate and etagMatch are announced once each, ${withMetrics ? 'with' : 'without'} @x/cache-metrics`, async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(cacheCore, { implementation: 'memory' })
    if (withMetrics) await app.register(cacheMetrics)
    await app.register(cacheEdge, { personal: ['/me'] })
    const heard: string[] = []
    app.cache.registry.events.on('edgeCandidate', (route, method) => heard.push(`candidate ${method} ${route}`))
    app.cache.registry.events.on('etagMatch', (route, method) => heard.push(`match ${method} ${route}`))
    for (const store of [false, true]) app.get(`/${String(store)}/:id`, { config: { cache: { store } } }, async () => 'x')
    app.get('/plain', async () => 'x')
    app.get('/me', async () => 'x')
    app.get('/private', { config: { cache: { scope: 'private' } } }, async () => 'x')
    for (const url of ['/false/1', '/true/1']) {
      const { headers: { etag } } = await ask(app, url)
      for (const condition of [etag, '*']) await ask(app, url, { 'if-none-match': condition })
      await ask(app, url, BEARER)
      await ask(app, url, {}, 'HEAD')
    }
    for (const url of ['/plain', '/me', '/private', '/nowhere']) await ask(app, url)
    const of = (route: string): string[] => [`candidate GET ${route}`, `candidate GET ${route}`, `candidate GET ${route}`, `candidate HEAD ${route}`, `match GET ${route}`, `match GET ${route}`]
    t.same(heard.sort(), [...of('/false/:id'), ...of('/true/:id')].sort())
    if (!withMetrics) return
    const page = (await ask(app, '/metrics/prom')).body
    t.match(page, /^cache_edge_candidates_total 8$/m)
    t.match(page, /^etag_match_total 4$/m)
  })
}
