import { parseDictionary } from '@x/cache-core/suite'
import fc from 'fast-check'
import t from 'tap'
import { appendCacheStatus, cacheStatus, type CacheStatus } from '../../src/rules/cache-status.js'
import { anyCharacter } from '@x/test-kit/texts'

const cases: Array<[what: string, name: string, status: CacheStatus, text: string]> = [
  ['§2.1 hit', 'ExampleCache', { hit: true }, 'ExampleCache; hit'],
  ['§2.4 hit and ttl', 'ExampleCache', { hit: true, ttl: 376 }, 'ExampleCache; hit; ttl=376'],
  ['§2.4 stale', 'ExampleCache', { hit: true, ttl: -412 }, 'ExampleCache; hit; ttl=-412'],
  ['§2.4 fractions of seconds', 'c', { hit: true, ttl: 1.9 }, 'c; hit; ttl=1'],
  ['§2.4 what is no number', 'c', { hit: true, ttl: NaN }, 'c; hit'],
  ['§2.4 without end', 'c', { hit: true, ttl: Infinity }, 'c; hit; ttl=999999999999999'],
  ['§2.2, §2.3 validated', 'ExampleCache', { fwd: 'stale', fwdStatus: 304 }, 'ExampleCache; fwd=stale; fwd-status=304'],
  ['§2.2, §2.6 collapsed', 'ExampleCache', { fwd: 'uri-miss', collapsed: true }, 'ExampleCache; fwd=uri-miss; collapsed'],
  ['§2.5 stored', 'c', { fwd: 'vary-miss', fwdStatus: 200, ttl: 60, stored: true, collapsed: false }, 'c; fwd=vary-miss; fwd-status=200; ttl=60; stored'],
  ['§2.7 key', 'c', { hit: true, key: 'a"b' }, 'c; hit; key="a\\"b"'],
  ['§2.8 detail, a token', 'c', { fwd: 'bypass', detail: 'set-cookie' }, 'c; fwd=bypass; detail=set-cookie'],
  ['§2.8 detail, a string', 'c', { fwd: 'bypass', detail: 'a "b" \\' }, 'c; fwd=bypass; detail="a \\"b\\" \\\\"'],
  ['§2 a name that is no token', 'my cache', { hit: true }, '"my cache"; hit'],
  ['RFC 8941 §3.3.3 what a string cannot contain', 'c', { hit: true, detail: 'é\r\nx: y' }, 'c; hit; detail="???x: y"']
]

for (const [what, name, status, text] of cases) {
  t.test(`cacheStatus: RFC 9211 ${what}`, async (t) => t.equal(cacheStatus(name, status), text))
}

t.test('cacheStatus: any texts make one member of a structured list', async () => {
  const text = fc.string({ unit: anyCharacter })
  fc.assert(fc.property(text, text, text, fc.double(), (name, key, detail, ttl) => {
    const status = cacheStatus(name, { hit: true, key, detail, ttl })
    // The member is parsed as the value of a dictionary, which has the same grammar.
    return parseDictionary(`x=${status}`)?.size === 1
  }))
})

t.test('appendCacheStatus: RFC 9211 §2: adds ours behind those nearer to the origin', async (t) => {
  t.equal(appendCacheStatus(undefined, 'edge; hit'), 'edge; hit')
  t.equal(appendCacheStatus('', 'edge; hit'), 'edge; hit')
  t.equal(appendCacheStatus([], 'edge; hit'), 'edge; hit')
  t.equal(appendCacheStatus('a; fwd=miss', 'edge; hit'), 'a; fwd=miss, edge; hit')
  t.equal(appendCacheStatus(['a; hit', 'b; hit'], 'edge; hit'), 'a; hit, b; hit, edge; hit')
})
