import Fastify, { type FastifyRequest } from 'fastify'
import t from 'tap'
import { dimensionsOf, MAX_DIMENSIONS } from '../../src/advisor/dimensions.js'
import { hashKey } from '../../src/advisor/hash.js'

async function dimensions (url: string, headers: Record<string, string>, { user, hasQuery = true }: { user?: unknown; hasQuery?: boolean } = {}) {
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

for (const user of [null, {}, { id: {} }, 'ada', 7]) {
  t.test(`dimensionsOf: a user of ${JSON.stringify(user)} is none`, async (t) => t.notOk('user' in await dimensions('/', {}, { user })))
}

t.test('dimensionsOf: bounded, whatever is sent', async (t) => {
  const query = Array.from({ length: 100 }, (_, at) => `q${at}=1`).join('&')
  const cookie = Array.from({ length: 100 }, (_, at) => `c${at}=1`).join('; ')
  t.equal(Object.keys(await dimensions(`/?${query}`, { cookie, 'x-a': '1' }, { user: { id: 1 } })).length, MAX_DIMENSIONS)
  t.same(Object.keys(await dimensions('/', { cookie: ';;=;a;=b; ;c=' })), ['header user-agent', 'cookie c'])
})
