import { formatHttpDate } from '@x/cache-core/suite'
import type { FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import type { EdgePolicy } from '../src/policy-options.js'
import { ask, NOON, type Fields } from './fixtures/edge-app.js'
import { BOTH, byResponse, cached, scene, type Scene } from './fixtures/scene.js'

const MODIFIED = formatHttpDate(NOON - 864e5)
const LANGUAGE = 'accept-language'
const OF_TEN = cached('max-age=10')

/** Builds an app with a handler that sends one full response, then 304 to each request with a validator. */
async function validated (t: Test, first: Fields, then: Fields, cache: EdgePolicy = byResponse): Promise<Scene> {
  const isAsked = ({ headers }: FastifyRequest): boolean => headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined
  return scene(t, cache, (run, request) => isAsked(request) ? { status: 304, body: null, headers: then } : { headers: first, body: `run ${run} ${String(request.headers[LANGUAGE])}` })
}

t.test('a French client gets no English page after a 304 has brought Vary', async (t) => {
  const { app, time, runs } = await validated(t, { ...OF_TEN, etag: '"v"' }, { ...cached('max-age=60'), etag: '"v"', vary: LANGUAGE })
  await ask(app, '/x', { [LANGUAGE]: 'en' })
  time.advance(11)
  t.match(await ask(app, '/x', { [LANGUAGE]: 'en' }), { body: 'run 1 en', headers: { vary: LANGUAGE }, cacheStatus: /fwd-status=304; ttl=60; stored/ })
  t.match(await ask(app, '/x', { [LANGUAGE]: 'en' }), { body: 'run 1 en', headers: { vary: LANGUAGE }, cacheStatus: /hit/ })
  t.match(await ask(app, '/x', { [LANGUAGE]: 'fr' }), { body: 'run 3 fr', cacheStatus: /fwd=vary-miss/ })
  t.equal(runs(), 3)
})

t.test('a 304 with another Vary: the stored response is chosen by that from then on', async (t) => {
  const { app, time } = await validated(t, { ...OF_TEN, etag: '"v"', vary: 'accept' }, { ...cached('max-age=60'), etag: '"v"', vary: LANGUAGE })
  await ask(app, '/x', { [LANGUAGE]: 'en', accept: 'a' })
  time.advance(11)
  await ask(app, '/x', { [LANGUAGE]: 'en', accept: 'a' })
  t.match(await ask(app, '/x', { [LANGUAGE]: 'en', accept: 'b' }), { body: 'run 1 en', cacheStatus: /hit/ })
  t.match(await ask(app, '/x', { [LANGUAGE]: 'fr', accept: 'a' }), { body: 'run 3 fr' })
})

t.test('a 304 without Vary leaves the stored one', async (t) => {
  const { app, time } = await validated(t, { ...OF_TEN, etag: '"v"', vary: LANGUAGE }, { ...cached('max-age=60'), etag: '"v"' })
  await ask(app, '/x', { [LANGUAGE]: 'en' })
  time.advance(11)
  t.match(await ask(app, '/x', { [LANGUAGE]: 'en' }), { headers: { vary: LANGUAGE }, cacheStatus: /fwd-status=304/ })
  t.match(await ask(app, '/x', { [LANGUAGE]: 'fr' }), { body: 'run 3 fr' })
})

for (const [name, cache, vary] of [['by response, Vary: *', byResponse, '*'], ['by response, Vary: Cookie', byResponse, 'cookie'], ['by policy, a header that is not in the policy', { store: true }, LANGUAGE]] as const) {
  t.test(`a 304 with a Vary that cannot be matched ends what is stored: ${name}`, async (t) => {
    const { app, time } = await validated(t, { ...OF_TEN, etag: '"v"' }, { ...cached('max-age=60'), etag: '"v"', vary }, cache)
    await ask(app, '/x')
    time.advance(11)
    t.match(await ask(app, '/x'), { body: /run 1/, cacheStatus: /fwd-status=304; ttl=60$/ })
    t.match(await ask(app, '/x'), { body: /run 3/ })
  })
}

for (const [name, store] of Object.entries(BOTH)) {
  t.test(`§3.2 a 304 updates the fields of the stored response, ${name}`, async (t) => {
    const first = { ...OF_TEN, etag: '"v"', 'content-type': 'text/plain', 'content-language': 'en', 'content-location': '/a', 'content-md5': 'a', 'x-frame-options': 'deny', 'x-old': 'old' }
    const then = { ...cached('max-age=60'), etag: '"v"', 'content-type': 'text/plain;charset=utf-8', 'content-language': 'en-GB', 'content-location': '/b', 'content-md5': 'b', 'x-frame-options': 'sameorigin' }
    const { app, time } = await validated(t, first, { ...then, 'content-length': '99', 'content-range': 'bytes 0-1/9', connection: 'close' }, { store })
    const length = (await ask(app, '/x')).headers['content-length']
    time.advance(11)
    for (const status of [/fwd-status=304/, /hit/]) {
      const { headers, cacheStatus, body } = await ask(app, '/x')
      t.match(cacheStatus, status)
      t.match(body, /^run 1/)
      t.match(headers, { ...then, 'x-old': 'old', 'content-length': length })
      t.equal(headers['content-range'], undefined)
    }
  })
}

const updates: Array<[what: string, first: Fields, then: Fields, isUsed: boolean]> = [
  ['the same strong tag', { etag: '"v"' }, { etag: '"v"' }, true],
  ['another strong tag', { etag: '"v"' }, { etag: '"w"' }, false],
  ['the same weak tag', { etag: 'W/"v"' }, { etag: 'W/"v"' }, true],
  ['a weak tag that was strong', { etag: '"v"' }, { etag: 'W/"v"' }, true],
  ['a strong tag that was weak', { etag: 'W/"v"' }, { etag: '"v"' }, false],
  ['another weak tag', { etag: 'W/"v"' }, { etag: 'W/"w"' }, false],
  ['a tag that is none, as it was', { etag: 'v' }, { etag: 'v' }, true],
  ['no tag', { etag: '"v"' }, {}, true],
  ['a tag where there was a date', { 'last-modified': MODIFIED }, { etag: '"v"' }, false],
  ['the same date', { 'last-modified': MODIFIED }, { 'last-modified': MODIFIED }, true],
  ['another date', { 'last-modified': MODIFIED }, { 'last-modified': formatHttpDate(NOON) }, false],
  ['another date beside the same strong tag', { etag: '"v"', 'last-modified': MODIFIED }, { etag: '"v"', 'last-modified': formatHttpDate(NOON) }, true],
  ['another language beside the same strong tag', { etag: '"v"', 'content-language': 'en' }, { etag: '"v"', 'content-language': 'fr' }, true],
  ['another language beside the same weak tag', { etag: 'W/"v"', 'content-language': 'en' }, { etag: 'W/"v"', 'content-language': 'fr' }, false],
  ['another language and no tag', { etag: '"v"', 'content-language': 'en' }, { 'content-language': 'fr' }, false],
  ['another coding beside the same weak tag', { etag: 'W/"v"', 'content-encoding': 'gzip', vary: 'accept-encoding' }, { etag: 'W/"v"', 'content-encoding': 'br' }, false]
]

for (const [what, first, then, isUsed] of updates) {
  t.test(`§4.3.4 a 304 with ${what} ${isUsed ? 'updates what is stored' : 'is for another representation: the handler is asked without validators'}`, async (t) => {
    const { app, time, runs } = await validated(t, { ...OF_TEN, ...first }, { ...cached('max-age=60'), 'x-304': '1', ...then })
    await ask(app, '/x')
    time.advance(11)
    const answer = await ask(app, '/x')
    t.match(answer, { status: 200, body: isUsed ? /^run 1/ : /^run 3/, cacheStatus: isUsed ? /fwd=stale; fwd-status=304; ttl=60; stored/ : /fwd=stale$/ })
    t.equal(answer.headers['x-304'], isUsed ? '1' : undefined)
    t.equal(answer.headers['content-language'], isUsed ? then['content-language'] ?? first['content-language'] : first['content-language'])
    if (isUsed && then.etag !== undefined) t.equal(answer.headers.etag, then.etag)
    t.match(await ask(app, '/x'), { body: answer.body, cacheStatus: /hit/ })
    t.equal(runs(), isUsed ? 2 : 3)
  })
}

t.test('§4.3.4 digests of a 304 that no strong tag ties to the stored body are not taken over', async (t) => {
  const { app, time } = await validated(t, { ...OF_TEN, etag: 'W/"v"', 'repr-digest': 'a' }, { etag: 'W/"v"', 'repr-digest': 'b', 'content-type': 'text/html' })
  await ask(app, '/x')
  time.advance(11)
  t.match((await ask(app, '/x')).headers, { 'repr-digest': 'a', 'content-type': 'text/html' })
})

t.test('§13.1.3 of RFC 9110: a tag that the handler never gave does not hide its Last-Modified from it', async (t) => {
  const { app, time, seen } = await validated(t, { ...OF_TEN, 'last-modified': MODIFIED }, { 'last-modified': MODIFIED, ...OF_TEN })
  const { headers: { etag } } = await ask(app, '/x')
  t.match(etag, /^W\//)
  time.advance(11)
  t.match(await ask(app, '/x'), { body: /^run 1/, headers: { etag } })
  t.match(seen[1], { 'if-modified-since': MODIFIED })
  t.equal(seen[1]!['if-none-match'], undefined)
})
