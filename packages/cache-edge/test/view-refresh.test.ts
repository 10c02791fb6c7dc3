import type { FastifyInstance, FastifyRequest, RouteShorthandOptions } from 'fastify'
import { request as httpRequest } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { EdgePolicy } from '../src/index.js'
import { buildEdge, Time, until, type EdgeSetup } from './fixtures/edge-app.js'
import { portOf } from './fixtures/two-clients.js'

const STALE: EdgePolicy = { store: true, maxAge: 10, staleWhileRevalidate: 600 }

async function settle (): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await nextTurn()
}

interface Heard {
  readonly ip: string;
  readonly ips: string[] | undefined;
  readonly host: string;
  readonly protocol: string;
  readonly url: string;
  readonly names: string[]
}

interface Scene {
  app: FastifyInstance
  time: Time
  heard: Heard[]
  lines: Array<Record<string, any>>
  get: (headers?: Record<string, string>, from?: string, path?: string) => Promise<{ body: string; status: string }>
}

/** Builds an app to which several addresses of this machine send requests, and records the requests that its first hook sees. */
async function scene (t: Test, setup: EdgeSetup, declare: (app: FastifyInstance) => void): Promise<Scene> {
  const time = new Time(t)
  const app = await buildEdge(t, { time, ...setup })
  const heard: Heard[] = []
  const lines: Array<Record<string, any>> = []
  app.addHook('onRequest', async (request) => {
    Object.assign(request.log, { warn: (fields: object, message: string) => { lines.push({ ...fields, message }) } })
    const { ip, ips, host, protocol, url, headers } = request
    heard.push({ ip, ips, host, protocol, url, names: Object.keys(headers).sort() })
  })
  declare(app)
  const get: Scene['get'] = async (headers = {}, from = '127.0.0.2', path = '/') => {
    const port = await portOf(app)
    return new Promise((resolve, reject) => {
      httpRequest({ host: '127.0.0.1', port, path, localAddress: from, headers: { host: 'a.example', ...headers }, agent: false }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text: string) => { body += text })
        response.on('end', () => resolve({ body, status: String(response.headers['cache-status']) }))
      }).on('error', reject).end()
    })
  }
  return { app, time, heard, lines, get }
}

/** Stores a response, lets it become stale, and requests it again, so that it is served stale and refreshed. */
async function refresh ({ time, get, heard }: Scene, headers?: Record<string, string>, from?: string): Promise<void> {
  await get(headers, from)
  time.advance(11)
  await get(headers, from)
  await until(() => heard.length === 3)
  await settle()
}

t.test('a page that shows more to the app\'s own machine is not stored from there by a background refresh', async (t) => {
  const own = await scene(t, {}, (app) => {
    app.decorateRequest('isInside', false)
    app.addHook('onRequest', async (request) => { Object.assign(request, { isInside: request.ip === '127.0.0.1' }) })
    app.get('/', { config: { cache: STALE } }, async (request) => (request as FastifyRequest & { isInside?: boolean }).isInside === true ? 'secret' : 'public')
  })
  await refresh(own)
  t.equal(own.heard[2]!.ip, '127.0.0.2')
  t.match(await own.get(), { body: 'public', status: /hit; ttl=10/ })
})

t.test('a background refresh has the address, the host, the protocol and the target of the request of the client', async (t) => {
  for (const [trustProxy, headers] of [
    [false, { host: 'B.example' }],
    [true, { host: 'proxy.inner', 'x-forwarded-host': 'evil.example, c.example', 'x-forwarded-proto': 'https', 'x-forwarded-for': '10.1.1.1, 10.2.2.2' }],
    ['127.0.0.2', { host: 'proxy.inner', 'x-forwarded-host': 'c.example', 'x-forwarded-proto': 'https', 'x-forwarded-for': '10.1.1.1, 10.2.2.2' }],
    ['127.0.0.9', { host: 'proxy.inner', 'x-forwarded-host': 'c.example', 'x-forwarded-proto': 'https', 'x-forwarded-for': '10.1.1.1' }],
    ['127.0.0.2', { host: 'proxy.inner' }]
  ] as Array<[boolean | string, Record<string, string>]>) {
    const own = await scene(t, { server: { trustProxy } }, (app) => { app.get('/', { config: { cache: STALE } }, async (request) => `${request.protocol}://${request.host}`) })
    await refresh(own, headers)
    const [first, , renewed] = own.heard
    t.same({ ...renewed, names: [] }, { ...first, names: [] }, `trustProxy ${String(trustProxy)}`)
    t.notOk(renewed!.names.includes('x-cache-edge-refresh'))
    t.match(await own.get(headers), { status: /hit; ttl=10/ })
    t.same(own.lines, [])
  }
})

t.test('a hook that redirects plain HTTP lets the background refresh of a proxied HTTPS request pass', async (t) => {
  const own = await scene(t, { server: { trustProxy: true } }, (app) => {
    app.addHook('onRequest', async (request, reply) => request.protocol === 'https' ? undefined : reply.redirect('https://a.example/'))
    app.get('/', { config: { cache: STALE } }, async () => 'x')
  })
  await refresh(own, { 'x-forwarded-proto': 'https' })
  t.match(await own.get({ 'x-forwarded-proto': 'https' }), { status: /hit; ttl=10/ })
})

