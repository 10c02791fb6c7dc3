import { formatHttpDate } from '@x/cache-core/suite'
import fc from 'fast-check'
import t from 'tap'
import { evaluate, isConditional, isDigest, isDroppedFrom304, type Selected, type PreconditionResult } from '../../src/rules/conditional.js'
import { anyCharacter } from '@x/test-kit/texts'

const NOW = Date.UTC(2025, 5, 15, 12)
const MODIFIED = NOW - 86_400_000
const at = (ms: number) => formatHttpDate(ms)
const SAME = at(MODIFIED)
const BEFORE = at(MODIFIED - 1000)
const AFTER = at(MODIFIED + 1000)

type Case = [
  section: string, method: string, headers: Record<string, string | string[] | undefined>, verdict: PreconditionResult,
  response?: Partial<Selected>
]
const weakly = { etag: 'W/"a"' }
const none = { etag: undefined, lastModified: undefined }

// By default the representation has the entity tag "a", was modified at SAME, and has the status 200.
const cases: Case[] = [
  ['§13 no precondition', 'GET', {}, 'send'],
  ['§13.1.1 If-Match, the tag', 'GET', { 'if-match': '"a"' }, 'send'],
  ['§13.1.1 If-Match, another tag', 'GET', { 'if-match': '"b"' }, 'precondition-failed'],
  ['§13.1.1 If-Match, in a list', 'PUT', { 'if-match': '"x,y", "a"' }, 'send'],
  ['§13.1.1 If-Match, in lines', 'PUT', { 'if-match': ['"x"', '"a"'] }, 'send'],
  ['§13.1.1 If-Match, any', 'PUT', { 'if-match': '*' }, 'send'],
  ['§13.1.1 If-Match, any, of nothing', 'PUT', { 'if-match': '*' }, 'precondition-failed', none],
  ['§13.1.1 If-Match, any, of an untagged 200', 'GET', { 'if-match': '*' }, 'send', none],
  ['§13.1.1 If-Match, strong comparison, weak in the request', 'PUT', { 'if-match': 'W/"a"' }, 'precondition-failed'],
  ['§13.1.1 If-Match, strong comparison, weak in the response', 'PUT', { 'if-match': '"a"' }, 'precondition-failed', weakly],
  ['§13.1.1 If-Match, strong comparison, weak in both', 'PUT', { 'if-match': 'W/"a"' }, 'precondition-failed', weakly],
  ['§13.1.1 If-Match, nothing readable', 'PUT', { 'if-match': 'a' }, 'precondition-failed'],
  ['§13.1.1 If-Match, without a tag of our own', 'PUT', { 'if-match': '"a"' }, 'precondition-failed', { etag: undefined }],
  ['§13.1.2 If-None-Match, the tag, GET', 'GET', { 'if-none-match': '"a"' }, 'not-modified'],
  ['§13.1.2 If-None-Match, the tag, HEAD', 'HEAD', { 'if-none-match': '"a"' }, 'not-modified'],
  ['§13.1.2 If-None-Match, the tag, QUERY', 'QUERY', { 'if-none-match': '"a"' }, 'not-modified'],
  ['§13.1.3 If-Modified-Since, the date, QUERY', 'QUERY', { 'if-modified-since': SAME }, 'not-modified'],
  ['§13.1.2 If-None-Match, the tag, POST', 'POST', { 'if-none-match': '"a"' }, 'precondition-failed'],
  ['§13.1.2 If-None-Match, the tag, DELETE', 'DELETE', { 'if-none-match': '"a"' }, 'precondition-failed'],
  ['§13.1.2 If-None-Match, another tag, GET', 'GET', { 'if-none-match': '"b"' }, 'send'],
  ['§13.1.2 If-None-Match, another tag, PUT', 'PUT', { 'if-none-match': '"b"' }, 'send'],
  ['§13.1.2 If-None-Match, in a list', 'GET', { 'if-none-match': '"x", "a"' }, 'not-modified'],
  ['§13.1.2 If-None-Match, any', 'GET', { 'if-none-match': '*' }, 'not-modified'],
  ['§13.1.2 If-None-Match, any, PUT of something', 'PUT', { 'if-none-match': '*' }, 'precondition-failed'],
  ['§13.1.2 If-None-Match, any, PUT of something without a tag', 'PUT', { 'if-none-match': '*' }, 'precondition-failed', { etag: undefined }],
  ['§13.1.2 If-None-Match, any, PUT of nothing', 'PUT', { 'if-none-match': '*' }, 'send', none],
  ['§13.1.2 If-None-Match, weak comparison, weak in the request', 'GET', { 'if-none-match': 'W/"a"' }, 'not-modified'],
  ['§13.1.2 If-None-Match, weak comparison, weak in the response', 'GET', { 'if-none-match': '"a"' }, 'not-modified', weakly],
  ['§13.1.2 If-None-Match, nothing readable', 'GET', { 'if-none-match': 'a' }, 'send'],
  ['§8.8.3 a tag set by hand without quotes is none', 'GET', { 'if-none-match': 'a' }, 'send', { etag: 'a' }],
  ['§8.8.3 a tag set by hand without quotes, quoted by the client', 'GET', { 'if-none-match': '"a"' }, 'send', { etag: 'a' }],
  ['§13.1.3 If-Modified-Since, the date', 'GET', { 'if-modified-since': SAME }, 'not-modified'],
  ['§13.1.3 If-Modified-Since, a later one', 'HEAD', { 'if-modified-since': AFTER }, 'not-modified'],
  ['§13.1.3 If-Modified-Since, an earlier one', 'GET', { 'if-modified-since': BEFORE }, 'send'],
  ['§13.1.3 If-Modified-Since, ignored beside If-None-Match', 'GET', { 'if-modified-since': SAME, 'if-none-match': '"b"' }, 'send'],
  ['§13.1.3 If-Modified-Since, ignored beside an unreadable If-None-Match', 'GET', { 'if-modified-since': SAME, 'if-none-match': '' }, 'send'],
  ['§13.1.3 If-Modified-Since, POST', 'POST', { 'if-modified-since': SAME }, 'send'],
  ['§13.1.3 If-Modified-Since, invalid', 'GET', { 'if-modified-since': '2030-01-01' }, 'send'],
  ['§13.1.3 If-Modified-Since, more than one', 'GET', { 'if-modified-since': [SAME, AFTER] }, 'send'],
  ['§13.1.3 If-Modified-Since, ahead of the clock', 'GET', { 'if-modified-since': at(NOW + 1000) }, 'send'],
  ['§13.1.3 If-Modified-Since, now', 'GET', { 'if-modified-since': at(NOW) }, 'not-modified'],
  ['§13.1.3 If-Modified-Since, without Last-Modified', 'GET', { 'if-modified-since': AFTER }, 'send', { lastModified: undefined }],
  ['§13.1.3 If-Modified-Since, with an invalid Last-Modified', 'GET', { 'if-modified-since': AFTER }, 'send', { lastModified: 'yesterday' }],
  ['§5.6.7 If-Modified-Since in the old form', 'GET', { 'if-modified-since': 'Sun Jun 15 11:00:00 2025' }, 'not-modified'],
  ['§13.1.4 If-Unmodified-Since, the date', 'PUT', { 'if-unmodified-since': SAME }, 'send'],
  ['§13.1.4 If-Unmodified-Since, an earlier one', 'PUT', { 'if-unmodified-since': BEFORE }, 'precondition-failed'],
  ['§13.1.4 If-Unmodified-Since, an earlier one, GET', 'GET', { 'if-unmodified-since': BEFORE }, 'precondition-failed'],
  ['§13.1.4 If-Unmodified-Since, ignored beside If-Match', 'PUT', { 'if-unmodified-since': BEFORE, 'if-match': '"a"' }, 'send'],
  ['§13.1.4 If-Unmodified-Since, invalid', 'PUT', { 'if-unmodified-since': 'never' }, 'send'],
  ['§13.1.4 If-Unmodified-Since, without Last-Modified', 'PUT', { 'if-unmodified-since': BEFORE }, 'send', { lastModified: undefined }],
  ['§13.2.2 If-Match goes before If-None-Match', 'GET', { 'if-match': '"b"', 'if-none-match': '"a"' }, 'precondition-failed'],
  ['§13.2.2 If-None-Match is asked after a true If-Match', 'GET', { 'if-match': '"a"', 'if-none-match': '"a"' }, 'not-modified'],
  ['§13.2.2 If-None-Match is asked after a true If-Unmodified-Since', 'PUT', { 'if-unmodified-since': SAME, 'if-none-match': '"a"' }, 'precondition-failed'],
  ['§13.2.2 If-Modified-Since is asked after a true If-Match', 'GET', { 'if-match': '"a"', 'if-modified-since': SAME }, 'not-modified'],
  ['§13.2.1 any 2xx has preconditions', 'GET', { 'if-none-match': '"a"' }, 'not-modified', { status: 203 }],
  ['§13.2.1 a 412 has preconditions', 'PUT', { 'if-match': '"b"' }, 'precondition-failed', { status: 412 }],
  ['§13.2.1 OPTIONS ignores preconditions', 'OPTIONS', { 'if-match': '"b"', 'if-none-match': '*' }, 'send'],
  ['§13.2.1 TRACE ignores preconditions', 'TRACE', { 'if-none-match': '"a"' }, 'send']
]

