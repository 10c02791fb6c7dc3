import t from 'tap'
import { Credentials } from '../../src/rules/credentials.js'
import { PolicyInvalid } from '../../src/rules/policy-invalid.js'
import { toPolicy, type PolicyMembers } from '../../src/rules/policy.js'

const rows: Array<[
  given: PolicyMembers<unknown>, cacheControl: string | undefined, cdnCacheControl: string | undefined, lifetime: number
]> = [
  [{}, 'public, max-age=60, must-revalidate', undefined, 60],
  [{ maxAge: 5, sMaxAge: 10, immutable: true }, 'public, max-age=5, s-maxage=10, must-revalidate, immutable', undefined, 10],
  [{ cdnMaxAge: 300, sameForAll: true }, 'public, max-age=60, must-revalidate', 'public, max-age=300, must-revalidate', 300],
  [{ cdnMaxAge: 300, staleWhileRevalidate: 2, staleIfError: 3 }, 'public, max-age=60, stale-while-revalidate=2, stale-if-error=3', 'max-age=300, stale-while-revalidate=2, stale-if-error=3', 300],
  [{ scope: 'private' }, 'private, no-cache', undefined, 0],
  [{ scope: 'private', maxAge: 10, mustRevalidate: false }, 'private, max-age=10', undefined, 10],
  [{ store: 'by-response' }, undefined, undefined, 0]
]
for (const [given, cacheControl, cdnCacheControl, lifetime] of rows) {
  t.test(`toPolicy: ${JSON.stringify(given)} gives Cache-Control ${cacheControl ?? 'of no own'} and ${lifetime} s in this process`, async (t) => {
    const policy = toPolicy('GET /', given)
    t.same([policy.cacheControl, policy.cdnCacheControl, policy.lifetime], [cacheControl, cdnCacheControl, lifetime])
    t.equal(policy.hasHeaderSchema(), false)
  })
}

t.test('toPolicy: optional members are resolved once', async (t) => {
  const tagsOf = (request: string): string[] => [request]
  const given = toPolicy<string>('GET /', { store: true, vary: ['Accept', 'ACCEPT'], query: ['page'], tags: tagsOf, statuses: [404], staleAfterMs: 1, currentTag: () => '1' })
  t.match(given, { store: 'by-policy', vary: ['accept'], query: new Set(['page']), tagsOf, statuses: new Set([200, 404]), staleAfterMs: 1 })
  const plain = toPolicy('GET /', { tags: ['a'] })
  t.match(plain, { store: false, vary: [], query: undefined, statuses: new Set([200]), staleAfterMs: 5000, sameForAll: false })
  t.equal(plain.early, false)
  t.match(toPolicy('', { early: true, store: true }), { early: true })
  t.same(plain.tagsOf({}), ['a'])
})

const refused: PolicyMembers<unknown>[] = [
  { scope: 'private', store: true }, { scope: 'private', sMaxAge: 1 }, { scope: 'private', cdnMaxAge: 1 }, { scope: 'private', sameForAll: true },
  { noVarySearch: true },
  { early: true }, { early: true, store: true, sameForAll: true }, { early: true, store: true, currentTag: () => undefined },
  { sMaxAge: 1, staleIfError: 1 }, { mustRevalidate: true, staleWhileRevalidate: 1 }, { immutable: true }, { immutable: true, maxAge: 0 }, { vary: ['*'] },
  { store: 'by-response', maxAge: 1 }, { store: 'by-response', immutable: false }, { store: true, vary: ['Cookie'] }, { store: true, vary: ['X-Client'] }
]
for (const given of refused) {
  t.test(`toPolicy: ${JSON.stringify(given)} contradicts itself`, async (t) => {
    t.throws(() => toPolicy('GET /', given, new Credentials({ credentialHeaders: ['X-Client'] })), PolicyInvalid)
  })
}
