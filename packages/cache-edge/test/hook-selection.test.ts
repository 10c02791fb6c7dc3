import type { FastifyPluginCallback } from 'fastify'
import { createRequire } from 'node:module'
import t from 'tap'
import type { EdgePolicy } from '../src/index.js'
import { early } from './fixtures/early.js'
import { ask, buildEdge } from './fixtures/edge-app.js'
import { isHit } from './fixtures/page.js'
import { warningsTo, type Warning } from './fixtures/warnings.js'

// The types of the plugin are not imported, since they make `config.serializers` a member that every route must have.
const acceptsSerializer = createRequire(import.meta.url)('@fastify/accepts-serializer') as FastifyPluginCallback<object>
const LANGUAGE = 'accept-language'
const STORES = [true, 'by-response'] as const

for (const where of ['onRequest', 'preHandler', 'onSend'] as const) {
  for (const store of STORES) {
    t.test(`${where} chooses a language and says Vary: no page in one language is given to a reader of another, store ${String(store)}`, { skip: where === 'onSend' && store !== true && early.skip('hooks') }, async (t) => {
      const warnings: Warning[] = []
      const app = await buildEdge(t, { server: warningsTo(warnings) })
      app.decorateRequest('language', '')
      app.addHook('onRequest', async (request) => { Object.assign(request, { language: request.headers[LANGUAGE] ?? 'en' }) })
      const negotiate = async (request: any, reply: any) => { reply.header('vary', 'Accept-Language').header('content-language', request.language) }
      app.addHook(where as 'preHandler', where === 'onSend' ? async (request: any, reply: any) => { await negotiate(request, reply) } : negotiate)
      app.get('/', { config: { cache: { store } } }, async (request, reply) => reply.header('cache-control', 'max-age=60').send((request as unknown as { language: string }).language))
      await app.ready()
      warnings.length = 0
      for (const language of ['de', 'fr', 'de']) {
        const answer = await ask(app, '/', { [LANGUAGE]: language })
        t.match(answer, { body: language, headers: { 'content-language': language, vary: /accept-language/i } })
        if (store === true) t.match(answer.cacheStatus, 'fastify; fwd=uri-miss; detail=vary')
      }
      if (store === true) t.match(warnings, [{ reason: 'vary', vary: [LANGUAGE] }])
      t.equal(warnings.length, store === true ? 1 : 0)
    })
  }

  t.test(`${where} says Vary: what the policy names is stored, one page for each value`, async (t) => {
    const app = await buildEdge(t)
    app.addHook(where as 'preHandler', async (_request, reply) => { reply.header('vary', 'Accept-Language') })
    app.get('/', { config: { cache: { store: true, vary: [LANGUAGE] } } }, async (request) => String(request.headers[LANGUAGE]))
    for (const language of ['de', 'fr']) {
      t.match(await ask(app, '/', { [LANGUAGE]: language }), { body: language })
      t.match(await ask(app, '/', { [LANGUAGE]: language }), { body: language, cacheStatus: /; hit/ })
    }
  })

  t.test(`${where} says Vary: *: nothing is stored`, async (t) => {
    const app = await buildEdge(t)
    app.addHook(where as 'preHandler', async (_request, reply) => { reply.header('vary', '*') })
    app.get('/', { config: { cache: { store: true } } }, async () => 'x')
    await ask(app, '/')
    t.match(await ask(app, '/'), { cacheStatus: /detail=vary/ })
  })
}

t.test('a handler that replaces the Vary of a hook does not hide it', async (t) => {
  const app = await buildEdge(t)
  app.addHook('onRequest', async (_request, reply) => { reply.header('vary', 'Accept-Language') })
  app.get('/', { config: { cache: { store: true, vary: ['accept'] } } }, async (_request, reply) => reply.header('vary', 'Accept').send('x'))
  await ask(app, '/')
  t.match(await ask(app, '/'), { cacheStatus: /detail=vary/ })
})