for (const [section, method, headers, verdict, response] of cases) {
  t.test(`evaluate: RFC 9110 ${section}`, async (t) => {
    t.equal(evaluate({ method, headers }, { status: 200, etag: '"a"', lastModified: SAME, now: NOW, ...response }), verdict)
  })
}

for (const [method, headers, verdict, response] of [
  ['GET', { 'if-none-match': '"a-gzip"' }, 'not-modified'],
  ['GET', { 'if-none-match': 'W/"a-br"' }, 'not-modified'],
  ['GET', { 'if-none-match': 'W/"x", W/"a-gzip"' }, 'not-modified', weakly],
  ['GET', { 'if-none-match': '"a"' }, 'not-modified'],
  ['PUT', { 'if-none-match': '"a-gzip"' }, 'precondition-failed'],
  ['GET', { 'if-none-match': '"a-deflate"' }, 'send'],
  ['GET', { 'if-none-match': '"a-gzip-br"' }, 'send'],
  ['GET', { 'if-none-match': '"b-gzip"' }, 'send'],
  ['GET', { 'if-none-match': '"-gzip"' }, 'send'],
  ['GET', { 'if-none-match': '"a-gzip"' }, 'send', none],
  ['GET', { 'if-match': '"a-gzip"' }, 'precondition-failed'],
  ['PUT', { 'if-match': '"a-gzip"' }, 'precondition-failed'],
  ['PUT', { 'if-match': '"a"' }, 'send']
] as Array<[string, Record<string, string>, PreconditionResult, Partial<Selected>?]>) {
  t.test(`evaluate: a suffix of the proxy in front: ${method} ${JSON.stringify(headers)} is ${verdict}`, async (t) => {
    t.equal(evaluate({ method, headers }, { status: 200, etag: '"a"', lastModified: SAME, now: NOW, etagSuffixes: ['-gzip', '-br'], ...response }), verdict)
  })
}

