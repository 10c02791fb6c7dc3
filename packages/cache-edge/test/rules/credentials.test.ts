import t from 'tap'
import { Credentials, hasCertificate } from '../../src/rules/credentials.js'

const rows: Array<[headers: Record<string, string | undefined>, isIn: boolean]> = [
  [{}, false],
  [{ accept: 'text/html' }, false],
  [{ authorization: '' }, true],
  [{ authorization: undefined }, false],
  [{ 'x-client': '1' }, true],
  [{ cookie: 'consent=1' }, false],
  [{ cookie: 'consent=1; ' }, false],
  [{ cookie: 'consent=1; sid=2' }, true],
  [{ cookie: '' }, false],
  [{ cookie: 'no pair' }, true]
]
for (const [headers, isIn] of rows) {
  t.test(`credentials: ${JSON.stringify(headers)} ${isIn ? 'holds' : 'holds no'} credentials`, async (t) => {
    t.equal(new Credentials({ ignoreCookies: ['consent'], credentialHeaders: ['X-Client'] }).isIn(headers), isIn)
  })
}

t.test('credentials: without options every cookie counts', async (t) => {
  t.ok(new Credentials().isIn({ cookie: 'consent=1' }))
  t.doesNotThrow(() => new Credentials().refuseIn('GET /', ['accept']))
  t.throws(() => new Credentials().refuseIn('GET /', ['authorization']), { code: 'CACHE_ERR_POLICY_INVALID' })
})

t.test('namesIn: has the names of credential headers and cookies, never their values', async (t) => {
  const credentials = new Credentials({ ignoreCookies: ['consent'], credentialHeaders: ['X-Client'] })
  const headers = { authorization: 'Bearer secret', 'x-client': 'secret', accept: 'text/html', cookie: 'consent=1; sid=secret; no pair' }
  t.same(credentials.namesIn(headers), ['header authorization', 'header x-client', 'cookie sid', 'unreadable cookie'])
  t.same(credentials.namesIn({ accept: 'text/html' }), [])
})

t.test('hasCertificate: reads the certificate once per connection, and none where there is no TLS', async (t) => {
  let reads = 0
  const read = (certificate: object | null) => ({ authorized: false, getPeerCertificate () { reads++; return certificate } })
  const socket = read({ subject: {} })
  t.same([hasCertificate({ raw: { socket } }), hasCertificate({ raw: { socket } }), reads], [true, true, 1])
  t.equal(hasCertificate({ raw: { socket: read({}) } }), false)
  t.equal(hasCertificate({ raw: { socket: read(null) } }), false)
  t.equal(hasCertificate({ raw: { socket: { authorized: true, getPeerCertificate: () => ({}) } } }), true)
  t.equal(hasCertificate({ raw: { socket: {} } }), false)
  t.equal(hasCertificate({ raw: { socket: { authorized: true } } }), false)
})
