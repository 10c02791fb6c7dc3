import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { OutgoingHttpHeaders } from 'node:http2'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { CacheEdgeOptions, EdgePolicy } from '../src/index.js'
import { buildEdge, Time, until } from './fixtures/edge-app.js'
import { tellAll } from './fixtures/tell-all.js'
import { Http2Client, isStored } from './fixtures/two-clients.js'

interface Setup { edge?: CacheEdgeOptions; server?: object; cache?: EdgePolicy; time?: Time }

async function http2App (
  t: Test, { edge = {}, server = {}, cache = {}, time }: Setup = {}, tell: (request: FastifyRequest, run: number) => unknown = tellAll
): Promise<{ app: FastifyInstance; client: Http2Client; runs: () => number }> {
  const app = await buildEdge(t, { edge, server: { http2: true, ...server } as never, ...time !== undefined && { time } })
  let runs = 0
  app.get('/*', { config: { cache: { store: true, ...cache } } }, async (request, reply) => reply.header('cache-control', 'max-age=60').send(await tell(request, ++runs)))
  return { app, client: await Http2Client.to(t, app), runs: () => runs }
}

for (const store of [true, 'by-response'] as const) {
  t.test(`the body of an HTTP/2 GET is in no key, so that its response is not stored: store ${String(store)}`, async (t) => {
    const { client } = await http2App(t, { cache: { store } }, async ({ raw }) => (await raw.toArray()).join(''))
    for (const [at, body] of ['evil', '', 'x'.repeat(100_000)].entries()) {
      const { body: got, fields } = await client.ask({ ':path': `/${at}` }, body)
      t.equal(got, body)
      t.match(fields, { 'cache-control': 'max-age=60', 'cache-status': 'fastify; fwd=bypass; detail=request-body' })
      const plain = await client.ask({ ':path': `/${at}` })
      t.equal(plain.body, '')
      t.notOk(isStored(plain))
      t.ok(isStored(await client.ask({ ':path': `/${at}` })), 'a request that ends with its headers has none')
      t.equal((await client.ask({ ':path': `/${at}` }, body)).body, body, 'nor is it answered from the store')
    }
  })
}

t.test('without store, the response to an HTTP/2 GET with a body is private', async (t) => {
  const app = await buildEdge(t, { server: { http2: true } as never })
  app.get('/', { config: { cache: {} } }, async () => 'x')
  const client = await Http2Client.to(t, app)
  t.equal((await client.ask({}, 'body')).fields['cache-control'], 'private, no-cache')
  t.match((await client.ask({})).fields['cache-control'], /public/)
})

t.test('a hit, a 304, a HEAD and a request for a part over HTTP/2', async (t) => {
  const { client, runs } = await http2App(t, {}, (_request, run) => `run ${run}`)
  const { fields: { etag } } = await client.ask({})
  t.match(await client.ask({}), { status: 200, body: 'run 1' })
  t.match(await client.ask({ 'if-none-match': etag! }), { status: 304, body: '' })
  t.match(await client.ask({ ':method': 'HEAD' }), { status: 200, body: '', fields: { 'content-length': '5' } })
  t.match(await client.ask({ range: 'bytes=0-1' }), { status: 206, body: 'ru', fields: { 'cache-status': /hit/, 'content-range': 'bytes 0-1/5' } })
  t.equal(runs(), 1)
})

t.test('authority and host: the handler sees the one that is in the key, in every place', async (t) => {
  for (const [headers, host] of [[{ ':authority': 'A.Example' }, 'a.example'], [{ ':authority': 'b.example', host: 'b.example' }, 'b.example']] as const) {
    const { client } = await http2App(t, {}, (request) => JSON.stringify({
      ...JSON.parse(tellAll(request)),
      authority: (request.raw as { authority?: string }).authority,
      scheme: (request.raw as { scheme?: string }).scheme
    }))
    const seen = JSON.parse((await client.ask(headers)).body)
    t.match(seen, { host, authority: host, scheme: 'http', headers: { host }, raw: { headers: { host } } })
    for (const fields of [seen.headers, seen.raw.headers, seen.raw.headersDistinct]) t.same(Object.keys(fields), ['host'])
    t.same(seen.raw.rawHeaders, ['host', host])
  }
})

