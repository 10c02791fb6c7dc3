import type { FastifyInstance, FastifyRequest, FastifySchemaCompiler } from 'fastify'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import type { EdgePolicy } from '../src/index.js'
import { early } from './fixtures/early.js'
import { ask, buildEdge, Time, until, type EdgeSetup } from './fixtures/edge-app.js'
import { isHit } from './fixtures/page.js'
import { STEERING } from './fixtures/steering-headers.js'
import { tellAll } from './fixtures/tell-all.js'
import { isStored, send } from './fixtures/two-clients.js'

const STORES = [true, 'by-response'] as const
const TRACING = ['x-request-id', 'traceparent', 'tracestate', 'x-correlation-id', 'x-b3-traceid', 'x-amzn-trace-id', 'x-cloud-trace-context', 'baggage']
const MORE = ['x_forwarded_host', 'x-original-uri', 'x-envoy-original-path', 'x-real-ip', 'x-client-ip', 'cf-connecting-ip', 'true-client-ip', 'x-amz-website-redirect-location', 'x-now-route-matches',
  'x-middleware-subrequest', 'x-nextjs-data', 'rsc', 'next-router-state-tree', 'x-requested-with', 'x-wap-profile', 'x-arbitrary', 'proxy-authorization', 'x-forwarded-for', 'x-forwarded-host_', 'transformurl',
  'x-ms-original-url', 'content-type', 'x-http-destinationurl', 'destination', 'depth', 'x-cache-edge-refresh']

interface Setup extends EdgeSetup {
  cache?: EdgePolicy; schema?: object; compiler?: FastifySchemaCompiler<any>; declare?: (app: FastifyInstance) => void; lines?: object[]
}

async function build (
  t: Test, { cache = {}, schema, compiler, declare, lines = [], ...setup }: Setup, tell: (request: FastifyRequest) => unknown
): Promise<FastifyInstance> {
  const app = await buildEdge(t, setup)
  app.addHook('onRequest', async ({ log }) => { Object.assign(log, { warn: (fields: object, message: string) => { lines.push({ ...fields, message }) } }) })
  declare?.(app)
  app.get('/*', { ...schema !== undefined && { schema }, ...compiler !== undefined && { validatorCompiler: compiler }, config: { cache: { store: true, ...cache } } },
    async (request, reply) => reply.header('cache-control', 'max-age=60').send(await tell(request)))
  return app
}

for (const store of STORES) {
  t.test(`no header that is not in the key is seen in any place: store ${String(store)}`, async (t) => {
    const app = await build(t, { cache: { store, vary: ['x-tenant'] } }, tellAll)
    for (const [at, name] of [...STEERING, ...TRACING, ...MORE].entries()) {
      const { body, fields } = await send(app, { target: `/${at}`, headers: ['Host: a.example', `${name}: evil`, 'X-Tenant: acme', `${name.toUpperCase()}: evil`] })
      // With a credential header the response is for this client alone, and the handler sees the whole request.
      if (name === 'proxy-authorization') continue
      t.notMatch(body, /evil/, name)
      t.match(JSON.parse(body), { headers: { 'x-tenant': 'acme' }, raw: { headersDistinct: { 'x-tenant': ['acme'] }, headers: { 'x-tenant': 'acme', host: 'a.example' } } })
      t.same(JSON.parse(body).raw.rawHeaders.sort(), ['a.example', 'acme', 'host', 'x-tenant'])
      t.match(fields['cache-status'], 'fastify; fwd=uri-miss')
    }
  })
}

t.test('by-response: the upstream gets the fields by which HTTP negotiates, and those of vary', async (t) => {
  const shown = ['accept', 'accept-language', 'accept-encoding', 'user-agent', 'origin', 'referer', 'sec-ch-ua-mobile', 'sec-fetch-mode', 'save-data', 'prefer', 'x-tenant']
  const app = await build(t, { cache: { store: 'by-response', vary: ['X-Tenant'] } }, (request) => Object.keys(request.headers).sort())
  const headers = Object.fromEntries([...shown, ...STEERING, 'sec-ch-ua-mobile_', 'sec-fetch-evil'].map((name) => [name, 'x']))
  t.same(JSON.parse((await ask(app, '/', headers)).body), [...shown, 'host'].sort())
})

