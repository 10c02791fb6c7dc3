import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { Proxy, until, versionOf, type ProxyKind } from '@x/test-kit/proxies'
import type { AddressInfo } from 'node:net'
import { cacheEdge, type CacheEdgeOptions } from '../../src/index.js'
import { Origin } from '../fixtures/origin.js'
import { STEERING } from '../fixtures/steering-headers.js'

const KINDS: readonly ProxyKind[] = ['haproxy', 'apache', 'squid', 'trafficserver', 'caddy']
const MINUTE = { 'cache-control': 'public, max-age=60' }
let count = 0
const skipOf = (kind: ProxyKind): string | false => versionOf(kind) === undefined ? `${kind} is not installed` : false

const CREDENTIALS: Readonly<Record<string, string>> = {
  authorization: 'Bearer bob',
  cookie: 'sid=bob',
  'x-api-key': 'bob',
  'api-key': 'bob',
  apikey: 'bob',
  'x-auth-token': 'bob',
  'x-access-token': 'bob',
  'x-user-id': '2'
}
const COOKIES = ['_ga=1; sid=bob', '_gat=1', '_ga=1, sid=bob', '_ga=1; =bob', '_ga="1']

/** Asks for a path until a response is given for the second time, and returns its body: Traffic Server stores a response behind its answer. */
async function stored (proxy: Proxy, path: string, cookie?: string): Promise<string> {
  const seen = new Set<string>()
  let body = ''
  await until('a response is given again', async () => {
    body = (await proxy.ask(path, cookie === undefined ? {} : { headers: { cookie } })).body
    return seen.size === seen.add(body).size
  })
  return body
}

for (const kind of KINDS) {
  t.test(`${kind}, shipped configuration`, { skip: skipOf(kind) }, async (t) => {
    const origin = await Origin.start()
    t.teardown(() => origin.close())
    const proxy = await Proxy.start(t, kind, origin.port)

    for (const [name, value] of [...Object.entries(CREDENTIALS), ...COOKIES.map((cookie) => ['cookie', cookie] as const)]) {
      t.test(`${name}: ${value}: neither answered from the store nor stored`, async (t) => {
        const path = `/own/${++count}`
        origin.page(path, ({ headers }) => ({ headers: MINUTE, body: headers[name] === value ? 'bob' : 'all' }))
        for (let times = 0; times < 2; times++) {
          t.equal((await proxy.ask(path, { headers: { [name]: value } })).body, 'bob')
          t.equal((await proxy.ask(path)).body, 'all')
        }
      })
    }

    t.test('an ignored cookie prevents no hit, and does not reach a page that is shared', { skip: kind === 'caddy' && 'Caddy stores nothing' }, async (t) => {
      origin.page('/ignored', { headers: MINUTE })
      const body = await stored(proxy, '/ignored', '_ga=GA1.2; _ga_AB12=x; theme=dark')
      for (const cookie of ['theme=light', '_gid=1']) t.equal((await proxy.ask('/ignored', { headers: { cookie } })).body, body, cookie)
      t.equal(origin.seen('/ignored')[0]!.headers.cookie, undefined)
      await proxy.ask('/ignored', { method: 'POST', headers: { cookie: 'theme=light' } })
      t.equal(origin.seen('/ignored').at(-1)!.headers.cookie, 'theme=light', 'a write gets all of them')
    })

    t.test('headers that are in no key do not reach a shared response', async (t) => {
      for (const name of STEERING) {
        origin.page(`/${name}`, ({ headers }) => ({ headers: MINUTE, body: JSON.stringify(headers) }))
        await proxy.ask(`/${name}`, { headers: { [name]: 'evil.example' } })
        t.notMatch((await proxy.ask(`/${name}`)).body, /evil/, name)
      }
    })

    t.test('a client cannot force a revalidation', { skip: kind === 'caddy' && 'Caddy stores nothing' }, async (t) => {
      origin.page('/forced', { headers: MINUTE })
      const body = await stored(proxy, '/forced')
      for (const headers of [{ 'cache-control': 'no-cache' }, { pragma: 'no-cache' }, { 'cache-control': 'max-age=0' }]) t.equal((await proxy.ask('/forced', { headers })).body, body, JSON.stringify(headers))
    })

    t.test('the header of tags is not shown to clients', async (t) => {
      origin.page('/tags', { headers: { ...MINUTE, 'surrogate-key': 'a', 'cache-tag': 'a' } })
      for (let times = 0; times < 2; times++) t.same(Object.keys((await proxy.ask('/tags')).headers).filter((name) => /surrogate|cache-tag/.test(name)), [])
    })
  })
}

/**
 * Sends requests through Apache to an app with the plugin; returns the ETag of a compressed response, and the status for a client that has
 * this response.
 */
async function throughApache (
  test: Test, options: CacheEdgeOptions, changes: Array<[string, string]> = []
): Promise<[etag: string, status: number]> {
  const app = Fastify()
  test.teardown(() => app.close())
  await app.register(cacheEdge, options)
  app.get('/page', async (_request, reply) => reply.type('text/html').send('text '.repeat(1000)))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const apache = await Proxy.start(test, 'apache', (app.server.address() as AddressInfo).port, { changes })
  const accept = { 'accept-encoding': 'gzip' }
  const { headers: { etag, 'content-encoding': encoding } } = await apache.ask('/page', { headers: accept })
  test.equal(encoding, 'gzip')
  return [etag!, (await apache.ask('/page', { headers: { ...accept, 'if-none-match': etag! } })).status]
}

/** Configurations of mod_deflate in front of an app without mod_cache; the first one is the default. */
const SUFFIXED: Array<[string, string]> = [['DeflateAlterETag NoChange\n', ''], ['BrotliAlterETag NoChange\n', ''], ['CacheEnable disk /\n', '']]

t.test('Apache, shipped configuration: a compressed client gets a 304, by the ETag of the app', { skip: skipOf('apache') }, async (t) => {
  const [etag, status] = await throughApache(t, {})
  t.notMatch(etag, /gzip/)
  t.equal(status, 304)
})

t.test('Apache with the ETags of mod_deflate: a compressed client gets a 304 with etagSuffixes, and none without', { skip: skipOf('apache') }, async (t) => {
  for (const [options, expected] of [[{ etagSuffixes: ['-gzip', '-br'] }, 304], [{}, 200]] as const) {
    const [etag, status] = await throughApache(t, options as CacheEdgeOptions, SUFFIXED)
    t.match(etag, /-gzip"$/)
    t.equal(status, expected)
  }
})