t.test('an authority and another host make a response that no request shares', async (t) => {
  const { client } = await http2App(t, {}, ({ host, raw }) => `${host} ${String((raw as { authority?: string }).authority)}`)
  const mixed = { ':authority': 'a.example', host: 'evil.example' }
  t.match(await client.ask(mixed), { fields: { 'cache-status': 'fastify; fwd=bypass; detail=target' } })
  t.equal((await client.ask({ ':authority': 'evil.example' })).body, 'evil.example evil.example')
  t.equal((await client.ask({ ':authority': 'a.example' })).body, 'a.example a.example')
  t.notOk(isStored(await client.ask(mixed)))
})

t.test('the scheme that a client claims is not the protocol of the connection, and is not shown', async (t) => {
  const { client } = await http2App(t, {}, ({ protocol, raw, headers }) => [protocol, (raw as { scheme?: string }).scheme, headers[':scheme']].join())
  t.equal((await client.ask({ ':scheme': 'https' })).body, 'http,http,')
  const other = await client.ask({ ':scheme': 'http' })
  t.equal(other.body, 'http,http,')
  t.ok(isStored(other))
})

t.test('cookies that come one by one are credentials, unless all of them are ignored', async (t) => {
  const { client } = await http2App(t, { edge: { ignoreCookies: ['_ga', 'theme'] } }, (request, run) => `${run} ${tellAll(request)}`)
  await client.ask({})
  t.ok(isStored(await client.ask({ cookie: ['_ga=1', 'theme=dark'] })))
  t.notOk(isStored(await client.ask({ cookie: ['_ga=1', 'session=bob'] })))
  t.notOk(isStored(await client.ask({ cookie: ['session=bob', '_ga=1'] })))
  t.notMatch((await client.ask({ ':path': '/b', cookie: ['_ga=evil'] })).body, /evil/)
})

t.test('over HTTP/2 the hidden headers are hidden in every place, and selecting ones are shown in every place', async (t) => {
  const { client } = await http2App(t, { cache: { vary: ['accept-language'] } })
  const { body } = await client.ask({ 'x-forwarded-host': 'evil.example', 'x-evil': 'evil', 'accept-language': 'de', 'x-request-id': 'evil' })
  t.notMatch(body, /evil/)
  const { raw } = JSON.parse(body)
  t.match(raw, { headers: { 'accept-language': 'de' }, rawHeaders: ['accept-language', 'de', 'host', 'a.example'], headersDistinct: { 'accept-language': ['de'] } })
  t.ok(isStored(await client.ask({ 'accept-language': 'de' })))
})

t.test('stale-while-revalidate of a request over HTTP/2 renews the response of its authority', async (t) => {
  const time = new Time(t)
  const seen: Array<{ host: string; ip: string }> = []
  const app = await buildEdge(t, { time, server: { http2: true } as never })
  app.addHook('onRequest', async ({ host, ip }) => { seen.push({ host, ip }) })
  let runs = 0
  app.get('/*', { config: { cache: { store: true, maxAge: 10, staleWhileRevalidate: 60 } } }, async ({ host }) => `${host} ${++runs}`)
  const client = await Http2Client.to(t, app)
  const headers: OutgoingHttpHeaders = { ':authority': 'B.example', ':path': '/x?y' }
  await client.ask(headers)
  time.advance(11)
  t.equal((await client.ask(headers)).body, 'b.example 1')
  await until(() => runs === 2)
  for (let turns = 0; turns < 20; turns++) await nextTurn()
  const renewed = await client.ask(headers)
  t.equal(renewed.body, 'b.example 2')
  t.ok(isStored(renewed))
  t.same(seen[2], { host: 'B.example', ip: '127.0.0.1' })
})

t.test('a background request for one over HTTP/2 shows its handler version, authority and scheme as the client\'s own', async (t) => {
  const time = new Time(t)
  const seen: unknown[] = []
  const { client, runs } = await http2App(t, { cache: { maxAge: 10, staleWhileRevalidate: 100 }, time }, ({ raw }) => {
    const { httpVersion, authority, scheme } = raw as unknown as { httpVersion: string; authority: string; scheme: string }
    seen.push([httpVersion, authority, scheme])
    return 'x'
  })
  await client.ask({ ':authority': 'a.example' })
  time.advance(70)
  await client.ask({ ':authority': 'a.example' })
  await until(() => runs() === 2)
  t.same(seen, [['2.0', 'a.example', 'http'], ['2.0', 'a.example', 'http']])
})
