import t from 'tap'
import { isUsedIn, noncesOf } from '../../src/rules/csp-nonce.js'

t.test('noncesOf: reads Content-Security-Policy and its report-only twin', async (t) => {
  t.same(noncesOf({}), [])
  t.same(noncesOf({ 'content-security-policy': "script-src 'nonce-a' 'NONCE-b'", 'content-security-policy-report-only': "style-src 'nonce-c'" }), ['a', 'b', 'c'])
})

t.test('isUsedIn: a page may hold an escaped nonce, JSON only the nonce itself', async (t) => {
  const body = Buffer.from('{"n":"a"}')
  t.equal(isUsedIn([], { headers: {}, body }), false)
  t.equal(isUsedIn(['x'], { headers: {}, body }), true)
  t.equal(isUsedIn(['x'], { headers: { 'content-type': 'text/html' }, body }), true)
  t.equal(isUsedIn(['x'], { headers: { 'content-type': 'application/json' }, body }), false)
  t.equal(isUsedIn(['a'], { headers: { 'content-type': 'application/problem+json' }, body }), true)
})