for (const status of [101, 301, 304, 400, 404, 500, 503]) {
  t.test(`evaluate: RFC 9110 §13.2.1: a ${status} is sent whatever the preconditions`, async (t) => {
    for (const headers of [{ 'if-none-match': '"a"' }, { 'if-match': '"b"' }, { 'if-modified-since': SAME }, { 'if-unmodified-since': BEFORE }]) {
      t.equal(evaluate({ method: 'GET', headers }, { status, etag: '"a"', lastModified: SAME, now: NOW }), 'send')
    }
  })
}

t.test('evaluate: without a time it is the clock that tells what is ahead of it', async (t) => {
  const now = Date.now()
  const response = { status: 200, etag: undefined, lastModified: at(0) }
  t.equal(evaluate({ method: 'GET', headers: { 'if-modified-since': at(now + 3_600_000) } }, response), 'send')
  t.equal(evaluate({ method: 'GET', headers: { 'if-modified-since': at(now - 3_600_000) } }, response), 'not-modified')
})

const anyValue = fc.option(fc.oneof(fc.string({ unit: anyCharacter }), fc.constantFrom('*', '"a"', 'W/"a"', SAME, BEFORE), fc.array(fc.string(), { maxLength: 2 })), { nil: undefined })

t.test('evaluate: any fields have a verdict; only GET and HEAD are not modified, and what is not 2xx or 412 is sent', async () => {
  const headers = fc.record({ 'if-match': anyValue, 'if-none-match': anyValue, 'if-modified-since': anyValue, 'if-unmodified-since': anyValue })
  const text = fc.option(fc.oneof(fc.string(), fc.constantFrom('"a"', SAME)), { nil: undefined })
  fc.assert(fc.property(fc.constantFrom('GET', 'HEAD', 'POST', 'PUT'), headers, fc.integer({ min: 100, max: 599 }), text, text, (method, headers, status, etag, lastModified) => {
    const verdict = evaluate({ method, headers }, { status, etag, lastModified, now: NOW })
    if (verdict === 'not-modified' && method !== 'GET' && method !== 'HEAD') return false
    return verdict === 'send' || (status >= 200 && status < 300) || status === 412
  }), { numRuns: 500 })
})

t.test('isConditional: each precondition makes a request conditional; If-Range, which needs Range, does not', async (t) => {
  for (const name of ['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since']) t.ok(isConditional({ [name]: '"a"' }), name)
  t.notOk(isConditional({ 'if-range': '"a"', range: 'bytes=0-1' }))
})

t.test('isDroppedFrom304: RFC 9110 §15.4.5: drops what describes the body, in any case', async (t) => {
  for (const name of ['content-length', 'Content-Type', 'content-encoding', 'content-language', 'content-range', 'transfer-encoding', 'trailer', 'repr-digest']) {
    t.equal(isDroppedFrom304(name), true, name)
  }
  for (const name of ['cache-control', 'content-location', 'date', 'etag', 'expires', 'vary', 'age', 'cache-status', 'cdn-cache-control', 'last-modified', 'set-cookie',
    'access-control-allow-origin', 'content-security-policy', 'x-request-id', 'constructor']) {
    t.equal(isDroppedFrom304(name), false, name)
  }
})

t.test('isDigest: names the fields that hold for one sequence of bytes', async (t) => {
  t.same(['content-digest', 'repr-digest', 'digest', 'content-md5', 'etag'].filter(isDigest), ['content-digest', 'repr-digest', 'digest', 'content-md5'])
})
