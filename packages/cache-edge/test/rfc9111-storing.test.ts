import { formatHttpDate } from '@x/cache-core/suite'
import t from 'tap'
import type { EdgePolicy } from '../src/policy-options.js'
import { early } from './fixtures/early.js'
import { ask, buildEdge, NOON, type Fields } from './fixtures/edge-app.js'
import { BOTH, byResponse, cached, MINUTE, scene } from './fixtures/scene.js'

interface Exchange {
  /** The headers of the stored response. */
  headers?: Fields
  status?: number
  policy?: EdgePolicy
  /** The headers of the first request; the second request has none, or those in `then`. */
  request?: Record<string, string>
  then?: Record<string, string>
}

const BEARER = { authorization: 'Bearer x' }
const past = formatHttpDate(NOON - 1000)
const soon = formatHttpDate(NOON + 60_000)

// Rows with `isHit`: whether the second request is answered from the cache. Each row applies to both values of `store`.
const storing: Array<[section: string, exchange: Exchange, isHit: boolean]> = [
  ['§3 a 200 with max-age', { headers: MINUTE }, true],
  ['§3 a 404 that the route does not list', { headers: MINUTE, status: 404 }, false],
  ['§3 a 404 that the route lists', { headers: MINUTE, status: 404, policy: { statuses: [404] } }, true],
  ['§3 a 301 that the route lists', { headers: { ...MINUTE, location: '/y' }, status: 301, policy: { statuses: [301] } }, true],
  ['§3 a 302', { headers: { ...MINUTE, location: '/y' }, status: 302 }, false],
  ['§3 a 500', { headers: MINUTE, status: 500 }, false],
  ['§3.3 a 206', { headers: { ...MINUTE, 'content-range': 'bytes 0-1/9' }, status: 206 }, false],
  ['§3.3 a part that says 200', { headers: { ...MINUTE, 'content-range': 'bytes 0-1/9' } }, false],
  ['§3.4 a request for a range', { headers: MINUTE, request: { range: 'bytes=0-1' } }, false],
  ['§3.5 Authorization', { headers: MINUTE, request: BEARER }, false],
  ['§3.5 Authorization and public, without the route\'s word', { headers: cached('public, max-age=60'), request: BEARER }, false],
  ['§3.5 Authorization, the same for all, max-age alone', { headers: MINUTE, request: BEARER, policy: { sameForAll: true } }, false],
  ['§3.5 Authorization, the same for all, public', { headers: cached('public, max-age=60'), request: BEARER, policy: { sameForAll: true } }, true],
  ['§3.5 Authorization, the same for all, must-revalidate', { headers: cached('max-age=60, must-revalidate'), request: BEARER, policy: { sameForAll: true } }, true],
  ['§3.5 Authorization, the same for all, s-maxage', { headers: cached('s-maxage=60'), request: BEARER, policy: { sameForAll: true } }, true],
  ['§3.5 what is kept is for a request with Authorization if it is the same for all', { headers: MINUTE, then: BEARER, policy: { sameForAll: true } }, true],
  ['§3.5 what is kept is not for a request with Authorization', { headers: cached('public, max-age=60'), then: BEARER }, false],
  ['§4.1 Vary: *', { headers: { ...MINUTE, vary: '*' } }, false],
  ['§4.1 Vary: Cookie', { headers: { ...MINUTE, vary: 'Cookie' } }, false],
  ['§5.2.1.1 request max-age=0 is ignored', { headers: MINUTE, then: { 'cache-control': 'max-age=0' } }, true],
  ['§5.2.1.4 request no-cache is ignored', { headers: MINUTE, then: { 'cache-control': 'no-cache' } }, true],
  ['§5.2.1.5 request no-store: nothing is stored', { headers: MINUTE, request: { 'cache-control': 'no-store' } }, false],
  ['§5.2.1.5 request no-store: nothing is looked up', { headers: MINUTE, then: { 'cache-control': 'no-store' } }, false],
  ['§5.2.2.1 max-age=0', { headers: cached('max-age=0') }, false],
  ['§5.2.2.2 must-revalidate while fresh', { headers: cached('max-age=60, must-revalidate') }, true],
  ['§5.2.2.3 must-understand of a status that is', { headers: cached('max-age=60, must-understand') }, true],
  ['§5.2.2.4 no-cache', { headers: cached('max-age=60, no-cache') }, false],
  ['§5.2.2.4 no-cache="set-cookie", read the strict way', { headers: cached('max-age=60, no-cache="set-cookie"') }, false],
  ['§5.2.2.5 no-store', { headers: cached('max-age=60, no-store') }, false],
  ['§5.2.2.5 no-store in capitals', { headers: cached('Max-Age=60, No-Store') }, false],
  ['§5.2.2.6 no-transform', { headers: cached('max-age=60, no-transform') }, true],
  ['§5.2.2.7 private', { headers: cached('private, max-age=60') }, false],
  ['§5.2.2.7 private="x"', { headers: cached('max-age=60, private="x"') }, false],
  ['§5.2.2.8 proxy-revalidate while fresh', { headers: cached('max-age=60, proxy-revalidate') }, true],
  ['§5.2.2.9 public with a lifetime', { headers: cached('public, max-age=60') }, true],
  ['§5.2.2.10 s-maxage beats max-age', { headers: cached('max-age=0, s-maxage=60') }, true],
  ['§5.2.2.10 s-maxage=0 beats max-age', { headers: cached('max-age=60, s-maxage=0') }, false],
  ['§5.2.3 an unknown directive', { headers: cached('max-age=60, community="UCI"') }, true],
  ['§5.2.3 the text in an unknown directive is no directive', { headers: cached('max-age=60, ext="no-store, private"') }, true],
  ['§5.2.3 an unknown directive beside no-store', { headers: cached('ext, no-store, max-age=60') }, false],
  ['§5.2.2.3 no-store counts beside must-understand', { headers: cached('max-age=60, no-store, must-understand') }, false],
  ['§5.2.2.4 no-cache of several fields', { headers: cached('max-age=60, no-cache="a, b"') }, false],
  ['§5.2.2.4 no-cache with a token', { headers: cached('max-age=60, no-cache=a') }, false],
  ['§5.2.2.7 private of several fields', { headers: cached('max-age=60, private="a, b"') }, false],
  ['§5.2.1.2 request max-stale of a fresh response', { headers: MINUTE, then: { 'cache-control': 'max-stale=10' } }, true],
  ['§5.2.1.3 request min-fresh is ignored', { headers: MINUTE, then: { 'cache-control': 'min-fresh=90' } }, true],
  ['§5.2.1.6 request no-transform', { headers: MINUTE, then: { 'cache-control': 'no-transform' } }, true],
  ['§5.2.1.7 request only-if-cached of a stored response', { headers: MINUTE, then: { 'cache-control': 'only-if-cached' } }, true],
  ['§5.2.3 an unknown request directive', { headers: MINUTE, then: { 'cache-control': 'ext="no-store"' } }, true],
  ['§5.4 request Pragma is ignored', { headers: MINUTE, then: { pragma: 'no-cache' } }, true],
  ['§5.5 a Warning is no reason', { headers: { ...MINUTE, warning: '110 - "stale"' } }, true],
  ['§5.3 Expires ahead', { headers: { expires: soon } }, true],
  ['§5.3 Expires past', { headers: { expires: past } }, false],
  ['§5.3 Expires: 0', { headers: { expires: '0' } }, false],
  ['§5.3 max-age beats Expires', { headers: { ...MINUTE, expires: past } }, true],
  ['§7.3 Set-Cookie', { headers: { ...MINUTE, 'set-cookie': 'a=b' } }, false],
  ['RFC 9213 CDN-Cache-Control beats Cache-Control', { headers: { ...cached('no-store'), 'cdn-cache-control': 'max-age=60' } }, true],
  ['RFC 9213 CDN-Cache-Control: no-store', { headers: { ...MINUTE, 'cdn-cache-control': 'no-store' } }, false],
  ['Surrogate-Control: no-store beside a lifetime', { headers: { ...MINUTE, 'surrogate-control': 'no-store' } }, false],
  ['Surrogate-Control: no-store for a surrogate by name', { headers: { ...MINUTE, 'surrogate-control': 'max-age=60, no-store;edge' } }, false],
  ['Surrogate-Control: no-store beside CDN-Cache-Control', { headers: { 'cdn-cache-control': 'max-age=60', 'surrogate-control': 'no-store' } }, false],
  ['Surrogate-Control: private', { headers: { ...MINUTE, 'surrogate-control': 'private' } }, false],
  ['Surrogate-Control: max-age beside Cache-Control: no-store', { headers: { ...cached('no-store'), 'surrogate-control': 'max-age=60' } }, false],
  ['Surrogate-Control: max-age beside Cache-Control: private', { headers: { ...cached('private'), 'surrogate-control': 'max-age=60' } }, false],
  ['Surrogate-Control: max-age=0', { headers: { ...MINUTE, 'surrogate-control': 'max-age=0' } }, false],
  ['Surrogate-Control: max-age alone', { headers: { 'surrogate-control': 'max-age=60' } }, true],
  ['Surrogate-Control with a quote that is open', { headers: { ...MINUTE, 'surrogate-control': 'content="no-store' } }, false],
  ['§5.1 an Age that is no number does not count', { headers: { ...MINUTE, age: 'old' } }, true],
  ['§5.1 an Age with a parameter does not count', { headers: { ...MINUTE, age: '7200;a=b' } }, true],
  ['§5.1 of two Ages the first counts', { headers: { ...MINUTE, age: '0, 7200' } }, true],
  ['§5.1 of two Ages the first counts, if it is over', { headers: { ...MINUTE, age: '7200, 0' } }, false],
  ['§4.1 a Content-Encoding without Vary', { headers: { ...MINUTE, 'content-encoding': 'gzip' } }, false],
  ['RFC 9213 one that is no dictionary does not count', { headers: { ...MINUTE, 'cdn-cache-control': '!' } }, true]
]

