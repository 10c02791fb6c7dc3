import t from 'tap'
import { PolicyInvalid } from '../src/index.js'
import type { EdgePolicy } from '../src/policy-options.js'
import { Credentials } from '../src/rules/credentials.js'
import { toPolicy } from '../src/rules/policy.js'
import { buildEdge } from './fixtures/edge-app.js'

t.test('toPolicy: an empty policy is shared, for a minute, and never stale', async (t) => {
  const { tagsOf, hasHeaderSchema, ...policy } = toPolicy('GET /', {})
  t.same(policy, {
    isShared: true,
    store: false,
    cacheControl: 'public, max-age=60, must-revalidate',
    cdnCacheControl: undefined,
    lifetime: 60,
    staleWhileRevalidate: 0,
    staleIfError: 0,
    staleAfterMs: 5000,
    mustRevalidate: true,
    vary: [],
    noVarySearch: false,
    early: false,
    sameForAll: false,
    statuses: new Set([200]),
    currentTag: undefined
  })
  t.same(tagsOf({} as never), [])
})

const texts: Array<[EdgePolicy, cacheControl: string | undefined, cdn?: string]> = [
  [{}, 'public, max-age=60, must-revalidate'],
  [{ maxAge: 0 }, 'public, max-age=0, must-revalidate'],
  [{ maxAge: 5, sMaxAge: 10 }, 'public, max-age=5, s-maxage=10, must-revalidate'],
  [{ sMaxAge: 0 }, 'public, max-age=60, s-maxage=0, must-revalidate'],
  [{ mustRevalidate: false }, 'public, max-age=60'],
  [{ staleWhileRevalidate: 30 }, 'public, max-age=60, stale-while-revalidate=30'],
  [{ staleIfError: 30 }, 'public, max-age=60, stale-if-error=30'],
  [{ maxAge: 1, staleWhileRevalidate: 2, staleIfError: 3 }, 'public, max-age=1, stale-while-revalidate=2, stale-if-error=3'],
  [{ staleWhileRevalidate: 0, staleIfError: 0 }, 'public, max-age=60, must-revalidate'],
  [{ maxAge: 31_536_000, immutable: true }, 'public, max-age=31536000, must-revalidate, immutable'],
  [{ cdnMaxAge: 300 }, 'public, max-age=60, must-revalidate', 'max-age=300, must-revalidate'],
  [{ cdnMaxAge: 300, mustRevalidate: false }, 'public, max-age=60', 'max-age=300'],
  [{ cdnMaxAge: 300, sameForAll: true }, 'public, max-age=60, must-revalidate', 'public, max-age=300, must-revalidate'],
  [{ cdnMaxAge: 300, staleIfError: 5 }, 'public, max-age=60, stale-if-error=5', 'max-age=300, stale-if-error=5'],
  [{ scope: 'private' }, 'private, no-cache'],
  [{ scope: 'private', maxAge: 10 }, 'private, max-age=10, must-revalidate'],
  [{ scope: 'private', maxAge: 10, staleWhileRevalidate: 5 }, 'private, max-age=10, stale-while-revalidate=5'],
  [{ store: true }, 'public, max-age=60, must-revalidate'],
  [{ store: 'by-response' }, undefined]
]
for (const [given, cacheControl, cdnCacheControl] of texts) {
  t.test(`toPolicy: ${JSON.stringify(given)} says ${cacheControl ?? 'nothing'}`, async (t) => {
    const policy = toPolicy('GET /', given)
    t.same([policy.cacheControl, policy.cdnCacheControl], [cacheControl, cdnCacheControl])
  })
}

t.test('toPolicy: this process goes by the lifetime that is nearest to it', async (t) => {
  t.equal(toPolicy('', { maxAge: 1 }).lifetime, 1)
  t.equal(toPolicy('', { maxAge: 1, sMaxAge: 2 }).lifetime, 2)
  t.equal(toPolicy('', { maxAge: 1, sMaxAge: 2, cdnMaxAge: 3 }).lifetime, 3)
  t.equal(toPolicy('', { store: 'by-response' }).lifetime, 0)
  t.equal(toPolicy('', { scope: 'private' }).lifetime, 0)
})

t.test('toPolicy: names of Vary are in lower case and stand once; statuses are beside 200', async (t) => {
  t.same(toPolicy('', { vary: ['Accept-Language', 'accept', 'ACCEPT-LANGUAGE'] }).vary, ['accept-language', 'accept'])
  t.same([...toPolicy('', { statuses: [404] }).statuses], [200, 404])
})

