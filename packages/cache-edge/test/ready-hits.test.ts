import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { CacheEdgeOptions, EdgePolicy } from '../src/index.js'
import { ask, buildEdge, Time, type Answer } from './fixtures/edge-app.js'

const POLICIES: Record<string, EdgePolicy> = {
  plain: {},
  tagged: { tags: ['a', 'b'], cdnMaxAge: 5 },
  chosen: { vary: ['accept-language'] },
  absent: { statuses: [404] },
  upstream: { store: 'by-response' }
}

interface Setup { edge?: CacheEdgeOptions; prepare?: (app: FastifyInstance) => void }

async function buildApp (t: Test, { edge = { tagHeader: 'Surrogate-Key' }, prepare }: Setup = {}): Promise<FastifyInstance> {
  const app = await buildEdge(t, { edge, time: new Time(t) })
  prepare?.(app)
  for (const [name, policy] of Object.entries(POLICIES)) {
    app.get(`/${name}`, { config: { cache: { store: true, ...policy } } }, async (_request, reply) => {
      if (name === 'absent') reply.code(404)
      if (name === 'upstream') reply.headers({ 'cache-control': 'max-age=5', 'cdn-cache-control': 'max-age=9', vary: 'accept' })
      return { name }
    })
  }
  await app.ready()
  return app
}

/** Returns a hit on a route, and the response for a client with its entity tag. */
async function hitsOf (app: FastifyInstance, name: string): Promise<Answer[]> {
  await ask(app, `/${name}`)
  const hit = await ask(app, `/${name}`)
  return [hit, await ask(app, `/${name}`, { 'if-none-match': String(hit.headers.etag) })]
}

/** A hook that changes nothing. If it is present, the fields of a hit are written one by one. */
const withHook = (app: FastifyInstance): void => { app.addHook('onSend', async (_request, _reply, payload) => payload) }

t.test('a prepared hit: hit and 304 are those of a route with an onSend hook', async (t) => {
  for (const edge of [{ tagHeader: 'Surrogate-Key' }, { tagHeader: 'Cache-Tag', etag: { noCache: false } }, { tagHeader: false, etag: false }] as const) {
    const [ready, other] = [await buildApp(t, { edge }), await buildApp(t, { edge, prepare: withHook })]
    for (const name of Object.keys(POLICIES)) {
      const hits = await hitsOf(ready, name)
      t.match(hits[0]!.cacheStatus, /; hit; ttl=/)
      t.same(hits, await hitsOf(other, name), `${name} ${JSON.stringify(edge)}`)
    }
  }
})

t.test('a prepared hit: fields of hooks decide on its own and are joined with them', async (t) => {
  const given = [
    ['vary', 'origin'], ['cache-control', 'no-store'], ['set-cookie', 'a=b'], ['surrogate-key', 'own'], ['cdn-cache-control', 'max-age=1'],
    ['content-language', 'de'], ['content-encoding', 'identity'], ['x-frame-options', 'DENY']
  ] as const
  for (const [field, value] of given) {
    for (const isRaw of [false, true]) {
      const setField = (app: FastifyInstance): void => {
        app.addHook('preHandler', async (_request, reply) => { if (isRaw) reply.raw.setHeader(field, value); else reply.header(field, value) })
      }
      const ready = await buildApp(t, { prepare: setField })
      const other = await buildApp(t, { prepare: (app) => { setField(app); withHook(app) } })
      for (const name of ['tagged', 'chosen']) t.same(await hitsOf(ready, name), await hitsOf(other, name), `${name} ${field} ${isRaw}`)
    }
  }
})

