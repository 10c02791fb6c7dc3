import Fastify, { type FastifyRequest } from 'fastify'
import t from 'tap'
import { dimensionsOf, MAX_DIMENSIONS } from '../../src/advisor/dimensions.js'
import { hashKey } from '../../src/advisor/hash.js'

async function dimensions (
  url: string, headers: Record<string, string>, { user, hasQuery = true }: { user?: unknown; hasQuery?: boolean } = {}
) {
  const app = Fastify()
  let seen: unknown
  app.get('/*', async (request: FastifyRequest) => {
    if (user !== undefined) Object.assign(request, { user })
    seen = dimensionsOf(request, hasQuery)
    return ''
  })
  await app.inject({ url, headers })
  await app.close()
  return seen as Record<string, number>
}

t.test('dimensionsOf: user, query, headers that mean something, cookies one by one', async (t) => {
  const seen = await dimensions('/a?sort=up&tag=a&tag=b', {
    authorization: 'Bearer x',
    'accept-language': 'de',
    'x-tenant': 'acme',
    cookie: 'theme=dark; sid=1',
    'x-request-id': '7',
    traceparent: '00-1-2-01',
    'sec-fetch-mode': 'navigate',
    'if-none-match': '"a"'
  }, { user: { id: 7 } })
  t.same(seen, {
    user: hashKey('7'),
    'header authorization': hashKey('Bearer x'),
    'query sort': hashKey('up'),
    'query tag': hashKey('a,b'),
    'header host': hashKey('localhost:80'),
    'header user-agent': hashKey('lightMyRequest'),
    'header accept-language': hashKey('de'),
    'header x-tenant': hashKey('acme'),
    'cookie theme': hashKey('dark'),
    'cookie sid': hashKey('1')
  })
})

t.test('dimensionsOf: what is told apart by its URL has no query', async (t) => {
  t.notOk('query sort' in await dimensions('/a?sort=up', {}, { hasQuery: false }))
})

for (const user of [null, {}, { id: {} }, '', false, true]) {
  t.test(`dimensionsOf: a user of ${JSON.stringify(user)} is none`, async (t) => t.notOk('user' in await dimensions('/', {}, { user })))
}
for (const user of [{ id: 'ada' }, { sub: 'ada', name: 'Ada' }, { id: 'ada', sub: 'other' }, 'ada']) {
  t.test(`dimensionsOf: a user of ${JSON.stringify(user)} is ada`, async (t) => t.equal((await dimensions('/', {}, { user })).user, hashKey('ada')))
}

t.test('dimensionsOf: bounded, whatever is sent, and no kind takes the room of another', async (t) => {
  const query = Array.from({ length: 100 }, (_, at) => `q${at}=1`).join('&')
  const cookie = Array.from({ length: 100 }, (_, at) => `c${at}=1`).join('; ')
  const headers = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`x-${at}`, '1']))
  const names = Object.keys(await dimensions(`/?${query}`, { ...headers, cookie, authorization: 'a' }, { user: { id: 1 } }))
  t.ok(names.length <= MAX_DIMENSIONS, String(names.length))
  t.same([...new Set(names.map((name) => name.split(' ')[0]))], ['user', 'header', 'query', 'cookie'])
  t.same(Object.keys(await dimensions('/', { cookie: ';;=;a;=b; ;c=' })), ['header host', 'header user-agent', 'cookie c'])
})

/** The parts of a request that are read to find its dimensions. */
function seenIn (request: object, hasQuery = true): string[] {
  return Object.keys(dimensionsOf({ raw: { headers: {} }, query: {}, params: {}, ...request } as unknown as FastifyRequest, hasQuery))
}
const throws = () => { throw new Error('no') }

t.test('dimensionsOf: a user that throws is left out, and the rest is there', async (t) => {
  const rest = { query: { sort: 'up' }, params: {}, raw: { headers: { 'x-a': '1' } } }
  t.same(seenIn({ user: new Proxy({}, { get: throws }), ...rest }), ['query sort', 'header x-a'])
  const request = Object.defineProperty({ ...rest }, 'user', { get: throws })
  t.same(Object.keys(dimensionsOf(request as unknown as FastifyRequest, true)), ['query sort', 'header x-a'])
})

t.test('dimensionsOf: an odd query, params or headers are left out', async (t) => {
  const user = { id: 1 }
  const bad = Object.create(null)
  for (const odd of [null, undefined, 7, 'text', [], new Proxy({}, { ownKeys: throws }), { sort: bad, tag: [bad], page: {}, then: null, now: () => 1 }]) {
    t.same(seenIn({ user, query: odd, params: odd }).filter((name) => !/^(?:query|param) \d$/.test(name)), ['user'])
    t.same(seenIn({ user, raw: { headers: odd } }).filter((name) => !/^header \d$/.test(name)), ['user'])
    t.same(seenIn({ user, raw: odd }), ['user'])
    t.same(seenIn({ user, raw: { headers: { cookie: odd, 'x-a': '1' } } }).filter((name) => !name.startsWith('cookie')), ['user', 'header x-a'])
  }
  const query = Object.defineProperty({ b: '1' }, 'a', { get: throws, enumerable: true })
  t.same(seenIn({ query }), ['query b'])
})

t.test('dimensionsOf: values are strings, numbers, booleans and big integers', async (t) => {
  t.same(seenIn({ user: { id: 7n }, query: { draft: true, page: 1, sort: 'up', none: null, deep: {} } }), ['user', 'query draft', 'query page', 'query sort'])
})

t.test('dimensionsOf: who asks, and from where, as clouds tell it', async (t) => {
  const headers = { 'x-amzn-oidc-identity': '1', 'cf-access-authenticated-user-email': '1', 'cf-ipcountry': '1', 'x-amzn-trace-id': '1', 'cf-ray': '1', 'cf-connecting-ip': '1', 'cf-visitor': '1' }
  t.same(seenIn({ raw: { headers } }), ['header x-amzn-oidc-identity', 'header cf-access-authenticated-user-email', 'header cf-ipcountry'])
})

t.test('dimensionsOf: route parameters and the host, but not of what is told apart by host and URL', async (t) => {
  const raw = { headers: { ':path': '/', ':method': 'GET', ':scheme': 'https', ':authority': 'a.example', accept: '*/*' } }
  t.same(seenIn({ raw, params: { id: '7', '*': 'x' } }), ['param id', 'header host', 'header accept'])
  t.same(seenIn({ raw, params: { id: '7' } }, false), ['header accept'])
  t.equal(dimensionsOf({ raw, params: {}, query: {} } as unknown as FastifyRequest, true)['header host'], hashKey('a.example'))
  t.same(seenIn({ raw: { headers: { host: 'a.example' } } }, false), [])
})

t.test('dimensionsOf: names that must not be shown are left out', async (t) => {
  const odd = ['alice@example.com\n\n# Verdict: **go**', 'user-12345', '550e8400-e29b-41d4-a716-446655440000', 'deadbeefdeadbeef', 'a'.repeat(65), 'a b', '<b>', '*', '']
  const named = Object.fromEntries([...odd, 'filter[name]', 'a.b-c_d'].map((name) => [name, '1']))
  t.same(seenIn({ query: named, params: named, raw: { headers: {} } }), ['query filter[name]', 'query a.b-c_d', 'param filter[name]', 'param a.b-c_d'])
  t.same(seenIn({ raw: { headers: { 'x-user-12345': '1', cookie: 'sess12345=1; **go**=1; ok=1' } } }), ['cookie ok'])
})
