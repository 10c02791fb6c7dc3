import t from 'tap'
import type { CacheEdgeOptions, EdgePolicy } from '../src/index.js'
import { ask, buildEdge, type Fields } from './fixtures/edge-app.js'

interface Exchange {
  url?: string
  policy?: EdgePolicy | false
  /** The headers of the handler's response. */
  headers?: Fields
  status?: number
  request?: Record<string, string>
}
type Expected = Record<'cache-control' | 'vary' | 'cdn-cache-control' | 'surrogate-key', string | undefined>

const PUBLIC = 'public, max-age=60, must-revalidate'
const PRIVATE = 'private, no-cache'
/** The `Cache-Control` of a response that has only a computed ETag. */
const NO_CACHE = 'no-cache'
const BEARER = { authorization: 'Bearer x' }
const options: CacheEdgeOptions = {
  ignoreCookies: ['_ga'],
  proxies: 'cookie-aware',
  personal: ['/api/user'],
  rules: [{ prefix: '/api' }, { prefix: '/api/long', maxAge: 300, vary: ['Accept-Language'], tags: ['long', 'api'] }, { prefix: '/api/user', maxAge: 9 }]
}

const written: Array<[what: string, exchange: Exchange, expected: Partial<Expected>]> = [
  ['a rule by its prefix', { url: '/api/a' }, { 'cache-control': PUBLIC }],
  ['a rule at its prefix itself', { url: '/api' }, { 'cache-control': PUBLIC }],
  ['no rule for a longer word', { url: '/apia' }, { 'cache-control': NO_CACHE }],
  ['the longest prefix', { url: '/api/long/a' }, { 'cache-control': 'public, max-age=300, must-revalidate', vary: 'accept-language', 'surrogate-key': 'long api' }],
  ['a route over its rule', { url: '/api/long/a', policy: { maxAge: 5, tags: ['own'] } }, { 'cache-control': 'public, max-age=5, must-revalidate', vary: 'accept-language', 'surrogate-key': 'own' }],
  ['a route without a policy under a rule', { url: '/api/a', policy: false }, { 'cache-control': NO_CACHE }],
  ['a route\'s own policy', { policy: { maxAge: 5, cdnMaxAge: 50 } }, { 'cache-control': 'public, max-age=5, must-revalidate', 'cdn-cache-control': 'max-age=50, must-revalidate' }],
  ['no rule and no policy', {}, { 'cache-control': NO_CACHE }],
  ['the handler\'s own Cache-Control wins', { url: '/api/a', headers: { 'cache-control': 'max-age=7' } }, { 'cache-control': 'max-age=7' }],
  ['the handler\'s own CDN-Cache-Control wins', { policy: { cdnMaxAge: 50 }, headers: { 'cdn-cache-control': 'max-age=7' } }, { 'cache-control': PUBLIC, 'cdn-cache-control': 'max-age=7' }],
  ['Vary is merged, whatever its case', { policy: { vary: ['accept', 'x-b'] }, headers: { vary: 'X-A, ACCEPT' } }, { 'cache-control': PUBLIC, vary: 'X-A, ACCEPT, x-b' }],
  ['Vary: * stays', { policy: { vary: ['accept'] }, headers: { vary: '*' } }, { 'cache-control': PUBLIC, vary: '*' }],
  ['Set-Cookie is private', { url: '/api/long/a', headers: { 'set-cookie': 'a=b' } }, { 'cache-control': PRIVATE, vary: 'accept-language' }],
  ['a 500 is not stored', { url: '/api/long/a', status: 500 }, { 'cache-control': 'no-store' }],
  ['a 503 with a Cache-Control of its own', { url: '/api/a', status: 503, headers: { 'cache-control': 'max-age=1' } }, { 'cache-control': 'max-age=1' }],
  ['a 404', { url: '/api/long/a', status: 404 }, { 'cache-control': 'no-cache', vary: 'accept-language' }],
  ['a 404 that is listed', { policy: { statuses: [404], tags: ['x'] }, status: 404 }, { 'cache-control': PUBLIC, 'surrogate-key': 'x' }],
  ['a 500 without a rule', { status: 500 }, { 'cache-control': NO_CACHE }],
  ['a personal prefix', { url: '/api/user/me' }, { 'cache-control': PRIVATE }],
  ['a personal prefix beats a policy', { url: '/api/user/me', policy: { maxAge: 60, sameForAll: true } }, { 'cache-control': PRIVATE }],
  ['a personal prefix, and no-store by the handler', { url: '/api/user/me', headers: { 'cache-control': 'no-store' } }, { 'cache-control': 'no-store' }],
  ['credentials', { url: '/api/long/a', request: BEARER }, { 'cache-control': PRIVATE }],
  ['a cookie', { url: '/api/a', request: { cookie: 'sid=1' } }, { 'cache-control': PRIVATE }],
  ['an ignored cookie', { url: '/api/a', request: { cookie: '_ga=1' } }, { 'cache-control': PUBLIC }],
  ['credentials where it is the same for all', { policy: { sameForAll: true }, request: BEARER }, { 'cache-control': PUBLIC }],
  ['a private policy', { policy: { scope: 'private', maxAge: 5 } }, { 'cache-control': 'private, max-age=5, must-revalidate' }],
  ['tags that no purge could name', { policy: { tags: () => ['a b'] } }, { 'cache-control': PRIVATE }],
  ['a Surrogate-Key of the handler beside the tags', { policy: { tags: ['a'] }, headers: { 'surrogate-key': 'own' } }, { 'cache-control': PUBLIC, 'surrogate-key': 'own a' }]
]