for (const [name, store] of Object.entries(BOTH)) {
  t.test(`storing, ${name}`, async (t) => {
    for (const [section, { headers, status, policy, request, then }, isHit] of storing) {
      await t.test(section, async (t) => {
        const { app, runs } = await scene(t, { store, ...policy }, () => ({ headers: headers!, ...status === undefined ? {} : { status } }))
        const first = await ask(app, '/x', request)
        const second = await ask(app, '/x', then)
        t.equal(runs(), isHit ? 1 : 2)
        t.equal(second.status, status ?? 200)
        t.equal(/; hit/.test(second.cacheStatus), isHit, second.cacheStatus)
        if (isHit) t.equal(second.body, first.body)
      })
    }
  })

  t.test(`§3 a GET with a body is neither stored nor answered, ${name}`, async (t) => {
    const { app, runs } = await scene(t, { store }, () => ({ headers: MINUTE }))
    for (let times = 0; times < 2; times++) await app.inject({ method: 'GET', url: '/x', payload: 'fat', headers: { 'content-type': 'text/plain' } })
    t.equal(runs(), 2)
  })

  t.test(`§3.1 header fields of the connection are not stored, ${name}`, { skip: early.skip('connection') }, async (t) => {
    const dropped = { 'keep-alive': '1', 'proxy-authenticate': 'x', 'proxy-authentication-info': 'x', 'x-hop': 'x', te: 'x', upgrade: 'x' }
    const { app } = await scene(t, { store }, () => ({ headers: { ...MINUTE, connection: 'X-Hop, close', ...dropped, 'x-kept': ['1', '2'] } }))
    await ask(app, '/x')
    const { headers, cacheStatus } = await ask(app, '/x')
    t.match(cacheStatus, /hit/)
    t.same(Object.keys(dropped).filter((name) => name in headers && name !== 'keep-alive'), [])
    t.same(headers['x-kept'], ['1', '2'])
    t.not(headers.connection, 'X-Hop, close')
  })

  t.test(`§3.2 a cookie that an onSend hook sets vetoes, also behind a 304, ${name}`, async (t) => {
    for (const request of [{}, { 'if-none-match': '*' }] as Record<string, string>[]) {
      const app = await buildEdge(t)
      let runs = 0
      app.addHook('onSend', async (_request, reply) => { reply.header('set-cookie', 'a=b') })
      app.get('/hook', { config: { cache: { store } } }, async (_request, reply) => reply.headers(MINUTE).send(`run ${++runs}`))
      app.get('/own', { config: { cache: { store } } }, async (_request, reply) => reply.headers({ ...MINUTE, 'set-cookie': 'c=d' }).send(`run ${++runs}`))
      for (const url of ['/hook', '/own']) {
        await ask(app, url, request)
        t.equal((await ask(app, url)).body, `run ${runs}`, `${url} ${JSON.stringify(request)}`)
      }
      t.equal(runs, 4)
    }
  })

  t.test(`§4 the target URI is the key: host, path and query as sent, ${name}`, async (t) => {
    const { app, runs } = await scene(t, { store }, () => ({ headers: MINUTE }))
    await ask(app, '/x?a=1&b=2')
    for (const [url, host] of [['/x?b=2&a=1', 'a'], ['/x', 'a'], ['/x?a=1&b=2', 'b'], ['/%78?a=1&b=2', 'a']] as const) await ask(app, url, { host })
    t.equal(runs(), 5)
    t.match((await ask(app, '/x?b=2&a=1', { host: 'A' })).cacheStatus, /hit/)
  })

  t.test(`§4.1 each variant is found by the headers of Vary, ${name}`, async (t) => {
    const { app, runs } = await scene(t, { store, ...store === true ? { vary: ['accept-language'] } : {} }, (_run, request) => ({
      headers: { ...MINUTE, vary: 'Accept-Language' }, body: String(request.headers['accept-language'])
    }))
    for (const language of ['de', 'fr']) t.equal((await ask(app, '/x', { 'accept-language': language })).body, language)
    for (const language of ['de', 'fr']) t.match(await ask(app, '/x', { 'accept-language': language }), { body: language, cacheStatus: /hit/, headers: { vary: /accept-language/i } })
    t.match(await ask(app, '/x'), { body: 'undefined', cacheStatus: /fwd=vary-miss/ })
    t.match(await ask(app, '/x'), { body: 'undefined', cacheStatus: /hit/ })
    t.equal(runs(), 3)
  })
}

t.test('§3.5 a policy with sameForAll writes public, where the response has no Cache-Control', async (t) => {
  const { app, runs } = await scene(t, { store: true, sameForAll: true }, () => ({}))
  for (let times = 0; times < 2; times++) t.equal((await ask(app, '/x', BEARER)).headers['cache-control'], 'public, max-age=60, must-revalidate')
  t.equal(runs(), 1)
})

t.test('§5.2.1.7 only-if-cached: 504, and the response where there is one', async (t) => {
  const { app, time, runs } = await scene(t, byResponse, () => ({ headers: MINUTE }))
  const only = { 'cache-control': 'only-if-cached' }
  t.match(await ask(app, '/x', only), { status: 504, headers: { 'cache-control': 'no-store' }, cacheStatus: 'fastify; fwd=uri-miss' })
  await ask(app, '/x')
  t.match(await ask(app, '/x', only), { status: 200, body: 'run 1' })
  time.advance(61)
  t.match(await ask(app, '/x', only), { status: 504 })
  t.equal(runs(), 1)
})
