import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import { deferred, settle } from '../../cache-core/test/fixtures/deferred.js'
import { formatHttpDate } from '../src/http-date.js'
import type { EdgePolicy } from '../src/options.js'
import { ask, buildEdge, NOON, Time, type Fields } from './fixtures/edge-app.js'

/** What the handler of a test route answers: of its nth run, from 1. */
type Script = (run: number, request: FastifyRequest) => { status?: number; headers?: Fields; body?: string | null }
interface Scene { app: FastifyInstance; time: Time; runs: () => number; seen: FastifyRequest['headers'][] }

const BOTH = { 'by policy': true, 'by response': 'by-response' } as const
const byResponse: EdgePolicy = { store: 'by-response' }
const cached = (control: string): Fields => ({ 'cache-control': control })

/** An app with one route, `/x`, whose answers are kept; also as `/x/:id`. */
async function scene (t: Test, cache: EdgePolicy, script: Script): Promise<Scene> {
  const time = new Time(t)
  const app = await buildEdge(t, { time })
  const seen: FastifyRequest['headers'][] = []
  for (const url of ['/x', '/x/:id']) {
    app.route({
      method: ['GET', 'POST', 'PUT', 'DELETE'],
      url,
      config: { cache },
      handler: async (request, reply) => {
        const run = seen.push({ ...request.headers })
        const { status = 200, headers = {}, body = `run ${run}` } = script(run, request)
        reply.code(status).headers(headers)
        return reply.send(body ?? undefined)
      }
    })
  }
  return { app, time, seen, runs: () => seen.length }
}

interface Exchange {
  /** Of the answer. */
  headers?: Fields
  status?: number
  policy?: EdgePolicy
  /** Of the first request; the second is plain, or has `then`. */
  request?: Record<string, string>
  then?: Record<string, string>
}

const MINUTE = cached('max-age=60')
const BEARER = { authorization: 'Bearer x' }
const past = formatHttpDate(NOON - 1000)
const soon = formatHttpDate(NOON + 60_000)

