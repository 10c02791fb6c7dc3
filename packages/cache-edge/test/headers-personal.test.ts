import t, { type Test } from 'tap'
import type { EdgePolicy } from '../src/index.js'
import { ask, buildEdge, type Fields } from './fixtures/edge-app.js'
import { isHit, page } from './fixtures/page.js'

const PRIVATE = 'private, no-cache'
const CDN: Fields = { 'cdn-cache-control': 'max-age=600', 'cloudflare-cdn-cache-control': 'max-age=600', 'netlify-cdn-cache-control': 'max-age=600', 'vercel-cdn-cache-control': 'max-age=600', 'surrogate-control': 'max-age=600' }
const OWN: Fields = { 'cache-control': 'public, max-age=7' }

interface Exchange { url?: string; policy?: EdgePolicy; status?: number; said?: Fields; request?: Record<string, string> }

/** Returns the response of a handler that sets these headers. */
async function answerTo (t: Test, { url = '/x', policy, status = 200, said = {}, request = {} }: Exchange): Promise<Record<string, unknown>> {
  const app = await buildEdge(t, { edge: { personal: ['/me'], ignoreCookies: ['_ga'] } })
  app.get(url, policy === undefined ? {} : { config: { cache: policy } }, async (_request, reply) => reply.code(status).headers(said).send('x'))
  return (await ask(app, url, request)).headers
}

for (const request of [{}, { cookie: 'sid=1' }, { authorization: 'Bearer x' }, { cookie: '_ga=1' }] as Record<string, string>[]) {
  t.test(`private: the client's own cache keeps a response to ${JSON.stringify(request)} for maxAge`, async (t) => {
    for (const [policy, said] of [
      [{ maxAge: 300 }, 'private, max-age=300, must-revalidate'],
      [{ maxAge: 300, staleWhileRevalidate: 5 }, 'private, max-age=300, stale-while-revalidate=5'],
      [{}, PRIVATE]
    ] as [EdgePolicy, string][]) t.equal((await answerTo(t, { policy: { scope: 'private', ...policy }, request }))['cache-control'], said)
  })
}

t.test('private: personal paths, request bodies and new cookies are asked for each time all the same', async (t) => {
  const policy: EdgePolicy = { scope: 'private', maxAge: 300 }
  t.equal((await answerTo(t, { policy, url: '/me' }))['cache-control'], PRIVATE)
  t.equal((await answerTo(t, { policy, request: { 'content-length': '4' } }))['cache-control'], PRIVATE)
  t.equal((await answerTo(t, { policy, said: { 'set-cookie': 'a=b' } }))['cache-control'], PRIVATE)
})

t.test('a Content-Length of 0 is no body, another one and a Transfer-Encoding are', async (t) => {
  for (const [request, said] of [
    [{ 'content-length': '0' }, 'public, max-age=60, must-revalidate'], [{ 'content-length': '1' }, PRIVATE], [{ 'content-length': 'x' }, PRIVATE],
    [{ 'transfer-encoding': 'chunked' }, PRIVATE], [{ 'content-length': '0', 'transfer-encoding': 'chunked' }, PRIVATE]
  ] as [Record<string, string>, string][]) t.equal((await answerTo(t, { policy: {}, request }))['cache-control'], said, JSON.stringify(request))
  const { app } = await page(t)
  await ask(app, '/a')
  t.ok(isHit(await ask(app, '/a', { 'content-length': '0' })))
  t.notOk(isHit(await ask(app, '/a', { 'content-length': '1' })))
})

for (const [what, exchange, cacheControl] of [
  ['credentials', { policy: {}, request: { cookie: 'sid=1' } }, PRIVATE],
  ['a personal path', { url: '/me' }, PRIVATE],
  ['a personal path with a policy', { url: '/me', policy: { cdnMaxAge: 5 } }, PRIVATE],
  ['a personal path that fails', { url: '/me', status: 500 }, 'no-store'],
  ['a private policy', { policy: { scope: 'private', maxAge: 5 } }, 'private, max-age=5, must-revalidate'],
  ['a private policy and credentials', { policy: { scope: 'private', maxAge: 5 }, request: { cookie: 'sid=1' } }, 'private, max-age=5, must-revalidate'],
  ['a request body', { policy: {}, request: { 'content-length': '4' } }, PRIVATE],
  ['a new cookie', { policy: {}, said: { 'set-cookie': 'a=b' } }, PRIVATE],
  ['tags that no purge could name', { policy: { tags: () => ['a b'] } }, PRIVATE],
  ['a status that the policy does not name', { policy: {}, status: 404 }, 'no-cache'],
  ['a 5xx', { policy: {}, status: 503 }, 'no-store'],
  ['a 5xx of a proxied origin', { policy: { store: 'by-response' }, status: 503 }, 'no-store'],
  ['credentials at a proxied origin', { policy: { store: 'by-response' }, request: { cookie: 'sid=1' } }, PRIVATE]
] as [string, Exchange, string][]) {
  t.test(`${what}: says ${cacheControl}, and nothing else to a CDN`, async (t) => {
    const headers = await answerTo(t, { ...exchange, said: { ...exchange.said, ...CDN } })
    t.equal(headers['cache-control'], cacheControl)
    for (const name of Object.keys(CDN)) t.equal(headers[name], undefined, name)
  })
}

for (const [what, exchange, survives] of [
  ['a 200', { policy: {} }, true],
  ['a status that the policy does not name', { policy: {}, status: 404 }, true],
  ['a 5xx', { policy: {}, status: 503 }, true],
  ['a new cookie', { policy: {}, said: { 'set-cookie': 'a=b' } }, true],
  ['credentials', { policy: {}, request: { authorization: 'x' } }, false],
  ['credentials and a private policy', { policy: { scope: 'private', maxAge: 5 }, request: { authorization: 'x' } }, false],
  ['a personal path', { url: '/me' }, false],
  ['a personal path that fails', { url: '/me', status: 500 }, false]
] as [string, Exchange, boolean][]) {
  t.test(`${what} with a Cache-Control of its own: that one goes out, ${survives ? 'and' : 'but not'} what it says to a CDN`, async (t) => {
    const headers = await answerTo(t, { ...exchange, said: { ...exchange.said, ...CDN, ...OWN } })
    t.equal(headers['cache-control'], OWN['cache-control'])
    for (const name of Object.keys(CDN)) t.equal(headers[name], survives ? CDN[name] : undefined, name)
  })
}

t.test('CDN-Cache-Control of a handler without a Cache-Control: is sent beside that of the policy, and its lifetime is that of the stored response', async (t) => {
  const { app } = await page(t, { cache: { maxAge: 0 } }, (_request, reply, run) => reply.header('cdn-cache-control', 'max-age=60').send(`run ${run}`))
  t.match((await ask(app, '/a')).headers, { 'cache-control': 'public, max-age=0, must-revalidate', 'cdn-cache-control': 'max-age=60' })
  t.ok(isHit(await ask(app, '/a')))
})