t.test('by-response: a response that varies by a hidden header is not stored, and the log names it once', async (t) => {
  const lines: object[] = []
  const app = await buildEdge(t)
  app.addHook('onRequest', async ({ log }) => { Object.assign(log, { warn: (fields: object, message: string) => { lines.push({ ...fields, message }) } }) })
  app.get('/*', { config: { cache: { store: 'by-response', vary: ['x-tenant'] } } }, async (request, reply) => reply.headers({ 'cache-control': 'max-age=60', vary: request.url.slice(1) }).send('x'))
  for (const name of ['x-device', 'x-device, accept']) for (let turn = 0; turn < 2; turn++) t.notOk(isHit(await ask(app, `/${encodeURIComponent(name)}`.replace('%2C%20', ','), { 'x-device': 'phone' })), name)
  t.match(lines, [{ route: '/*', vary: ['x-device'], message: /name them in vary/ }])
  t.equal(lines.length, 1)
  for (const name of ['x-tenant', 'accept', 'host', 'user-agent', 'sec-ch-ua']) {
    await ask(app, `/${name}`)
    t.ok(isHit(await ask(app, `/${name}`)), name)
  }
})

t.test('hooks in front of the handler and behind it see the whole request, and so does the log', { skip: early.skip('hooks') }, async (t) => {
  const seen: unknown[] = []
  const app = await build(t, {
    declare: (app) => {
      const note = async (request: FastifyRequest): Promise<void> => { seen.push([request.headers['x-request-id'], request.id, request.raw.rawHeaders.includes('X-Request-Id'), request.raw.headersDistinct['x-request-id'], request.ip]) }
      app.addHook('preHandler', note)
      app.addHook('onSend', note)
      app.addHook('onResponse', note)
    },
    server: { requestIdHeader: 'x-request-id' }
  }, () => 'x')
  for (let turn = 0; turn < 2; turn++) {
    await send(app, { headers: ['Host: a.example', 'X-Request-Id: abc'] })
    for (let turns = 0; turns < 10; turns++) await nextTurn()
  }
  t.same(seen, Array(6).fill(['abc', 'abc', true, ['abc'], '127.0.0.1']))
})

/** A custom validator compiler whose validators return a value, like those of Zod, Joi or Yup. */
const returning: FastifySchemaCompiler<any> = () => (data) => ({ value: { ...data, 'x-added': data['x-forwarded-host'] ?? 'none' } })

for (const [what, compiler] of Object.entries<FastifySchemaCompiler<any> | undefined>({ 'that returns a value': returning, 'that only judges': () => () => true, 'of Fastify': undefined })) {
  t.test(`hidden headers do not come back by a validator of schema.headers ${what}`, async (t) => {
    const app = await build(t, { cache: { vary: ['x-tenant'] }, schema: { headers: { type: 'object', properties: { 'x-tenant': { type: 'string' } } } }, ...compiler !== undefined && { compiler } }, tellAll)
    const { body } = await ask(app, '/', { 'x-forwarded-host': 'evil', 'x-tenant': 'acme', cookie: '' })
    t.notMatch(body, /evil/)
    t.match(JSON.parse(body), { headers: { 'x-tenant': 'acme' } })
    t.ok(isHit(await ask(app, '/', { 'x-tenant': 'acme' })))
  })
}

t.test('a header of vary that a validator turns into a number or a boolean is in the key and seen by the handler', async (t) => {
  const schema = { headers: { type: 'object', properties: { 'x-count': { type: 'integer' }, 'x-flag': { type: 'boolean' } } } }
  const app = await build(t, { cache: { vary: ['x-count', 'x-flag'] }, schema }, ({ headers }) => JSON.stringify([headers['x-count'], headers['x-flag']]))
  for (const [count, flag] of [['1', 'true'], ['2', 'true'], ['2', 'false']] as const) {
    for (const turn of [1, 2]) {
      const answer = await ask(app, '/', { 'x-count': count, 'x-flag': flag })
      t.equal(answer.body, `[${count},${flag}]`)
      t.equal(isHit(answer), turn === 2)
    }
  }
})

