import t from 'tap'
import type { EdgePolicy } from '../src/index.js'
import { build, BOTH } from './fixtures/early-app.js'
import { ask, buildEdge } from './fixtures/edge-app.js'
import { send } from './fixtures/two-clients.js'

const SESSION = { cookie: 'sid=1' }
const shared: Record<string, EdgePolicy> = { plain: {}, stored: { store: true }, upstream: { store: 'by-response' }, chosen: { vary: ['accept'], store: true }, absent: { statuses: [404] } }
const without: Record<string, EdgePolicy | false> = { same: { sameForAll: true }, own: { scope: 'private', maxAge: 5 }, none: false }

for (const [name, cache] of Object.entries(shared)) {
  t.test(`Vary: Cookie is on each response of a shared policy: ${name}`, async (t) => {
    const app = await buildEdge(t)
    let status = name === 'absent' ? 404 : 200
    app.get('/', { config: { cache } }, async (_request, reply) => reply.code(status).header('etag', '"a"').header('cache-control', 'max-age=60').send('x'))
    for (const headers of [{}, {}, { 'if-none-match': '"a"' }, SESSION, { authorization: 'x' }] as Array<Record<string, string>>) {
      const isPersonal = headers.cookie !== undefined || headers.authorization !== undefined
      const vary = cache.vary === undefined || isPersonal ? 'cookie' : 'accept, cookie'
      for (const method of ['GET', 'HEAD'] as const) t.equal((await ask(app, '/', headers, method)).headers.vary, vary, `${method} ${JSON.stringify(headers)}`)
    }
    status = 500
    t.match((await ask(app, '/?failed')).headers.vary, /cookie/)
  })
}

for (const [name, cache] of Object.entries(without)) {
  t.test(`Vary: Cookie is not on responses of a policy that no cookie changes, or that no proxy stores: ${name}`, async (t) => {
    const app = await buildEdge(t)
    app.get('/', { config: { cache } }, async () => 'x')
    for (const headers of [{}, SESSION]) t.equal((await ask(app, '/', headers)).headers.vary, undefined)
  })
}

t.test('Vary: Cookie is omitted where the proxies look at cookies', async (t) => {
  const app = await buildEdge(t, { edge: { proxies: 'cookie-aware' } })
  app.get('/', { config: { cache: { store: true } } }, async () => 'x')
  app.get('/chosen', { config: { cache: { store: true, vary: ['accept'] } } }, async () => 'x')
  for (const headers of [{}, {}, SESSION]) t.equal((await ask(app, '/', headers)).headers.vary, undefined)
  t.equal((await ask(app, '/chosen')).headers.vary, 'accept')
})

t.test('Vary: Cookie of the plugin itself is not in the key: a request with an ignored cookie is a hit', async (t) => {
  const app = await buildEdge(t, { edge: { ignoreCookies: ['_ga'] } })
  for (const store of [true, 'by-response'] as const) app.get(`/${store}`, { config: { cache: { store } } }, async (_request, reply) => reply.header('cache-control', 'max-age=60').send('x'))
  for (const store of [true, 'by-response'] as const) {
    t.match((await ask(app, `/${store}`)).cacheStatus, /fwd=uri-miss/)
    for (const headers of [{}, { cookie: '_ga=1' }, { cookie: '_ga=2' }]) t.match(await ask(app, `/${store}`, headers), { cacheStatus: /; hit; /, headers: { vary: 'cookie' } })
  }
})

t.test('Vary: Cookie of an upstream is one by which its response varies, so the response is not stored', async (t) => {
  const app = await buildEdge(t)
  app.get('/', { config: { cache: { store: 'by-response' } } }, async (_request, reply) => reply.headers({ 'cache-control': 'max-age=60', vary: 'Cookie' }).send('x'))
  for (let times = 0; times < 2; times++) t.match(await ask(app, '/'), { cacheStatus: /detail=vary/, headers: { vary: 'Cookie' } })
})

for (const seam of BOTH) {
  t.test(`Vary: Cookie is on early responses and their 304, by ${seam}`, async (t) => {
    const { app, early } = await build(t, { seam })
    const { fields: { etag } } = await send(app, {})
    for (const own of [[], [`If-None-Match: ${etag}`]]) t.equal((await send(app, { headers: ['Host: a.example', ...own] })).fields.vary, 'cookie')
    t.equal(early(), 2)
  })
}
