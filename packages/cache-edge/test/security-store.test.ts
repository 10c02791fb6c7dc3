import type { Cache } from '@x/cache-core'
import t from 'tap'
import { responseKey } from '../src/store/cache-key.js'
import { encodeResponse, type StoredResponse } from '../src/store/stored-response.js'
import { ask } from './fixtures/edge-app.js'
import { page } from './fixtures/page.js'
import { PlantedCache } from './fixtures/planted-cache.js'

const planted: StoredResponse = {
  status: 200,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body: Buffer.from('planted'),
  isText: false,
  etag: undefined,
  receivedAt: Date.now(),
  freshness: {
    lifetime: 600, isExplicit: true, initialAge: 0, staleWhileRevalidate: 600, staleIfError: 600, mustRevalidate: false, noCache: false
  },
  vary: [],
  variant: '[]',
  tags: []
}
const KEY = responseKey({ scheme: 'http', host: 'localhost:80', url: '/a' })
const withHeader = (name: string, value: unknown): Buffer => encodeResponse({ ...planted, headers: JSON.parse(JSON.stringify({ NAME: value }).replace('NAME', name)) })
const corruptions: Record<string, unknown> = {
  'random bytes': Buffer.from('\x01\x00\x00\x00\x09{"status"'),
  'an empty buffer': Buffer.alloc(0),
  text: 'hello',
  'a number': 7,
  'an object': { status: 200 },
  'a length beyond the end': Buffer.from([1, 255, 255, 255, 255, 0]),
  'an unknown kind': Buffer.from([9, ...encodeResponse(planted).subarray(1)]),
  Set_Cookie: withHeader('set-cookie', 'id=evil'),
  __proto__: withHeader('__proto__', 'x'),
  'upper case': withHeader('Set-Cookie', 'id=evil'),
  CRLF: withHeader('x-a', 'a\r\nset-cookie: id=evil'),
  'a control character': withHeader('x-a', 'a\u0001'),
  'a character beyond Latin-1': withHeader('x-a', '\u0100'),
  'CRLF in a list': withHeader('x-a', ['a', 'b\n']),
  'CRLF in a name': withHeader('x-a\\r\\nb', 'a'),
  'a number for a value': withHeader('x-a', 1),
  'Transfer-Encoding': withHeader('transfer-encoding', 'chunked'),
  'Content-Length': withHeader('content-length', '1'),
  Connection: withHeader('connection', 'upgrade'),
  'a tag with CRLF': encodeResponse({ ...planted, etag: '"a"\r\nset-cookie: id=evil' }),
  'a tag beyond Latin-1': encodeResponse({ ...planted, etag: '"\u0100"' }),
  'status 100': encodeResponse({ ...planted, status: 100 }),
  'status 206': encodeResponse({ ...planted, status: 206 }),
  'status 304': encodeResponse({ ...planted, status: 304 }),
  'status 1000': encodeResponse({ ...planted, status: 1000 }),
  'a negative lifetime': encodeResponse({ ...planted, freshness: { ...planted.freshness, initialAge: -1 } }),
  'an endless age': Buffer.from(encodeResponse({ ...planted, freshness: { ...planted.freshness, initialAge: 12345678 } }).toString('latin1').replace('12345678', '1e999999'), 'latin1'),
  'a time without end': encodeResponse({ ...planted, receivedAt: -1e300 }),
  'no freshness': encodeResponse({ ...planted, freshness: null as never })
}
for (const [what, value] of Object.entries(corruptions)) {
  t.test(`store compromise: ${what} is a miss, counted as an error, and never served`, async (t) => {
    const store = new PlantedCache(KEY, value)
    const { app, runs } = await page(t, { core: { implementation: store as Cache } })
    const { status, body, headers } = await ask(app, '/a')
    t.same([status, body, headers['set-cookie'], headers['x-a']], [200, 'run 1', undefined, undefined])
    t.equal(runs(), 1)
    t.equal(app.cache.registry.active.stats.totals().errors, 1)
  })
}

t.test('store compromise: what is as it should be is served, so that the tests above mean something', async (t) => {
  const { app, runs } = await page(
    t, { core: { implementation: new PlantedCache(KEY, encodeResponse({ ...planted, receivedAt: Date.now() })) as Cache } }
  )
  t.equal((await ask(app, '/a')).body, 'planted')
  t.equal(runs(), 0)
})

t.test('store compromise: an entry that another variant lies in is not served', async (t) => {
  const { app } = await page(t, { core: { implementation: new PlantedCache(KEY, encodeResponse({ ...planted, vary: ['accept'], variant: '[["accept","b"]]' })) as Cache } })
  t.equal((await ask(app, '/a', { accept: 'a' })).body, 'run 1')
})