t.test('a background refresh goes through a schema that takes all unknown headers away', async (t) => {
  const schema = { headers: { type: 'object', properties: { 'accept-language': { type: 'string' } }, additionalProperties: false } }
  const own = await scene(t, {}, (app) => { app.get('/', { schema, config: { cache: { ...STALE, vary: ['accept-language'] } } }, async (request) => String(request.headers['accept-language'])) })
  await refresh(own, { 'accept-language': 'de' })
  t.match(await own.get({ 'accept-language': 'de' }), { body: 'de', status: /hit; ttl=10/ })
  t.same(own.lines, [])
})

const others: Record<string, {
  setup?: EdgeSetup; declare?: (app: FastifyInstance) => void; options?: RouteShorthandOptions; headers?: Record<string, string>
}> = {
  'rewriteUrl by a header that is in no key': {
    setup: { server: { rewriteUrl: ({ url = '/', headers }) => headers['x-beta'] === undefined ? url : `${url}?beta` } },
    headers: { 'x-beta': '1' }
  },
  'a hook that knows its user by the lack of a header': {
    declare: (app) => { app.addHook('onRequest', async (request) => { if (request.headers['x-client'] === undefined) Object.assign(request, { user: { id: 1 } }) }) },
    headers: { 'x-client': '1' }
  },
  'a hook that sets a header of vary': {
    declare: (app) => { app.addHook('onRequest', async ({ headers }) => { headers['x-device'] = headers['x-phone'] === undefined ? 'desk' : 'phone' }) },
    options: { config: { cache: { vary: ['x-device'] } } },
    headers: { 'x-phone': '1' }
  }
}
for (const [what, { setup = {}, declare = () => {}, options = {}, headers = {} }] of Object.entries(others)) {
  t.test(`a background refresh that arrives as another request stores nothing, is told once, and the next client waits: ${what}`, async (t) => {
    let runs = 0
    const own = await scene(t, setup, (app) => {
      declare(app)
      app.get('/', { ...options, config: { cache: { ...STALE, ...options.config?.cache } } } as RouteShorthandOptions, async (request) => `${request.url} ${String(request.headers['x-device'])} ${++runs}`)
    })
    await refresh(own, headers)
    t.equal(runs, 1, 'it does not run the handler')
    t.match(await own.get(headers), { body: / 2$/, status: /fwd=stale/ })
    t.match(await own.get(headers), { body: / 2$/, status: /hit/ })
    own.time.advance(11)
    await own.get(headers)
    await settle()
    t.match(own.lines.filter(({ message }) => /another request/.test(message)), [{ route: '/' }])
    t.notMatch((await own.get({})).body, / 2$/)
  })
}

t.test('the address of a client that reads its own is not stored, neither by itself nor by a background refresh', async (t) => {
  const own = await scene(t, {}, (app) => { app.get('/', { config: { cache: STALE } }, async (request) => request.ip) })
  for (const from of ['127.0.0.2', '127.0.0.3', '127.0.0.2']) t.match(await own.get({}, from), { body: from, status: /fwd=uri-miss/ })
  t.match(own.lines, [{ route: '/', part: 'request.ip', message: /sameForAll/ }])
  t.equal(own.lines.length, 1)
})

t.test('a background refresh whose handler destroys its response is logged and retried, and the stale response remains', async (t) => {
  let runs = 0
  const own = await scene(t, {}, (app) => {
    app.get('/', { config: { cache: STALE } }, (_request, reply) => {
      if (++runs === 2) reply.raw.destroy(new Error('broken'))
      else reply.send(`run ${runs}`)
    })
  })
  await refresh(own)
  t.match(await own.get(), { body: 'run 1', status: /hit/ })
  t.match(own.lines, [{ err: { message: 'broken' }, message: /background refresh failed/ }])
  own.time.advance(2)
  await own.get()
  await until(() => runs === 3)
  await settle()
  t.match(await own.get(), { body: 'run 3', status: /hit; ttl=10/ })
})

t.test('a HEAD that is answered with a stale response refreshes it by a GET', async (t) => {
  let runs = 0
  const own = await scene(t, {}, (app) => { app.get('/', { config: { cache: STALE } }, async () => `run ${++runs}`) })
  await own.get()
  own.time.advance(11)
  await own.app.inject({ method: 'HEAD', url: '/', headers: { host: 'a.example' } })
  await until(() => runs === 2)
  await settle()
  t.match(await own.get(), { body: 'run 2', status: /hit/ })
  t.same(own.lines, [])
})

t.test('a background refresh of a stream, of a large body and of an object is stored whole', async (t) => {
  const { Readable } = await import('node:stream')
  for (const make of [() => Readable.from(['a', 'b'.repeat(300_000)]), () => 'a'.repeat(300_000), () => ({ text: 'a'.repeat(300_000) }), () => Buffer.alloc(300_000, 'a')]) {
    const own = await scene(t, {}, (app) => { app.get('/', { config: { cache: STALE } }, async () => make()) })
    const whole = await own.get()
    own.time.advance(11)
    await own.get()
    await until(() => own.heard.length === 3)
    let now = await own.get()
    for (let turns = 0; turns < 200 && !/ttl=10/.test(now.status); turns++) now = await own.get()
    t.match(now, { status: /hit; ttl=10/ })
    t.equal(now.body, whole.body)
  }
})
