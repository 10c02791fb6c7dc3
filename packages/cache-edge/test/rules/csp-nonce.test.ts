import t from 'tap'
import { hasNonceInMeta, isUsedIn, noncesOf } from '../../src/rules/csp-nonce.js'

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

t.test('hasNonceInMeta: a policy with a nonce in a meta tag of an HTML page, in each spelling, and nothing else', async (t) => {
  const has = (body: string, type = 'text/html; charset=utf-8') => hasNonceInMeta({ headers: { 'content-type': type }, body: Buffer.from(body) })
  for (const tag of [
    '<meta http-equiv="Content-Security-Policy" content="script-src \'nonce-abc\'">',
    "<meta content='default-src &#39;self&#39;; script-src &#39;nonce-abc&#39;'\n http-equiv='content-security-policy' />",
    '<META HTTP-EQUIV=Content-Security-Policy CONTENT="script-src &#x27;NONCE-abc&#x27;">'
  ]) {
    t.equal(has(`<!doctype html><html><head>${tag}</head>`), true, tag)
    for (const type of ['text/plain', 'application/json']) t.equal(has(tag, type), false, type)
    t.equal(hasNonceInMeta({ headers: {}, body: Buffer.from(tag) }), false, 'without a type')
  }
  for (const body of [
    '<meta http-equiv="Content-Security-Policy" content="script-src \'sha256-abc\'"><p>a \'nonce-abc\'',
    '<meta name="description" content="What \'nonce-abc\' is in a content-security-policy">',
    '<p>nonce-abc', ''
  ]) t.equal(has(body), false, body)
})

// Each page has 1 MiB. The test has no time limit of its own: an expression that takes quadratic time needs minutes for one of these pages,
// so that the test runner ends the test.
t.test('hasNonceInMeta: each page of 1 MiB is judged', async (t) => {
  const size = 1024 * 1024
  const blanks = ' '.repeat(size)
  const judge = (page: string) => hasNonceInMeta({ headers: { 'content-type': 'text/html' }, body: Buffer.from(page) })
  const quoted = `"${blanks}`
  for (const page of [
    '<meta '.repeat(size / 6), `<meta content="http-equiv=${blanks}`, `<meta content="http-equiv=${blanks}">`, `<meta content='http-equiv=${quoted}'>`,
    `<meta content='http-equiv=${blanks}${quoted}'>`, `<meta http-equiv${blanks}>`, `<meta ${'http-equiv='.repeat(size / 11)}>`,
    `<meta http-equiv=content-security-policy content="${'&#'.repeat(size / 2)}">`, `<meta http-equiv=content-security-policy content="&#${'0'.repeat(size)}">`,
    `<meta http-equiv=content-security-policy content="&#x${'0'.repeat(size)}">`
  ]) t.equal(judge(`nonce-${page}`), false, page.slice(0, 60))
  for (const value of [blanks, quoted, `${blanks}${quoted}`]) {
    t.equal(judge(`<meta http-equiv=${value}content-security-policy content="script-src 'nonce-abc'">`), true, 'a policy behind blanks')
  }
})