t.test('a prepared hit: an error in its place has none of its fields', async (t) => {
  const app = await buildApp(t, {
    prepare: (app) => {
      app.addHook('preHandler', async (request, reply) => { if (request.headers['x-broken'] !== undefined) reply.header('x-broken', '\n') })
      app.setErrorHandler((_error, _request, reply) => reply.removeHeader('x-broken').code(500).send('sorry'))
    }
  })
  const [hit] = await hitsOf(app, 'tagged')
  const error = await ask(app, '/tagged', { 'x-broken': 'yes' })
  t.match(error, { status: 500, body: 'sorry', headers: { 'cache-control': 'no-store', 'cdn-cache-control': undefined, 'surrogate-key': undefined, age: undefined } })
  t.not(error.headers.etag, hit!.headers.etag)
})

t.test('a prepared hit: a hit after some seconds has its own age', async (t) => {
  const time = new Time(t)
  const app = await buildEdge(t, { time })
  app.get('/', { config: { cache: { store: true } } }, async () => 'page')
  await ask(app, '/')
  for (const seconds of [0, 1, 58]) {
    time.advance(seconds)
    t.match((await ask(app, '/')).headers, { age: String(seconds === 58 ? 59 : seconds), 'cache-status': new RegExp(`; hit; ttl=${seconds === 58 ? 1 : 60 - seconds}$`) })
  }
})

/** Texts and bytes that are longer than a text that is cached beside its bytes, with types that Fastify changes for texts alone. */
const LONG = [
  { type: 'application/json', body: JSON.stringify({ text: 'ä'.repeat(20_000) }) },
  { type: 'application/json; charset=latin1', body: JSON.stringify('ä'.repeat(20_000)) },
  { type: 'application/problem+json;version="1,2"', body: JSON.stringify('b'.repeat(20_000)) },
  { type: 'application/json;', body: JSON.stringify('c'.repeat(20_000)) },
  { type: 'text/plain', body: 'ä'.repeat(20_000) },
  { type: 'application/json', body: Buffer.alloc(20_000, 'd') }
]

t.test('a prepared hit: a long body is that of a route with an onSend hook', async (t) => {
  const time = new Time(t)
  const build = async (prepare?: (app: FastifyInstance) => void): Promise<FastifyInstance> => {
    const app = await buildEdge(t, { time })
    prepare?.(app)
    for (const [at, { type, body }] of LONG.entries()) {
      app.get(`/${at}`, { config: { cache: { store: true } } }, async (_request, reply) => reply.type(type).send(body))
    }
    return app
  }
  const [ready, other] = [await build(), await build(withHook)]
  for (const [at, { body }] of LONG.entries()) {
    const hits = await hitsOf(ready, String(at))
    t.match(hits[0], { status: 200, body: String(body), cacheStatus: /; hit; ttl=/ })
    t.same(hits, await hitsOf(other, String(at)), LONG[at]!.type)
  }
})

for (const method of ['send', 'end'] as const) {
  t.test(`a prepared hit: a function in place of ${method} receives a text or a copy of the bytes`, async (t) => {
    const app = await buildEdge(t, { time: new Time(t) })
    const seen: unknown[] = []
    app.addHook('preHandler', async (_request, reply) => {
      const owner = (method === 'send' ? reply : reply.raw) as unknown as Record<string, (...args: unknown[]) => unknown>
      const original = owner[method]!
      owner[method] = function (...args) {
        const [payload] = args
        seen.push(payload instanceof Uint8Array ? Buffer.from(payload) : payload)
        if (payload instanceof Uint8Array) payload.fill(0)
        return original.apply(this, args)
      }
    })
    app.get('/bytes', { config: { cache: { store: true } } }, async () => Buffer.alloc(20_000, 'd'))
    app.get('/text', { config: { cache: { store: true } } }, async () => 'e'.repeat(20_000))
    for (const path of ['/bytes', '/text']) await ask(app, path)
    seen.length = 0
    for (const path of ['/bytes', '/bytes', '/text']) t.match((await ask(app, path)).cacheStatus, /; hit; ttl=/)
    t.same(seen, [Buffer.alloc(20_000, 'd'), Buffer.alloc(20_000, 'd'), 'e'.repeat(20_000)])
  })
}