t.test('Vary: Origin of CORS: one stored page, and each origin has its own headers', { skip: early.skip('hooks') }, async (t) => {
  const app = await buildEdge(t)
  app.addHook('onRequest', async (request, reply) => { reply.header('vary', 'Origin').header('access-control-allow-origin', String(request.headers.origin)) })
  app.get('/', { config: { cache: { store: true } } }, async () => 'x')
  await ask(app, '/', { origin: 'https://a.example' })
  t.match(await ask(app, '/', { origin: 'https://b.example' }), { cacheStatus: /; hit/, headers: { vary: /origin/i, 'access-control-allow-origin': 'https://b.example' } })
})

const yaml = { serializers: [{ regex: /^application\/yaml$/, serializer: (body: unknown) => `yaml: ${JSON.stringify(body)}` }], default: 'application/json' }

for (const store of STORES) {
  for (const order of [['application/yaml', 'application/json'], ['application/json', 'application/yaml']]) {
    t.test(`@fastify/accepts-serializer: each reader gets the type that it asked for, ${order.join(' first, then ')}, store ${String(store)}`, { skip: early.skip('hooks') }, async (t) => {
      const app = await buildEdge(t)
      await app.register(acceptsSerializer, yaml)
      app.get('/', { config: { cache: { store } } }, async (_request, reply) => reply.header('cache-control', 'max-age=60').send({ a: 1 }))
      for (const accept of [...order, ...order]) {
        const { body, headers } = await ask(app, '/', { accept })
        t.equal(body, accept.endsWith('yaml') ? 'yaml: {"a":1}' : '{"a":1}')
        t.match(headers['content-type'], accept)
      }
    })
  }
}

t.test('@fastify/accepts-serializer: the reason is said, and with accept in vary each type is stored', async (t) => {
  const warnings: Warning[] = []
  const app = await buildEdge(t, { server: warningsTo(warnings) })
  await app.register(acceptsSerializer, yaml)
  app.get('/none', { config: { cache: { store: true } } }, async () => ({ a: 1 }))
  app.get('/each', { config: { cache: { store: true, vary: ['accept'] } } }, async () => ({ a: 1 }))
  await app.ready()
  warnings.length = 0
  t.match(await ask(app, '/none', { accept: 'application/yaml' }), { cacheStatus: /detail=serializer/ })
  t.match(warnings, [{ route: '/none', reason: 'serializer', msg: /accept in vary/ }])
  for (const accept of ['application/yaml', 'application/json']) {
    const first = await ask(app, '/each', { accept })
    const second = await ask(app, '/each', { accept })
    t.equal(isHit(second), true)
    t.equal(second.body, first.body)
    t.match(second.headers['content-type'], accept)
  }
})

for (const name of ['content-type', 'content-language'] as const) {
  t.test(`a hook that sets another ${name} and does not say Vary: no stored body goes out under it, which is said once`, async (t) => {
    const warnings: Warning[] = []
    const app = await buildEdge(t, { server: warningsTo(warnings) })
    app.decorateRequest('chosen', '')
    app.addHook('preHandler', async (request, reply) => {
      const chosen = String(request.headers['x-form'])
      Object.assign(request, { chosen })
      if (chosen !== 'none') reply.header(name, `text/${chosen}`)
    })
    app.get('/', { config: { cache: { store: true } } }, async (request) => (request as unknown as { chosen: string }).chosen)
    await app.ready()
    warnings.length = 0
    for (const form of ['html', 'csv', 'none', 'html', 'csv']) {
      const { body, headers } = await ask(app, '/', { 'x-form': form })
      t.equal(body, form)
      if (form !== 'none') t.match(headers[name], `text/${form}`)
    }
    t.equal(isHit(await ask(app, '/', { 'x-form': 'html' })), true)
    t.equal(warnings.length, 1)
    t.match(warnings[0]!.msg, /types or languages/)
  })
}

t.test('a hook that gives all responses one type: they are stored as before', async (t) => {
  const app = await buildEdge(t)
  app.addHook('onRequest', async (_request, reply) => { reply.type('application/vnd.own+json') })
  const policy: EdgePolicy = { store: true }
  app.get('/', { config: { cache: policy } }, async () => ({ a: 1 }))
  const first = await ask(app, '/')
  const second = await ask(app, '/')
  t.equal(isHit(second), true)
  t.equal(second.headers['content-type'], first.headers['content-type'])
})
