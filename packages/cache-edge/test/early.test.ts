import { once } from 'node:events'
import { connect } from 'node:net'
import { cacheCore, CacheRegistry } from '@x/cache-core'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import t from 'tap'
import { cacheEdge, earlyServer } from '../src/index.js'
import { build, comparable, SEAMS, type Setup } from './fixtures/early-app.js'
import { Time, until } from './fixtures/edge-app.js'
import { Http2Client, isStored, portOf, send, type WireRequest } from './fixtures/two-clients.js'

for (const seam of ['server', 'hook'] as const) {
  t.test(`early, by ${seam}: a stored response and its 304 are those of the normal path, and no hook of the app runs`, async (t) => {
    const time = new Time(t)
    time.advance(0)
    const setup = { policy: { tags: ['a', 'b'], vary: ['Accept-Language'], cdnMaxAge: 90 } }
    const [one, other] = [await build(t, { ...setup, seam }), await build(t, { ...setup, early: false })]
    const etag = (await send(one.app, {})).fields.etag!
    await send(other.app, {})
    const before = { ...one.hooks }
    const headers = ['Host: a.example', 'Accept-Encoding: gzip']
    const conditional = [[], [`If-None-Match: ${etag}`], [`If-None-Match: "x", ${etag}`], ['If-None-Match: *'], ['If-None-Match: "x"'], ['If-Modified-Since: Sun, 15 Jun 2025 12:00:00 GMT']]
    for (const own of conditional) {
      const request = { headers: [...headers, ...own] }
      t.same(comparable(await send(one.app, request)), comparable(await send(other.app, request)), own.join())
    }
    t.same(one.hooks, before)
    t.equal(one.early(), conditional.length)
    t.equal(one.runs(), 1)
  })

  t.test(`early, by ${seam}: Age and ttl follow the clock, and an expired response is left to the handler`, async (t) => {
    const time = new Time(t)
    const { app, early } = await build(t, { seam, core: { clock: time.clock }, policy: { maxAge: 10 } })
    await send(app, {})
    for (const [seconds, age] of [[0, 0], [3, 3], [6.5, 9]] as const) {
      time.advance(seconds)
      t.match((await send(app, {})).fields, { age: String(age), 'cache-status': `fastify; hit; ttl=${seconds === 6.5 ? 0 : 10 - age}` })
    }
    t.equal(early(), 3)
    time.advance(0.5)
    t.match((await send(app, {})).body, /"run":2/)
    t.equal(early(), 3)
    t.match((await send(app, {})).body, /"run":2/)
    t.equal(early(), 4)
  })

  t.test(`early, by ${seam}: what removes a stored response ends its early answers at once`, async (t) => {
    const { app, early, runs } = await build(t, { seam, policy: { tags: ['page'] } })
    const removals: Record<string, () => Promise<unknown>> = {
      tag: () => app.cache.tags.invalidate('page'),
      'soft tag': () => app.cache.tags.invalidate('page', { soft: true }),
      clear: () => app.cache.clear(),
      write: async () => { await fetch(`http://127.0.0.1:${await portOf(app)}/`, { method: 'PUT', headers: { host: 'a.example' } }) }
    }
    const { port } = new URL(`http://127.0.0.1:${await portOf(app)}`)
    const headers = [`Host: 127.0.0.1:${port}`]
    for (const [name, remove] of Object.entries(removals)) {
      await send(app, { headers })
      await send(app, { headers })
      const [answered, run] = [early(), runs()]
      await send(app, { headers })
      t.equal(early(), answered + 1, name)
      await remove()
      const after = await send(app, { headers })
      t.notMatch(after.fields['cache-status'], /hit/, name)
      t.equal(early(), answered + 1, name)
      t.ok(runs() > run, name)
    }
  })

  t.test(`early, by ${seam}: what is no sure hit is answered as without early answers`, async (t) => {
    const setup: Setup = {
      edge: { personal: ['/me'], credentialHeaders: ['X-Login'], ignoreCookies: ['theme'], hosts: ['a.example'] }, policy: { query: ['a'], vary: ['X-Kind'] }
    }
    const [one, other] = [await build(t, { ...setup, seam }), await build(t, { ...setup, early: false })]
    const HOST = 'Host: a.example'
    const requests: Record<string, WireRequest> = {
      Authorization: { headers: [HOST, 'Authorization: Bearer x'] },
      'an empty Authorization': { headers: [HOST, 'Authorization:'] },
      Cookie: { headers: [HOST, 'Cookie: sid=1'] },
      'an ignored cookie and another': { headers: [HOST, 'Cookie: theme=1; sid=1'] },
      'X-API-Key': { headers: [HOST, 'x-api-key: 1'] },
      'a header of credentialHeaders': { headers: [HOST, 'X-LOGIN: 1'] },
      'a certificate of a proxy': { headers: [HOST, 'Client-Cert: :x:'] },
      'a personal path': { target: '/me/1' },
      'a personal path, encoded': { target: '/%6de/1' },
      'another host': { headers: ['Host: b.example'] },
      'a host with a port': { headers: ['Host: a.example:80'] },
      'no host': { headers: [], version: '1.0' },
      'two hosts': { headers: ['Host: b.example', HOST] },
      'a whole URL': { target: 'http://a.example/' },
      'a fragment': { target: '/#a' },
      'another parameter': { target: '/?b=1' },
      Range: { headers: [HOST, 'Range: bytes=0-3'] },
      Upgrade: { headers: [HOST, 'Upgrade: websocket'] },
      'no-store': { headers: [HOST, 'Cache-Control: no-store'] },
      'If-Match': { headers: [HOST, 'If-Match: "other"'] },
      'a body': { headers: [HOST, 'Content-Length: 1'] },
      'another variant': { headers: [HOST, 'X-Kind: other'] },
      'two lines of a vary header': { headers: [HOST, 'X-Kind: a', 'X-Kind: b'] }
    }
    const answered = new Set(['a personal path', 'a personal path, encoded', 'another parameter', 'a fragment', 'a whole URL'])
    for (const [name, request] of Object.entries(requests)) {
      for (const { app } of [one, other]) for (let times = 0; times < 2; times++) await send(app, { target: request.target?.replace('http://a.example', '') ?? '/', headers: [HOST] })
      const before = one.early()
      const [got, expected] = [await send(one.app, request), await send(other.app, request)]
      t.equal(got.status, expected.status, name)
      t.equal(got.fields['cache-status']?.replace(/ttl=\d+/, ''), expected.fields['cache-status']?.replace(/ttl=\d+/, ''), name)
      t.equal(got.fields['cache-control'], expected.fields['cache-control'], name)
      t.equal(one.early(), before, name)
      t.ok(answered.has(name) || before > 0, name)
    }
    const before = one.early()
    t.match((await send(one.app, { headers: [HOST, 'Cookie: theme=1', 'Cache-Control: no-cache, only-if-cached'] })).fields, { 'cache-status': /hit/ })
    t.equal(one.early(), before + 1, 'no-cache and only-if-cached of a fresh response')
  })

  t.test(`early, by ${seam}: HEAD has the fields of the GET and no body`, async (t) => {
    const { app, early } = await build(t, { seam })
    const ask = async (method: string): Promise<string> => {
      const socket = connect(await portOf(app), '127.0.0.1')
      socket.write(`${method} / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n`)
      return (await socket.setEncoding('latin1').toArray()).join('').replace(/^date:.*\r\n/im, '').replace(/ttl=\d+/, '')
    }
    for (let times = 0; times < 3; times++) await ask('GET')
    for (let times = 0; times < 2; times++) await ask('HEAD')
    const before = early()
    const [got, expected] = [await ask('HEAD'), await ask('GET')]
    t.equal(early(), before + 2)
    t.equal(got.endsWith('\r\n\r\n'), true)
    t.equal(got, expected.slice(0, expected.indexOf('\r\n\r\n') + 4))
  })

  t.test(`early, by ${seam}: pipelined requests are answered in their order, early or not, on one connection`, async (t) => {
    const { app, early } = await build(t, { seam })
    for (const target of ['/a', '/a', '/b', '/b']) await send(app, { target })
    const before = early()
    const socket = connect(await portOf(app), '127.0.0.1')
    const targets = ['/new1', '/a', '/a', '/new2', '/b', '/new3']
    const lines = (target: string, last: boolean): string => `GET ${target} HTTP/1.1\r\nHost: a.example\r\n${last ? 'Connection: close\r\n' : ''}\r\n`
    socket.write(targets.map((target, at) => lines(target, at === targets.length - 1)).join(''))
    const text = (await socket.setEncoding('latin1').toArray()).join('')
    t.same([...text.matchAll(/"url":"([^"]*)"/g)].map(([, url]) => url), targets)
    t.equal(early(), before + 3)
  })

  t.test(`early, by ${seam}: clients that vanish harm nobody`, async (t) => {
    const { app, early } = await build(t, { seam })
    for (let times = 0; times < 3; times++) await send(app, {})
    const before = early()
    const port = await portOf(app)
    for (let times = 0; times < 20; times++) {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      await once(socket, 'connect')
      socket.write('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n'.repeat(5))
      if (times % 2 === 0) socket.destroy()
      else socket.resetAndDestroy()
    }
    t.equal((await send(app, {})).status, 200)
    t.ok(early() > before)
  })

  t.test(`early, by ${seam}: over HTTP/2`, async (t) => {
    const { app, early } = await build(t, { seam, server: { http2: true } as FastifyServerOptions })
    const client = await Http2Client.to(t, app)
    const normal = [await client.ask({ ':path': '/' }), await client.ask({ ':path': '/', ':method': 'HEAD' })]
    await client.ask({ ':path': '/', ':method': 'HEAD' })
    const before = early()
    const full = await client.ask({ ':path': '/' })
    t.match(full, { status: 200, body: normal[0]!.body, fields: { etag: normal[0]!.fields.etag, 'cache-status': /hit; ttl/ } })
    t.match(await client.ask({ ':path': '/', 'if-none-match': full.fields.etag }), { status: 304, body: '' })
    t.match(await client.ask({ ':path': '/', ':method': 'HEAD' }), { status: 200, body: '', fields: { 'content-length': full.fields['content-length'] } })
    t.equal(early(), before + 3)
    t.notMatch((await client.ask({ ':path': '/' }, 'body')).fields['cache-status'], /hit/, 'a body without a header')
    t.notMatch((await client.ask({ ':path': '/', host: 'b.example' })).fields['cache-status'], /hit/, 'two authorities')
    t.equal(early(), before + 3)
  })

  t.test(`early, by ${seam}: with trustProxy the forwarded host selects the response, from trusted peers alone`, async (t) => {
    for (const [trustProxy, isTrusted] of [['127.0.0.1', true], ['10.0.0.1', false]] as const) {
      const { app, early } = await build(t, { seam, server: { trustProxy } })
      const from = (host: string) => send(app, { headers: ['Host: inner', `X-Forwarded-Host: ${host}`, 'X-Forwarded-Proto: https'] })
      const first = await from('a.example')
      const other = await from('b.example')
      t.equal(first.body === other.body, !isTrusted)
      const before = early()
      t.same([(await from('a.example')).body, (await from('b.example')).body], [first.body, other.body])
      t.equal(early(), before + 2)
      t.equal(isStored(await send(app, { headers: ['Host: inner'] })), !isTrusted)
    }
  })

  t.test(`early, by ${seam}: a request that rewriteUrl may have led elsewhere is left to the route, and this is logged once`, async (t) => {
    const lines: string[] = []
    const { app, early } = await build(t, { seam, server: { rewriteUrl: ({ url }) => url!, logger: { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } } } as FastifyServerOptions })
    for (let times = 0; times < 4; times++) await send(app, {})
    t.equal(early(), 0)
    t.equal(lines.filter((line) => line.includes('rewriteUrl')).length, 1)
  })

  t.test(`early, by ${seam}: below 100 % of the rollout, and with a hold-out, no request is answered early`, async (t) => {
    for (const rollout of [{ percent: 99 }, { holdOut: 1 }, { allow: ['other'] }, { percent: 0 }]) {
      const { app, early } = await build(t, { seam, core: { rollout } })
      for (let times = 0; times < 4; times++) await send(app, {})
      t.equal(early(), 0)
    }
  })

  t.test(`early, by ${seam}: routes of one URL that a header chooses are not confused`, async (t) => {
    const app = Fastify(SEAMS[seam]()) as unknown as FastifyInstance
    t.teardown(() => app.close())
    await app.register(cacheCore, { implementation: 'memory' })
    await app.register(cacheEdge, { rules: [{ prefix: '/', store: true, early: true }] })
    app.get('/', async () => 'plain')
    app.get('/other', async () => 'other')
    app.get('/', { constraints: { version: '1.0.0' } }, async () => 'one')
    app.get('/', { constraints: { host: 'b.example' } }, async () => 'host')
    const ask = async (...headers: string[]): Promise<string> => (await send(app, { headers })).body
    for (let times = 0; times < 3; times++) {
      t.equal(await ask('Host: a.example'), 'plain')
      t.equal(await ask('Host: a.example', 'Accept-Version: 1.x'), 'one')
      t.equal(await ask('Host: b.example'), 'host')
      t.match(await ask('Host: a.example', 'Accept-Version: 3.x'), /404/)
      t.equal(await ask('Host: a.example', 'Accept: x'), 'plain')
      t.match((await send(app, { target: '/other', headers: ['Host: a.example', 'Accept-Version: 1.x'] })).body, /404/, 'a URL without a version')
      t.equal((await send(app, { target: '/other', headers: ['Host: a.example'] })).body, 'other')
    }
    t.equal(app.cacheEdge.earlyAnswers, 11)
  })

  t.test(`early, by ${seam}: a hook that changes the URL or a vary header teaches nothing`, async (t) => {
    const app = Fastify(SEAMS[seam]()) as unknown as FastifyInstance
    t.teardown(() => app.close())
    await app.register(cacheCore, { implementation: 'memory' })
    await app.register(cacheEdge, { rules: [{ prefix: '/', store: true, early: true, vary: ['X-Country'] }] })
    app.addHook('onRequest', async ({ raw }) => {
      raw.headers['x-country'] = 'XY'
      if (raw.url === '/a') raw.url = '/b'
    })
    app.get('/*', async ({ url }) => url)
    for (let times = 0; times < 3; times++) for (const target of ['/a', '/c']) await send(app, { target })
    t.equal(app.cacheEdge.earlyAnswers, 0)
  })

  t.test(`early, by ${seam}: labels, several lines of a field and a body in bytes`, async (t) => {
    const app = Fastify(SEAMS[seam]()) as unknown as FastifyInstance
    t.teardown(() => app.close())
    await app.register(cacheCore, { implementation: 'memory' })
    await app.register(cacheEdge, { rules: [{ prefix: '/', store: true, early: true, statuses: [404, 204] }] })
    const bytes = Buffer.from([0, 255, 128, 10])
    app.get('/bytes', async (_request, reply) => reply.header('link', ['</a>', '</b>']).send(bytes))
    app.get('/gone', async (_request, reply) => reply.code(404).send('gone'))
    app.get('/none', async (_request, reply) => reply.code(204).send())
    app.get('/label', { onRequest: async (_request, reply) => { reply.type('text/csv') } }, async () => 'a,b')
    const fetched = async (path: string): Promise<[number, Record<string, string>, Buffer]> => {
      const response = await fetch(`http://127.0.0.1:${await portOf(app)}${path}`)
      const { date, connection, 'keep-alive': _, 'cache-status': status, 'accept-ranges': ranges, ...headers } = Object.fromEntries(response.headers)
      return [response.status, headers, Buffer.from(await response.arrayBuffer())]
    }
    for (const [path, isEarly] of [['/bytes', true], ['/gone', true], ['/none', true], ['/label', false]] as const) {
      const [status, { age: _, ...headers }, body] = await fetched(path)
      const before = app.cacheEdge.earlyAnswers
      t.same(await fetched(path), [status, { ...headers, age: '0' }, body], path)
      t.equal(app.cacheEdge.earlyAnswers, before + Number(isEarly), path)
    }
  })

  t.test(`early, by ${seam}: counted as a hit of the store, as a candidate and as a match, once`, async (t) => {
    const { app } = await build(t, { seam })
    const { registry } = app.cache as unknown as { registry: CacheRegistry }
    const seen: Record<string, number> = {}
    for (const event of ['edgeCandidate', 'etagMatch', 'read'] as const) registry.events.on(event, () => { seen[event] = (seen[event] ?? 0) + 1 })
    const { fields } = await send(app, {})
    t.same(seen, { edgeCandidate: 1, read: 1 })
    await send(app, {})
    t.same(seen, { edgeCandidate: 2, read: 2 })
    await send(app, { headers: ['Host: a.example', `If-None-Match: ${fields.etag!}`] })
    t.same(seen, { edgeCandidate: 3, read: 3, etagMatch: 1 })
    await send(app, { headers: ['Host: a.example', 'If-Match: "no"'] })
    t.same(seen, { edgeCandidate: 4, read: 4, etagMatch: 1 }, 'one that is left to the route is counted once')
  })

  t.test(`early, by ${seam}: while the app closes, requests get the 503 of Fastify`, async (t) => {
    const { app, early } = await build(t, { seam })
    for (let times = 0; times < 3; times++) await send(app, {})
    const before = early()
    const socket = connect(await portOf(app), '127.0.0.1').setEncoding('latin1')
    let text = ''
    socket.on('data', (chunk: string) => { text += chunk })
    socket.write('GET / HTTP/1.1\r\nHost: a.example\r\n\r\nGET /')
    await until(() => text.includes('hit'))
    t.equal(early(), before + 1)
    const closing = app.close()
    await until(() => !app.server.listening)
    socket.write(' HTTP/1.1\r\nHost: a.example\r\n\r\n')
    await once(socket, 'close')
    await closing
    t.match(text, / 503 /)
    t.equal(early(), before + 1)
  })
}

