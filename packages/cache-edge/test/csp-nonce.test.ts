import helmet from '@fastify/helmet'
import { Readable } from 'node:stream'
import t from 'tap'
import { isUsedIn, noncesOf } from '../src/rules/csp-nonce.js'
import { ask, buildEdge } from './fixtures/edge-app.js'
import { isHit } from './fixtures/page.js'
import { warningsTo, type Warning } from './fixtures/warnings.js'

t.test('@fastify/helmet with nonces: every page has the nonce of its header, and the reason is said once', async (t) => {
  const warnings: Warning[] = []
  const app = await buildEdge(t, { server: warningsTo(warnings) })
  await app.register(helmet, { enableCSPNonces: true })
  app.get('/', { config: { cache: { store: true } } }, async (_request, reply) => reply.type('text/html').send(`<script nonce="${reply.cspNonce.script}">1</script>`))
  await app.ready()
  warnings.length = 0
  for (let run = 1; run <= 3; run++) {
    const { body, headers, cacheStatus } = await ask(app, '/')
    t.match(headers['content-security-policy'], `'nonce-${/nonce="(\w+)"/.exec(body)![1]!}'`)
    t.match(cacheStatus, 'fastify; fwd=uri-miss; detail=csp-nonce')
  }
  t.match(warnings, [{ reason: 'csp-nonce', msg: /nonce/ }])
  t.equal(warnings.length, 1)
})

t.test('@fastify/helmet with nonces: JSON that holds none of them is stored, and JSON that holds one is not', async (t) => {
  const app = await buildEdge(t)
  await app.register(helmet, { enableCSPNonces: true })
  app.get('/plain', { config: { cache: { store: true } } }, async () => ({ a: 1 }))
  app.get('/fragment', { config: { cache: { store: true } } }, async (_request, reply) => ({ html: reply.cspNonce.script }))
  for (const url of ['/plain', '/fragment']) await ask(app, url)
  t.equal(isHit(await ask(app, '/plain')), true)
  t.equal(isHit(await ask(app, '/fragment')), false)
})

t.test('@fastify/helmet without nonces: a page is stored', async (t) => {
  const app = await buildEdge(t)
  await app.register(helmet)
  app.get('/', { config: { cache: { store: true } } }, async (_request, reply) => reply.type('text/html').send('<p>'))
  await ask(app, '/')
  t.equal(isHit(await ask(app, '/')), true)
})

t.test('a page with a nonce in a meta tag is not stored, also as a stream, and the reason is said', async (t) => {
  const warnings: Warning[] = []
  const app = await buildEdge(t, { server: warningsTo(warnings) })
  let run = 0
  const page = () => `<meta http-equiv="Content-Security-Policy" content="script-src 'nonce-${++run}'"><script nonce="${run}"></script>`
  app.get('/text', { config: { cache: { store: true } } }, async (_request, reply) => reply.type('text/html').send(page()))
  app.get('/stream', { config: { cache: { store: true } } }, async (_request, reply) => reply.type('text/html').send(Readable.from([page()])))
  for (const url of ['/text', '/stream']) {
    for (let times = 0; times < 2; times++) t.match(await ask(app, url), { status: 200, cacheStatus: url === '/text' ? 'fastify; fwd=uri-miss; detail=csp-nonce' : /fwd=uri-miss/ })
  }
  t.equal(run, 4)
  t.same(warnings.filter(({ reason }) => reason === 'csp-nonce').map(({ route }) => route), ['/text', '/stream'])
})

for (const where of ['onRequest', 'onSend', 'handler'] as const) {
  t.test(`a nonce in a report-only policy that the ${where} sets keeps the page out of the store`, async (t) => {
    const app = await buildEdge(t)
    const field = ['content-security-policy-report-only', "default-src 'self', script-src 'NONCE-abc=='"] as const
    if (where !== 'handler') app.addHook(where as 'onRequest', async (_request, reply) => { reply.header(...field) })
    app.get('/', { config: { cache: { store: true } } }, async (_request, reply) => (where === 'handler' ? reply.header(...field) : reply).type('text/html').send('<p>'))
    await ask(app, '/')
    t.match(await ask(app, '/'), { cacheStatus: /detail=csp-nonce/ })
  })
}

t.test('noncesOf: the nonces of both fields and of all lines, and nothing else', async (t) => {
  t.same(noncesOf({}), [])
  t.same(noncesOf({ 'content-security-policy': "default-src 'self'; script-src 'sha256-x' nonce-y" }), [])
  t.same(noncesOf({ 'content-security-policy': ["script-src 'nonce-a'", "style-src 'nonce-b'"], 'content-security-policy-report-only': "script-src 'nonce-c' 'nonce-d'" }), ['a', 'b', 'c', 'd'])
})

t.test('isUsedIn: a type that is unknown counts as one that uses nonces', async (t) => {
  const body = Buffer.from('x')
  t.equal(isUsedIn([], { headers: {}, body }), false)
  t.equal(isUsedIn(['a'], { headers: {}, body }), true)
  for (const type of ['application/json', 'application/json; charset=utf-8', 'application/problem+json']) t.equal(isUsedIn(['a'], { headers: { 'content-type': type }, body }), false, type)
  for (const type of ['text/html', 'application/xhtml+xml', 'application/jsonp', 'text/json']) t.equal(isUsedIn(['a'], { headers: { 'content-type': type }, body }), true, type)
})