t.test('a route cannot list a status that one bad request brings about for all', async (t) => {
  const app = await buildEdge(t)
  for (const status of [206, 304, 400, 413, 414, 431, 500]) {
    t.throws(() => app.get(`/${status}`, { config: { cache: { statuses: [status as 404] } } }, async () => 'x'), { code: 'CACHE_ERR_OPTION_INVALID' })
  }
})

const contradictions: EdgePolicy[] = [
  { scope: 'private', store: true },
  { scope: 'private', store: 'by-response' },
  { scope: 'private', sMaxAge: 1 },
  { scope: 'private', cdnMaxAge: 1 },
  { scope: 'private', sameForAll: true },
  { early: true },
  { early: true, store: false },
  { early: true, scope: 'private' },
  { early: true, store: true, sameForAll: true },
  { early: true, store: true, currentTag: () => undefined },
  { sMaxAge: 1, staleWhileRevalidate: 1 },
  { sMaxAge: 0, staleIfError: 1 },
  { mustRevalidate: true, staleWhileRevalidate: 1 },
  { mustRevalidate: true, staleIfError: 1 },
  { immutable: true },
  { immutable: true, maxAge: 0 },
  { vary: ['*'] },
  { vary: ['accept', '*'], store: true },
  { vary: ['*'], store: 'by-response' },
  { vary: ['Cookie'], store: true },
  { vary: ['AUTHORIZATION'], store: 'by-response' },
  { vary: ['cookie'], store: true, sameForAll: true },
  ...(['maxAge', 'sMaxAge', 'cdnMaxAge', 'staleWhileRevalidate', 'staleIfError'] as const).map((name): EdgePolicy => ({ store: 'by-response', [name]: 1 })),
  { store: 'by-response', mustRevalidate: true },
  { store: 'by-response', immutable: true, maxAge: 1 }
]
for (const given of contradictions) {
  t.test(`toPolicy: ${JSON.stringify(given)} is refused where it is declared`, async (t) => {
    const refusal = { code: 'CACHE_ERR_POLICY_INVALID', message: /GET \/x/ }
    t.throws(() => toPolicy('GET /x', given), refusal)
    t.throws(() => toPolicy('GET /x', given), PolicyInvalid)
    const app = await buildEdge(t)
    t.throws(() => app.get('/x', { config: { cache: given } }, async () => 'x'), refusal)
    await t.rejects(buildEdge(t, { edge: { rules: [{ prefix: '/x', ...given }] } }), { code: 'CACHE_ERR_POLICY_INVALID' })
  })
}

t.test('toPolicy: Vary may name credentials without store', async (t) => {
  t.same(toPolicy('', { vary: ['Cookie', 'Authorization'] }).vary, ['cookie', 'authorization'])
})

t.test('toPolicy: a rule and a route that contradict each other are refused with the route', async (t) => {
  const app = await buildEdge(t, { edge: { rules: [{ prefix: '/', staleIfError: 5 }] } })
  t.throws(() => app.get('/x', { config: { cache: { sMaxAge: 5 } } }, async () => 'x'), { code: 'CACHE_ERR_POLICY_INVALID' })
  t.doesNotThrow(() => app.get('/y', { config: { cache: { sMaxAge: 5, staleIfError: 0 } } }, async () => 'y'))
})

const requests: Array<[what: string, headers: { authorization?: string; cookie?: string }, isIn: boolean]> = [
  ['nothing', {}, false],
  ['an Authorization', { authorization: 'Bearer x' }, true],
  ['an empty Authorization', { authorization: '' }, true],
  ['a cookie', { cookie: 'sid=1' }, true],
  ['a cookie that is ignored', { cookie: '_ga=1' }, false],
  ['cookies that are ignored', { cookie: ' _ga=1 ;consent=yes; ' }, false],
  ['one that is not, among those', { cookie: '_ga=1; sid=1' }, true],
  ['one without a value', { cookie: 'sid' }, true],
  ['one without a name', { cookie: '=x' }, true],
  ['an empty Cookie', { cookie: '' }, false],
  ['one of another spelling', { cookie: '_GA=1' }, true],
  ['one with the ignored name in its value', { cookie: 'sid=_ga=1' }, true],
  ['an ignored cookie beside an Authorization', { cookie: '_ga=1', authorization: 'x' }, true]
]
for (const [what, headers, isIn] of requests) {
  t.test(`Credentials: ${what} ${isIn ? 'is' : 'is not'} one`, async (t) => {
    t.equal(new Credentials({ ignoreCookies: ['_ga', 'consent'] }).isIn(headers), isIn)
  })
}