t.test('cookies that a hook has parsed are hidden as the header is', async (t) => {
  const app = await build(t, {
    edge: { ignoreCookies: ['_ga'] },
    declare: (app) => {
      app.decorateRequest('cookies', null as never)
      app.addHook('onRequest', async (request) => { Object.assign(request, { cookies: Object.fromEntries(String(request.headers.cookie).split('; ').map((pair) => pair.split('='))) }) })
    }
  }, (request) => JSON.stringify((request as FastifyRequest & { cookies?: unknown }).cookies))
  t.equal((await ask(app, '/', { cookie: '_ga=evil' })).body, '{}')
  t.ok(isHit(await ask(app, '/')))
  t.equal((await ask(app, '/', { cookie: 'sid=1' })).body, '{"sid":"1"}', 'a handler that answers one client sees them')
})

const parts: Record<string, (request: FastifyRequest) => unknown> = {
  'request.id': ({ id }) => id,
  'request.ip': ({ ip }) => ip,
  'request.ips': ({ ips }) => String(ips),
  'request.socket.remoteAddress': ({ socket }) => String(socket.remoteAddress),
  'request.socket.remotePort': ({ raw }) => String((raw as unknown as { client: typeof raw.socket }).client.remotePort),
  'request.socket.localAddress': ({ socket }) => String(socket.localAddress),
  'request.socket.localPort': ({ socket }) => String(socket.localPort),
  'request.socket.address': ({ socket }) => JSON.stringify(socket.address()),
  // The server name is the one that the client sent in its TLS handshake, whatever its `Host` is.
  'request.socket.servername': ({ socket }) => String((socket as { servername?: string }).servername ?? 'none')
}
for (const [part, read] of Object.entries(parts)) {
  for (const store of STORES) {
    t.test(`a response whose handler has read ${part} is private and not stored, and the log says so once: store ${String(store)}`, async (t) => {
      const lines: object[] = []
      const app = await build(t, { cache: { store }, lines, server: { trustProxy: true } }, (request) => `${String(read(request))} ${request.host} ${request.protocol}`)
      for (let turn = 0; turn < 3; turn++) {
        const { body, fields } = await send(app, { headers: ['Host: a.example', 'X-Forwarded-For: 10.1.1.1', 'X-Forwarded-Proto: https'] })
        t.notOk(isStored({ body, fields, status: 200 }))
        t.notMatch(body, /^undefined/)
        if (part === 'request.ip') t.equal(body, '10.1.1.1 a.example https')
      }
      t.match(lines, [{ route: '/*', part, message: /sameForAll/ }])
      t.equal(lines.length, 1)
    })
  }

  t.test(`sameForAll: a handler that reads ${part} promises that it makes no difference`, async (t) => {
    const app = await build(t, { cache: { sameForAll: true }, server: { trustProxy: true } }, (request) => `${String(read(request))}`)
    const { body } = await send(app, { headers: ['Host: a.example', 'X-Forwarded-For: 10.1.1.1'] })
    t.notMatch(body, /^undefined/)
    t.ok(isStored(await send(app, {})))
  })
}

t.test('what is not read does no harm: host, protocol and the URL are in the key', async (t) => {
  const lines: object[] = []
  const app = await build(t, { lines, server: { trustProxy: true } }, (request) => [
    request.host, request.hostname, request.port, request.protocol, request.url, request.originalUrl, request.is404, request.method
  ].join())
  await send(app, {})
  t.ok(isStored(await send(app, {})))
  t.same(lines, [])
})

t.test('a rollout that chooses by the address does not make a response private: stored, bypassed, in a background refresh', async (t) => {
  const time = new Time(t)
  const asked: string[] = []
  const key = (request: FastifyRequest): string => {
    asked.push(`${request.ip} ${String(request.headers['x-tenant'])}`)
    return 'subject'
  }
  const app = await buildEdge(t, { time, core: { rollout: { percent: 99.99, key } } })
  let runs = 0
  app.get('/', { config: { cache: { store: true, maxAge: 10, staleWhileRevalidate: 60 } } }, async (request) => {
    await request.cache.getOrSet('a', () => 1)
    return `run ${++runs}`
  })
  const headers = { 'x-tenant': 'acme' }
  t.match(await ask(app, '/', headers), { body: 'run 1', headers: { 'cache-control': /public/ } })
  t.match(await ask(app, '/', { ...headers, 'cache-control': 'no-store' }), { body: 'run 2', headers: { 'cache-control': /public/ } })
  time.advance(11)
  t.match(await ask(app, '/', headers), { body: 'run 1' })
  await until(() => runs === 3)
  for (let turns = 0; turns < 50; turns++) await nextTurn()
  t.match(await ask(app, '/', headers), { body: 'run 3', cacheStatus: /hit; ttl=10/ })
  t.same(asked.filter((one) => one !== '127.0.0.1 acme'), ['127.0.0.1 undefined'], 'the background request has no such header')
})

