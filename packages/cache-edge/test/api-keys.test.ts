import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { cacheCore } from '@x/cache-core'
import t, { type Test } from 'tap'
import { cacheEdge, earlyServer } from '../src/index.js'
import { ask, buildEdge } from './fixtures/edge-app.js'
import { isHit } from './fixtures/page.js'

const PRIVATE = 'private, no-cache'

for (const name of ['X-API-Key', 'API-Key', 'apikey', 'X-Auth-Token', 'X-Access-Token', 'Client-Cert', 'X-Forwarded-Client-Cert', 'SSL-Client-Cert', 'X-Amzn-Mtls-Clientcert', 'X-Amzn-Mtls-Clientcert-Leaf', 'X-ARR-ClientCert', 'X-Device']) {
  t.test(`${name}: under a shared rule no client is given what was made for another`, async (t) => {
    const app = await buildEdge(t, { edge: { rules: [{ prefix: '/', store: true }], ...name === 'X-Device' ? { credentialHeaders: ['x-device'] } : {} } })
    app.get('/', async ({ headers }) => `for ${headers[name.toLowerCase()] ?? 'all'}`)
    t.equal((await ask(app, '/')).body, 'for all')
    t.match(await ask(app, '/', { [name]: 'a' }), { body: 'for a', headers: { 'cache-control': PRIVATE } })
    t.match(await ask(app, '/', { [name]: 'b' }), { body: 'for b', headers: { 'cache-control': PRIVATE } })
    const again = await ask(app, '/')
    t.ok(again.body === 'for all' && isHit(again))
  })
}

t.test('a header of credentials: no stored response may be chosen by it, also one of credentialHeaders', async (t) => {
  for (const [vary, edge] of [['x-api-key', {}], ['x-api-key', { credentialHeaders: ['X-Device'] }], ['X-Device', { credentialHeaders: ['X-Device'] }]] as Array<[string, { credentialHeaders?: string[] }]>) {
    const app = await buildEdge(t, { edge })
    t.throws(() => app.get(`/${vary}`, { config: { cache: { store: true, vary: [vary] } } }, async () => 'x'), { code: 'CACHE_ERR_POLICY_INVALID' })
  }
})

/** Makes keys and certificates for a server and a client; the returned function reads one of the files. */
function certificates (t: Test): (name: string) => Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'cache-edge-'))
  t.teardown(() => { rmSync(folder, { recursive: true }) })
  for (const name of ['server', 'client']) {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)], { stdio: 'ignore' })
  }
  return (name) => readFileSync(join(folder, name))
}

/** Sends a request to a server over TLS, on a separate connection. */
function askTls (app: FastifyInstance, own: object): Promise<{ body: string; cacheControl: unknown }> {
  const { port } = app.server.address() as AddressInfo
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', rejectUnauthorized: false, agent: false, ...own }, (response) => {
      let body = ''
      response.on('data', (chunk) => { body += String(chunk) }).on('end', () => { resolve({ body, cacheControl: response.headers['cache-control'] }) })
    }).on('error', reject).end()
  })
}

t.test('a client certificate: its owner is given nothing that is stored, and nothing of it is stored', async (t) => {
  const read = certificates(t)
  const app = Fastify({ https: { key: read('server.key'), cert: read('server.crt'), requestCert: true, rejectUnauthorized: false } })
  t.teardown(() => app.close())
  await app.register(cacheCore, { implementation: 'memory' })
  await app.register(cacheEdge, { rules: [{ prefix: '/', store: true }] })
  app.get('/', async ({ raw }) => `for ${(raw.socket as never as { getPeerCertificate (): { subject?: { CN?: string } } }).getPeerCertificate().subject?.CN ?? 'all'}`)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const certificate = { key: read('client.key'), cert: read('client.crt') }
  t.equal((await askTls(app as never, {})).body, 'for all')
  t.same(await askTls(app as never, certificate), { body: 'for client', cacheControl: PRIVATE })
  t.equal((await askTls(app as never, {})).body, 'for all')
})

t.test('a client certificate: its owner is not answered early, others are, over TLS', async (t) => {
  const read = certificates(t)
  for (const server of [{ serverFactory: earlyServer() }, {}]) {
    const options = { ...server, https: { key: read('server.key'), cert: read('server.crt'), requestCert: true, rejectUnauthorized: false } }
    const app = Fastify(options as FastifyServerOptions) as unknown as FastifyInstance
    t.teardown(() => app.close())
    await app.register(cacheCore, { implementation: 'memory' })
    await app.register(cacheEdge, { rules: [{ prefix: '/', store: true, early: true }] })
    let runs = 0
    app.get('/', async () => `run ${++runs}`)
    await app.listen({ port: 0, host: '127.0.0.1' })
    for (let times = 0; times < 3; times++) t.equal((await askTls(app, {})).body, 'run 1')
    t.equal(app.cacheEdge.earlyAnswers, 2)
    t.same(await askTls(app, { key: read('client.key'), cert: read('client.crt') }), { body: 'run 2', cacheControl: PRIVATE })
    t.equal(app.cacheEdge.earlyAnswers, 2)
  }
})

t.test('a rule that covers no route: one warning names it', async (t) => {
  const lines: string[] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } } })
  t.teardown(() => app.close())
  await app.register(cacheEdge, { rules: [{ prefix: '/api' }, { prefix: '/ap1' }, { prefix: '/me' }, { prefix: '/off' }], personal: ['/me'] })
  app.get('/api/a', async () => 'x')
  app.get('/me/a', async () => 'x')
  app.get('/off/a', { config: { cache: false } }, async () => 'x')
  await app.ready()
  t.same(lines.map((line) => (JSON.parse(line) as { prefix: string }).prefix), ['/ap1'])
})

t.test('a prefix of personal paths that covers no route: one warning names it', async (t) => {
  const lines: string[] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } } })
  t.teardown(() => app.close())
  await app.register(cacheCore, { personal: ['/core', '/cor3'] })
  await app.register(cacheEdge, { personal: ['/api/user', '/api/usr', '/API/%75ser/me', '/:id', '/any/where', '/files/mine/', '/shop/7/cart', '/api/user/a/b', '/cor3'] })
  for (const url of ['/api/user', '/core/a', '/any/*', '/files/:name', '/shop/:id(^\\d+)/cart', '/api/user/me']) app.get(url, async () => 'x')
  await app.ready()
  const named = lines.map((line) => JSON.parse(line) as { prefix: string; msg: string })
  t.same(named.map(({ prefix }) => prefix), ['/api/usr', '/:id', '/api/user/a/b', '/cor3'])
  t.match(named[0]!.msg, /of option personal covers no route/)
})

t.test('a policy of a route that applies to none of its methods: one warning names the route', async (t) => {
  const lines: string[] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } } })
  t.teardown(() => app.close())
  await app.register(cacheEdge, { rules: [{ prefix: '/a', maxAge: 60 }] })
  app.post('/a', async () => 'x')
  app.post('/b', { config: { cache: { maxAge: 60 } } }, async () => 'x')
  app.put('/b', { config: { cache: { maxAge: 60, currentTag: () => '1' } } }, async () => 'x')
  app.delete('/b', { config: { cache: false } }, async () => 'x')
  app.route({ method: ['GET', 'POST'], url: '/c', config: { cache: { maxAge: 60 } }, handler: async () => 'x' })
  await app.ready()
  const named = lines.map((line) => JSON.parse(line) as { route: string; msg: string })
  t.same(named.map(({ route }) => route), ['POST /b'])
  t.match(named[0]!.msg, /has no effect, since policies apply to GET, HEAD and QUERY/)
})