// Whether the second request is answered from the cache. Each holds for both ways of keeping.
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
  ['§5.3 Expires ahead', { headers: { expires: soon } }, true],
  ['§5.3 Expires past', { headers: { expires: past } }, false],
  ['§5.3 Expires: 0', { headers: { expires: '0' } }, false],
  ['§5.3 max-age beats Expires', { headers: { ...MINUTE, expires: past } }, true],
  ['§7.3 Set-Cookie', { headers: { ...MINUTE, 'set-cookie': 'a=b' } }, false],
  ['RFC 9213 CDN-Cache-Control beats Cache-Control', { headers: { ...cached('no-store'), 'cdn-cache-control': 'max-age=60' } }, true],
  ['RFC 9213 CDN-Cache-Control: no-store', { headers: { ...MINUTE, 'cdn-cache-control': 'no-store' } }, false],
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

  t.test(`§3.1 header fields of the connection are not stored, ${name}`, async (t) => {
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

// Seconds after which it is no longer answered from the cache; the answer cannot be validated.
const lifetimes: Array<[section: string, headers: Fields, seconds: number]> = [
  ['§4.2.1 max-age', cached('max-age=30'), 30],
  ['§4.2.1 s-maxage', cached('max-age=5, s-maxage=30'), 30],
  ['§4.2.1 Expires - Date', { date: formatHttpDate(NOON), expires: formatHttpDate(NOON + 30_000) }, 30],
  ['§4.2.1 of two max-age the shorter', cached('max-age=30, max-age=40'), 30],
  ['§4.2.3 Age of what came from upstream', { ...cached('max-age=40'), age: '10' }, 30],
  ['§4.2.3 Date of what was long under way', { ...cached('max-age=40'), date: formatHttpDate(NOON - 10_000) }, 30],
  ['§4.2.3 of Age and Date the older', { ...cached('max-age=40'), age: '3', date: formatHttpDate(NOON - 10_000) }, 30],
  ['RFC 9213 CDN-Cache-Control', { ...cached('max-age=5'), 'cdn-cache-control': 'max-age=30' }, 30]
]

t.test('§4.2 freshness', async (t) => {
  for (const [name, store] of Object.entries(BOTH)) {
    for (const [section, headers, seconds] of lifetimes) {
      await t.test(`${section}, ${name}`, async (t) => {
        const { app, time, runs } = await scene(t, { store }, () => ({ headers }))
        await ask(app, '/x')
        time.advance(seconds - 1)
        t.match((await ask(app, '/x')).cacheStatus, /; hit; ttl=1$/)
        time.advance(1)
        t.match((await ask(app, '/x')).cacheStatus, /; fwd=(stale|uri-miss)$/)
        t.equal(runs(), 2)
      })
    }
  }

  await t.test('§4.2.2 there are no heuristics: by response, no lifetime is no storing', async (t) => {
    const { app, runs } = await scene(t, byResponse, () => ({ headers: { 'last-modified': formatHttpDate(NOON - 864e5) } }))
    for (let times = 0; times < 2; times++) t.match((await ask(app, '/x')).cacheStatus, /fwd=uri-miss/)
    t.equal(runs(), 2)
  })

  await t.test('§4.2.2 public without a lifetime is kept to be validated', async (t) => {
    const { app, seen } = await scene(t, byResponse, (run) => run === 1 ? { headers: { ...cached('public'), etag: '"v"' } } : { status: 304, body: null })
    await ask(app, '/x')
    t.match(await ask(app, '/x'), { status: 200, body: 'run 1' })
    t.equal(seen[1]!['if-none-match'], '"v"')
  })

  await t.test('by policy, the policy names the lifetime where the answer does not', async (t) => {
    const { app, time, runs } = await scene(t, { store: true, maxAge: 5, cdnMaxAge: 20 }, () => ({}))
    await ask(app, '/x')
    time.advance(19)
    t.match((await ask(app, '/x')).cacheStatus, /hit; ttl=1/)
    time.advance(1)
    await ask(app, '/x')
    t.equal(runs(), 2)
  })
})

t.test('§4.2.4 what must not be served stale fails with its handler', async (t) => {
  for (const control of ['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage=10']) {
    await t.test(control, async (t) => {
      const { app, time, runs } = await scene(t, byResponse, (run) => run === 1
        ? { headers: { ...cached(`max-age=10, stale-while-revalidate=60, stale-if-error=60, ${control}`), etag: '"v"' } }
        : { status: 500 })
      await ask(app, '/x')
      time.advance(11)
      t.match(await ask(app, '/x'), { status: 500, cacheStatus: /fwd=stale/ })
      t.equal(runs(), 2)
    })
  }
})

t.test('§3.5 a policy that is the same for all says public, where the answer says nothing', async (t) => {
  const { app, runs } = await scene(t, { store: true, sameForAll: true }, () => ({}))
  for (let times = 0; times < 2; times++) t.equal((await ask(app, '/x', BEARER)).headers['cache-control'], 'public, max-age=60, must-revalidate')
  t.equal(runs(), 1)
})

t.test('§4.3 validation', async (t) => {
  const modified = formatHttpDate(NOON - 864e5)

  await t.test('§4.3.1 the handler is asked with the validators of what is kept, and not with the client\'s', async (t) => {
    for (const store of Object.values(BOTH)) {
      const { app, time, seen } = await scene(t, { store }, () => ({ headers: { ...cached('max-age=10'), etag: '"v"', 'last-modified': modified } }))
      await ask(app, '/x', { 'if-none-match': '"client"', 'if-modified-since': modified, 'if-match': '*', 'if-range': '"a"' })
      t.same(Object.keys(seen[0]!).filter((name) => name.startsWith('if-')), [])
      time.advance(11)
      await ask(app, '/x', { 'if-none-match': '"client"' })
      t.match(seen[1], { 'if-none-match': '"v"', 'if-modified-since': modified })
    }
  })

  await t.test('§4.3.3 a full answer replaces what is kept', async (t) => {
    const { app, time } = await scene(t, byResponse, (run) => ({ headers: { ...cached('max-age=10'), etag: `"${run}"` } }))
    await ask(app, '/x')
    time.advance(11)
    t.match(await ask(app, '/x'), { body: 'run 2', headers: { etag: '"2"' }, cacheStatus: 'fastify; fwd=stale' })
    t.match(await ask(app, '/x'), { body: 'run 2', headers: { etag: '"2"' }, cacheStatus: /hit/ })
  })

  for (const [name, store] of Object.entries(BOTH)) {
    await t.test(`§4.3.4 a 304 refreshes headers and freshness, ${name}`, async (t) => {
      const { app, time, runs } = await scene(t, { store }, (run) => run === 1
        ? { headers: { ...cached('max-age=10'), etag: '"v"', 'x-old': 'old', 'x-both': 'old' } }
        : { status: 304, body: null, headers: { ...cached('max-age=20'), etag: '"v"', 'x-both': 'new' } })
      await ask(app, '/x')
      time.advance(11)
      const expected = { status: 200, body: 'run 1', headers: { etag: '"v"', 'x-old': 'old', 'x-both': 'new', 'cache-control': 'max-age=20', 'content-type': 'text/plain; charset=utf-8' } }
      t.match(await ask(app, '/x'), { ...expected, cacheStatus: /^fastify; fwd=stale; fwd-status=304; ttl=20; stored$/ })
      time.advance(19)
      t.match(await ask(app, '/x'), { ...expected, cacheStatus: /hit; ttl=1/, headers: { ...expected.headers, age: '19' } })
      t.equal(runs(), 2)
    })
  }

  await t.test('§4.3.4 Age and Date of the 304 count, those of what was kept do not', async (t) => {
    const { app, time } = await scene(t, byResponse, (run) => run === 1
      ? { headers: { ...cached('max-age=10'), etag: '"v"', date: formatHttpDate(NOON) } }
      : { status: 304, body: null, headers: (run === 2 ? {} : { age: '4' }) as Fields })
    await ask(app, '/x')
    time.advance(50)
    t.match((await ask(app, '/x')).cacheStatus, /fwd-status=304; ttl=10; stored/)
    time.advance(10)
    t.match(await ask(app, '/x'), { cacheStatus: /fwd-status=304; ttl=6; stored/, headers: { age: '4' } })
  })

  await t.test('§4.3.4 what hooks put into the answer of one request is not kept for others', async (t) => {
    const { app, time } = await scene(t, { store: true }, (run) => run === 1
      ? { headers: { ...cached('max-age=10'), etag: '"v"' } }
      : { status: 304, body: null })
    app.addHook('onRequest', async (request, reply) => {
      reply.header('x-request-id', request.headers['x-id'] as string)
      reply.header('vary', 'Origin')
    })
    await ask(app, '/x', { 'x-id': 'one' })
    time.advance(11)
    t.match(await ask(app, '/x', { 'x-id': 'two' }), { headers: { 'x-request-id': 'two' }, cacheStatus: /stored/ })
    t.match(await ask(app, '/x', { 'x-id': 'three' }), { headers: { 'x-request-id': 'three', vary: 'Origin' }, cacheStatus: /hit/ })
  })

  await t.test('§4.3.4 a 304 with another tag, or one that may not be kept, drops the entry', async (t) => {
    for (const headers of [{ etag: '"other"' }, { 'cache-control': 'no-store' }, { 'cache-control': 'private' }, { 'set-cookie': 'a=b' }] as Fields[]) {
      const { app, time, seen } = await scene(t, byResponse, (run) => run === 2
        ? { status: 304, body: null, headers }
        : { headers: { ...cached('max-age=10'), etag: '"v"' } })
      await ask(app, '/x')
      time.advance(11)
      t.match(await ask(app, '/x'), { status: 200 })
      t.match((await ask(app, '/x')).body, 'run 3', JSON.stringify(headers))
      t.equal(seen[2]!['if-none-match'], undefined)
    }
  })

  await t.test('§4.3.2 a client\'s condition is answered from what is kept', async (t) => {
    const { app, runs } = await scene(t, byResponse, () => ({ headers: { ...cached('max-age=10'), etag: '"v"', 'last-modified': modified } }))
    await ask(app, '/x')
    for (const condition of [{ 'if-none-match': '"a", W/"v"' }, { 'if-modified-since': modified }] as Record<string, string>[]) {
      t.match(await ask(app, '/x', condition), { status: 304, body: '', headers: { etag: '"v"', age: '0' }, cacheStatus: /hit/ })
    }
    t.match(await ask(app, '/x', { 'if-none-match': '"w"', 'if-modified-since': modified }), { status: 200, body: 'run 1' })
    t.equal(runs(), 1)
  })

  await t.test('§4.3.5 HEAD is answered from a kept GET, and kept for none', async (t) => {
    for (const store of Object.values(BOTH)) {
      const { app, runs } = await scene(t, { store }, () => ({ headers: MINUTE }))
      t.match(await ask(app, '/x', {}, 'HEAD'), { status: 200, body: '', cacheStatus: /uri-miss/ })
      t.match(await ask(app, '/x'), { body: 'run 2', cacheStatus: /uri-miss/ })
      t.match(await ask(app, '/x', {}, 'HEAD'), { status: 200, body: '', headers: { 'content-length': '5' }, cacheStatus: /hit/ })
      t.equal(runs(), 2)
    }
  })
})

t.test('§4.4 unsafe methods invalidate', async (t) => {
  const script: Script = (run, { method, headers }) => method === 'GET'
    ? { headers: { ...MINUTE, etag: `"${run}"` } }
    : { status: Number(headers['x-status']), headers: headers['x-headers'] === undefined ? {} : JSON.parse(headers['x-headers'] as string) }

  for (const [name, store] of Object.entries(BOTH)) {
    await t.test(`what succeeds invalidates its target alone, ${name}`, async (t) => {
      const { app } = await scene(t, { store }, script)
      for (const [status, method, isGone] of [[200, 'POST', true], [204, 'DELETE', true], [303, 'PUT', true], [404, 'POST', false], [500, 'DELETE', false]] as const) {
        for (const url of ['/x', '/x/1']) await ask(app, url)
        t.match(await ask(app, '/x', { 'x-status': String(status) }, method), { status, cacheStatus: 'fastify; fwd=method' })
        t.equal(/hit/.test((await ask(app, '/x')).cacheStatus), !isGone, `${method} ${status}`)
        t.match((await ask(app, '/x/1')).cacheStatus, /hit/)
      }
    })
  }

  await t.test('Location and Content-Location too, of the same origin', async (t) => {
    const { app } = await scene(t, byResponse, script)
    for (const [name, reference, isGone] of [
      ['location', '/x/1', true], ['content-location', 'x/1', true], ['location', 'http://localhost:80/x/1', true], ['location', '//localhost/x/1', true],
      ['location', 'http://other.example/x/1', false], ['content-location', 'https://localhost:80/x/1', false], ['location', '/x/2', false], ['location', 'http://[', false]
    ] as const) {
      await ask(app, '/x/1')
      await ask(app, '/x', { 'x-status': '201', 'x-headers': JSON.stringify({ [name]: reference }) }, 'POST')
      t.equal(/hit/.test((await ask(app, '/x/1')).cacheStatus), !isGone, `${name}: ${reference}`)
    }
  })

  await t.test('OPTIONS does not', async (t) => {
    const { app } = await scene(t, byResponse, script)
    app.options('/x', async () => 'GET')
    await ask(app, '/x')
    await ask(app, '/x', {}, 'OPTIONS')
    t.match((await ask(app, '/x')).cacheStatus, /hit/)
  })

  await t.test('every variant is gone, and a route that keeps nothing invalidates as well', async (t) => {
    const { app } = await scene(t, byResponse, () => ({ headers: { ...MINUTE, vary: 'accept' } }))
    app.get('/y', { config: { cache: byResponse } }, async (_request, reply) => reply.headers({ ...MINUTE, vary: 'accept' }).send('y'))
    app.post('/y', async () => 'done')
    for (const accept of ['a', 'b']) await ask(app, '/y', { accept })
    await ask(app, '/y', {}, 'POST')
    for (const accept of ['a', 'b']) t.match((await ask(app, '/y', { accept })).cacheStatus, /fwd/)
  })
})

t.test('§5.1 Age is on what comes from the cache; Date stays that of the answer', async (t) => {
  const { app, time } = await scene(t, { store: true }, () => ({ headers: MINUTE }))
  t.equal((await ask(app, '/x')).headers.age, undefined)
  time.advance(7.9)
  t.match((await ask(app, '/x')).headers, { age: '7', date: formatHttpDate(NOON) })
  const upstream = await scene(t, byResponse, () => ({ headers: { ...MINUTE, age: '5', date: formatHttpDate(NOON - 3000) } }))
  t.equal((await ask(upstream.app, '/x')).headers.age, '5')
  upstream.time.advance(2)
  t.match((await ask(upstream.app, '/x')).headers, { age: '7', date: formatHttpDate(NOON - 3000) })
})

t.test('§5.2.1.7 only-if-cached: 504, and the answer where there is one', async (t) => {
  const { app, time, runs } = await scene(t, byResponse, () => ({ headers: MINUTE }))
  const only = { 'cache-control': 'only-if-cached' }
  t.match(await ask(app, '/x', only), { status: 504, headers: { 'cache-control': 'no-store' }, cacheStatus: 'fastify; fwd=uri-miss' })
  await ask(app, '/x')
  t.match(await ask(app, '/x', only), { status: 200, body: 'run 1' })
  time.advance(61)
  t.match(await ask(app, '/x', only), { status: 504 })
  t.equal(runs(), 1)
})

t.test('RFC 9211 Cache-Status says what was done, and why', async (t) => {
  const time = new Time(t)
  const app = await buildEdge(t, { time, edge: { name: 'edge.1', hosts: ['localhost:80'], personal: ['/me'] } })
  const slow = deferred()
  app.route({
    method: ['GET', 'POST'],
    url: '/*',
    config: { cache: { store: true, vary: ['accept'], tags: (request) => request.url === '/tags' ? ['no tag'] : [] } },
    handler: async (request) => {
      if (request.url === '/slow') await slow.promise
      return 'x'
    }
  })
  const statusOf = async (...args: Parameters<typeof ask> extends [any, ...infer Rest] ? Rest : never): Promise<string> => (await ask(app, ...args)).cacheStatus
  t.equal(await statusOf('/'), 'edge.1; fwd=uri-miss')
  t.equal(await statusOf('/'), 'edge.1; hit; ttl=60')
  t.equal(await statusOf('/', { accept: 'a' }), 'edge.1; fwd=vary-miss')
  t.equal(await statusOf('/', { 'cache-control': 'no-store' }), 'edge.1; fwd=request; detail=no-store')
  t.equal(await statusOf('/', { authorization: 'x' }), 'edge.1; fwd=bypass; detail=personal')
  t.equal(await statusOf('/me'), 'edge.1; fwd=bypass; detail=personal')
  t.equal(await statusOf('/', { range: 'bytes=0-1' }), 'edge.1; fwd=bypass; detail=range')
  t.equal(await statusOf('/', { host: 'other' }), 'edge.1; fwd=bypass; detail=host')
  t.equal(await statusOf('/tags'), 'edge.1; fwd=bypass; detail=tags')
  t.equal(await statusOf('/other', {}, 'POST'), 'edge.1; fwd=method')
  time.advance(61)
  t.equal(await statusOf('/'), 'edge.1; fwd=stale')
  const answers = Promise.all([statusOf('/slow'), statusOf('/slow'), statusOf('/slow')])
  await settle()
  slow.resolve()
  t.same((await answers).sort(), ['edge.1; fwd=uri-miss', 'edge.1; fwd=uri-miss; ttl=60; collapsed', 'edge.1; fwd=uri-miss; ttl=60; collapsed'])
})

t.test('a reverse proxy: by-response goes by what the origin says', async (t) => {
  const time = new Time(t)
  const origin = Fastify()
  let runs = 0
  let status = 200
  origin.all('/*', async (request, reply) => {
    runs++
    if (request.headers['if-none-match'] === '"v"') return reply.code(304).header('etag', '"v"').send()
    const control = { '/kept': 'public, max-age=60', '/private': 'private, max-age=60', '/error': 'max-age=10, stale-if-error=60' }[request.url]
    if (control !== undefined) reply.header('cache-control', control)
    if (request.url === '/kept') reply.header('etag', '"v"').header('surrogate-key', 'a').header('cache-status', 'origin; fwd=miss')
    return reply.code(status).send(`${request.method} ${request.url} ${runs}`)
  })
  t.teardown(() => origin.close())
  const base = await origin.listen({ host: '127.0.0.1', port: 0 })
  const app = await buildEdge(t, { time })
  app.all('/*', { config: { cache: byResponse } }, async (request, reply) => {
    const { host, connection, 'content-length': length, ...headers } = request.headers as Record<string, string>
    const answer = await fetch(base + request.url, { method: request.method, headers, redirect: 'manual' })
    for (const [name, value] of answer.headers) if (!['connection', 'keep-alive', 'transfer-encoding', 'content-length'].includes(name)) reply.header(name, value)
    return reply.code(answer.status).send(Buffer.from(await answer.arrayBuffer()))
  })
  t.match(await ask(app, '/kept'), { body: 'GET /kept 1', headers: { 'cache-control': 'public, max-age=60', 'surrogate-key': 'a', etag: '"v"' }, cacheStatus: 'origin; fwd=miss, fastify; fwd=uri-miss' })
  t.match(await ask(app, '/kept'), { body: 'GET /kept 1', cacheStatus: /^fastify; hit/, headers: { 'surrogate-key': 'a' } })
  // inject sends the body of a HEAD on routes that are declared for it, a socket does not.
  t.match(await ask(app, '/kept', {}, 'HEAD'), { headers: { 'content-length': '11' }, cacheStatus: /hit/ })
  time.advance(61)
  t.match(await ask(app, '/kept'), { status: 200, body: 'GET /kept 1', cacheStatus: /fwd=stale; fwd-status=304/ })
  t.equal(runs, 2)
  await ask(app, '/kept', {}, 'DELETE')
  t.match(await ask(app, '/kept'), { body: 'GET /kept 4' })
  for (const url of ['/private', '/silent']) {
    await ask(app, url)
    const answer = await ask(app, url)
    t.match(answer, { body: `GET ${url} ${runs}`, cacheStatus: 'fastify; fwd=uri-miss' })
    t.equal(answer.headers['cache-control'], url === '/silent' ? undefined : 'private, max-age=60', 'no header of its own')
  }
  await ask(app, '/error')
  time.advance(11)
  status = 503
  t.match(await ask(app, '/error'), { status: 200, body: /GET \/error/, cacheStatus: /detail="stale-if-error, error"/ })
})