t.test('early: two apps of one process, with one factory, answer for themselves', async (t) => {
  const serverFactory = earlyServer()
  const apps = await Promise.all(['one', 'two'].map(async (name) => {
    const app = Fastify({ serverFactory }) as unknown as FastifyInstance
    t.teardown(() => app.close())
    await app.register(cacheCore, { implementation: 'memory' })
    await app.register(cacheEdge, { rules: [{ prefix: '/', store: true, early: true }] })
    app.get('/', async () => name)
    return app
  }))
  for (let times = 0; times < 3; times++) for (const [at, app] of apps.entries()) t.equal((await send(app, {})).body, ['one', 'two'][at])
  for (const app of apps) t.equal(app.cacheEdge.earlyAnswers, 2)
})

t.test('early: each form of https and http2 makes the server that Fastify makes without a serverFactory', async (t) => {
  for (const https of [undefined, null, false, true]) {
    for (const http2 of [undefined, false, true]) {
      const kindOf = (options: object): object => {
        const given = { ...https !== undefined && { https }, ...http2 !== undefined && { http2 }, ...options }
        const app = Fastify(given as object) as unknown as FastifyInstance
        t.teardown(() => app.close())
        return Object.getPrototypeOf(app.server) as object
      }
      // With http2, Fastify alone refuses `https: null`, which is no TLS in HTTP/1.
      const own = http2 === true && https === null ? { https: false } : {}
      const made = kindOf({ serverFactory: earlyServer() })
      const expected = kindOf(own)
      t.ok(http2 === true ? made.constructor.name === expected.constructor.name : made === expected, `https ${https}, http2 ${http2}`)
    }
  }
})

t.test('early: off by default, and for routes without it', async (t) => {
  const { app, early } = await build(t, { early: false })
  for (let times = 0; times < 4; times++) await send(app, {})
  t.equal(early(), 0)
})

t.test('early: refused beside a schema of headers', async (t) => {
  const app = Fastify() as unknown as FastifyInstance
  t.teardown(() => app.close())
  await app.register(cacheCore, { implementation: 'memory' })
  await app.register(cacheEdge, { rules: [{ prefix: '/', store: true, early: true }] })
  const declare = (own: object): void => { app.get('/x', { schema: { headers: { type: 'object' } }, ...own }, async () => 'x') }
  t.throws(() => declare({}), { code: 'CACHE_ERR_POLICY_INVALID', message: /GET \/x.*schema\.headers/ })
  t.doesNotThrow(() => declare({ config: { cache: { early: false } } }))
})