for (const [what, { url = '/x', policy, headers = {}, status = 200, request }, expected] of written) {
  t.test(`headers: ${what}`, async (t) => {
    const app = await buildEdge(t, { edge: options })
    app.get(url, { ...policy === undefined ? {} : { config: { cache: policy } } }, async (_request, reply) => reply.code(status).headers(headers).send('x'))
    const answer = await ask(app, url, request)
    t.equal(answer.status, status)
    for (const name of ['cache-control', 'vary', 'cdn-cache-control', 'surrogate-key'] as const) t.equal(answer.headers[name], expected[name], name)
    t.equal((await ask(app, url, request, 'HEAD')).headers['cache-control'], expected['cache-control'], 'HEAD says the same')
  })
}

const exact: Array<[pattern: string, url: string, maxAge: number | undefined]> = [
  ['/a/:id', '/a/1', 1],
  ['/a/:other', '/a/1', 2],
  ['/a/:third', '/a/1', 2],
  ['/a/:id/below', '/a/1/below', undefined],
  ['/a/:id.json', '/a/1.json', undefined],
  ['/b/:x-:y.png', '/b/1-2.png', 3],
  ['/c/::name', '/c/:name', 4],
  ['/c/::other', '/c/:other', undefined],
  ['/d/:n(\\d+)', '/d/1', 5],
  ['/d/:n(\\w+)', '/d/1', undefined]
]
for (const [pattern, url, maxAge] of exact) {
  t.test(`headers: exact rules, a route ${pattern}: ${maxAge === undefined ? 'none applies' : `max-age=${maxAge}`}`, async (t) => {
    const prefixes = ['/a/:id', '/a/:other', '/b/:id-:other.png', '/c/::name', '/d/:id(\\d+)']
    const app = await buildEdge(t, { edge: { rules: prefixes.map((prefix, at) => ({ prefix, exact: true, maxAge: at + 1 })) } })
    app.get(pattern, async () => 'x')
    const { headers } = await ask(app, url)
    t.equal(headers['cache-control'], maxAge === undefined ? NO_CACHE : `public, max-age=${maxAge}, must-revalidate`)
  })
}

t.test('headers: a personal path is one in any spelling', async (t) => {
  const app = await buildEdge(t, { edge: options })
  app.get('/*', { config: { cache: { store: true } } }, async () => 'x')
  for (const url of ['/api/%75ser', '/API/User/me', '/api//user', '/api/x/../user', '/api/user;a=b']) {
    for (let times = 0; times < 2; times++) {
      t.match(await ask(app, url), { headers: { 'cache-control': PRIVATE }, cacheStatus: /bypass/ }, url)
    }
  }
  t.match(await ask(app, '/api/users'), { headers: { 'cache-control': PUBLIC } })
})

t.test('headers: tagHeader is another or none, and methods other than GET and HEAD get nothing', async (t) => {
  for (const [tagHeader, name] of [['Cache-Tag', 'cache-tag'], [false, undefined]] as const) {
    const app = await buildEdge(t, { edge: { tagHeader } })
    const cache = { tags: ['a', 'b'] }
    app.route({ method: ['GET', 'POST'], url: '/', config: { cache }, handler: async () => 'x' })
    const { headers } = await ask(app, '/')
    t.equal(headers['surrogate-key'], undefined)
    if (name !== undefined) t.equal(headers[name], 'a,b')
    t.equal((await ask(app, '/', {}, 'POST')).headers['cache-control'], undefined)
  }
})

t.test('headers: without rules there are ETags with no-cache and 304, and nothing else', async (t) => {
  const app = await buildEdge(t)
  app.get('/', async () => ({ a: 1 }))
  const first = await ask(app, '/')
  t.same(Object.keys(first.headers).sort(), ['cache-control', 'connection', 'content-length', 'content-type', 'date', 'etag'])
  const second = await ask(app, '/', { 'if-none-match': first.headers.etag })
  t.equal(second.status, 304)
  t.same(Object.keys(second.headers).sort(), ['cache-control', 'connection', 'date', 'etag'])
})
