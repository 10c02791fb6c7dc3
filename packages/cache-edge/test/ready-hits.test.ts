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