t.test('without a Cache-Control of its own, such a response is private for the caches in front as well', async (t) => {
  const app = await buildEdge(t)
  app.get('/', { config: { cache: { store: true } } }, async (request) => request.ip)
  app.get('/range', { config: { cache: { store: true } } }, async (request) => request.id)
  t.equal((await ask(app, '/')).headers['cache-control'], 'private, no-cache')
  t.equal((await ask(app, '/range', { range: 'bytes=0-1' })).headers['cache-control'], 'private, no-cache')
})

const makers: Record<string, (app: FastifyInstance) => void> = {
  'a preSerialization hook': (app) => {
    app.addHook('preSerialization', async (request, _reply, payload) => ({ ...payload as object, id: request.id }))
    app.get('/', { config: { cache: { store: true } } }, async () => ({}))
  },
  'a stream': (app) => {
    app.get('/', { config: { cache: { store: true } } }, async (request) => Readable.from((async function * () { yield String(request.id) })()))
  },
  'a later turn of the handler': (app) => {
    app.get('/', { config: { cache: { store: true } } }, async (request) => {
      await nextTurn()
      return String(request.id)
    })
  }
}
for (const [what, declare] of Object.entries(makers)) {
  t.test(`the id of a request is read by ${what}: not stored`, async (t) => {
    const app = await buildEdge(t)
    declare(app)
    const [one, other] = [await ask(app, '/'), await ask(app, '/')]
    t.not(one.body, other.body)
    t.notOk(isHit(other))
  })
}

t.test('requests that wait for a handler that reads the address do not receive its response', async (t) => {
  const app = await build(t, {}, async (request) => {
    await new Promise((resolve) => { setTimeout(resolve, 20) })
    return String(request.id)
  })
  const bodies = (await Promise.all([1, 2, 3, 4].map(() => ask(app, '/')))).map(({ body }) => body)
  t.equal(new Set(bodies).size, 4)
})

t.test('an app may give a request another id, and the handler goes on with it', async (t) => {
  const app = await build(t, {}, (request) => {
    request.id = 'mine'
    return request.id
  })
  t.equal((await ask(app, '/')).body, 'mine')
})

t.test('sameForAll: credentials and the ids of tracing reach the handler', async (t) => {
  const app = await build(t, { cache: { sameForAll: true } }, ({ headers }) => Object.keys(headers).sort().join())
  t.equal((await ask(app, '/', { authorization: 'x', cookie: 'a=b', traceparent: 'x', 'x-request-id': 'y', 'x-forwarded-host': 'evil' })).body, 'authorization,cookie,host,traceparent,x-request-id')
})

t.test('a validator of the store: the handler sees it in place of the one that the client sent, also where a header schema returns a copy', async (t) => {
  const time = new Time(t)
  const app = await buildEdge(t, { time })
  const seen: unknown[] = []
  app.get('/', {
    schema: { headers: { type: 'object' } },
    validatorCompiler: () => (data: object) => ({ value: { ...data } }),
    config: { cache: { store: true, maxAge: 10 } }
  }, async ({ headers, raw }, reply) => {
    seen.push([headers['if-none-match'], raw.headers['if-none-match']])
    return reply.header('etag', '"v1"').send('page')
  })
  await ask(app, '/')
  time.advance(20)
  await ask(app, '/', { 'if-none-match': '"of-the-client"' })
  t.same(seen, [[undefined, undefined], ['"v1"', '"v1"']])
})

t.test('HTTP/1.0: the handler sees the version that the other clients of the response have', async (t) => {
  const app = await buildEdge(t)
  app.get('/', { config: { cache: { store: true } } }, async ({ raw }) => `${raw.httpVersion} ${raw.httpVersionMajor}.${raw.httpVersionMinor}`)
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  const socket = connect(Number(new URL(address).port), '127.0.0.1')
  socket.end('GET / HTTP/1.0\r\nHost: a.example\r\n\r\n')
  t.match((await socket.setEncoding('utf8').toArray()).join(''), /\r\n\r\n1\.1 1\.1$/)
})
