import etag from '@fastify/etag'
import { cacheCore, MemoryCache, type Cache, type Result } from '@x/cache-core'
import { err, ok, unavailable } from '@x/cache-core/implementing'
import fc from 'fast-check'
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { createReadStream } from 'node:fs'
import { connect, type AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import t from 'tap'
import { cacheEdge, type EdgePolicy } from '../src/index.js'
import { ask, buildEdge, Time, until, type EdgeSetup } from './fixtures/edge-app.js'
import { anyCharacter } from '@x/test-kit/texts'

type Handler = (request: FastifyRequest, reply: FastifyReply, run: number) => unknown

async function page (t: Parameters<typeof buildEdge>[0], setup: EdgeSetup & { cache?: EdgePolicy }, handler: Handler) {
  const app = await buildEdge(t, setup)
  let runs = 0
  app.get('/a', { config: { cache: { store: true, ...setup.cache } } }, (request, reply) => handler(request, reply, ++runs))
  await app.ready()
  return { app, runs: () => runs }
}

/** Sends bytes to a server, and returns the bytes of the response. */
async function send (port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.end(text, 'latin1')
  return (await socket.setEncoding('latin1').toArray()).join('')
}

const big = 'x'.repeat(64 * 1024)
const garbage = fc.oneof(fc.string(), fc.string({ unit: anyCharacter }), fc.constantFrom('', '"', 'W/', 'W/"', '*', '*, *', '"a", "b', ',,,', '\\', `"${big}"`, big, ','.repeat(64 * 1024), ' '.repeat(64 * 1024), '"'.repeat(64 * 1024),
  'bytes=-', 'bytes=9-1', `bytes=${'0-1,'.repeat(9999)}`, 'max-age', 'max-age=-1', 'max-age="', 'no-cache="', `max-age=${'9'.repeat(400)}`, 'Thu, 99 Foo 9999 99:99:99 GMT', '__proto__'))

for (const name of ['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'if-range', 'range', 'cache-control', 'pragma', 'cookie', 'accept-encoding', 'x-cache-edge-refresh']) {
  t.test(`${name} of a request: with any value, the response is the right one or none`, async (t) => {
    const { app } = await page(t, {}, (_request, reply) => reply.header('last-modified', 'Sun, 15 Jun 2025 12:00:00 GMT').send('right'))
    await fc.assert(fc.asyncProperty(garbage, async (value) => {
      const { status, body } = await ask(app, '/a', { [name]: value })
      return status === 200 ? body === 'right' : [304, 412, 504].includes(status) && body === ''
    }), { numRuns: 60 })
    t.equal((await ask(app, '/a')).body, 'right')
  })
}

for (const name of ['cache-control', 'cdn-cache-control', 'vary', 'etag', 'last-modified', 'expires', 'age', 'date', 'content-encoding', 'cache-status', 'connection']) {
  t.test(`${name} of a handler: with any value, the client receives its response`, async (t) => {
    const app = await buildEdge(t)
    let said: string | string[] = ''
    const handler = async (_request: FastifyRequest, reply: FastifyReply) => reply.header(name, said).send('right')
    app.get('/true/:run', { config: { cache: { store: true } } }, handler)
    app.get('/by-response/:run', { config: { cache: { store: 'by-response' } } }, handler)
    let runs = 0
    await fc.assert(fc.asyncProperty(garbage, fc.boolean(), fc.constantFrom(true, 'by-response' as const), async (value, twice, store) => {
      const text = value.replace(/[^\t\x20-\x7e\x80-\xff]/g, '').slice(0, 8000)
      said = twice && name !== 'etag' ? [text, text] : text
      // Each run uses a new URL, for which nothing is stored.
      const url = `/${store}/${++runs}`
      const bodies = [await ask(app, url), await ask(app, url), await ask(app, url, { 'if-none-match': '"x"' })]
      return bodies.every(({ status, body }) => status === 200 ? body === 'right' : status === 304)
    }), { numRuns: 40 })
  })
}

t.test('raw sockets: garbage, doubled and 32 kB fields end in a response, and the server stays up', async (t) => {
  const { app } = await page(t, {}, async () => 'right')
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const request = (lines: string): string => `GET /a HTTP/1.1\r\nHost: a\r\n${lines}Connection: close\r\n\r\n`
  for (const name of ['If-None-Match', 'If-Modified-Since', 'Range', 'Cache-Control']) {
    for (const value of ['"', '\xff\x80', '\t', 'a, "b', 'bytes=,-']) {
      t.match(await send(port, request(`${name}: ${value}\r\n${name}: ${value}\r\n`)), /^HTTP\/1\.1 200/, `${name} ${value}`)
    }
    // The field has twice the length that Node accepts, and less than Node reads at once. From Node 24 on, Node closes a connection with
    // unread data, and the reset then overtakes the response.
    t.match(await send(port, request(`${name}: ${big.slice(0, 32 * 1024)}\r\n`)), /^HTTP\/1\.1 431/, name)
  }
  t.match(await send(port, request('')), /right$/)
})

for (const [what, handler, status] of [
  ['throws an Error', () => { throw new Error('x') }, 500],
  ['throws one of 404', () => { throw Object.assign(new Error('x'), { statusCode: 404 }) }, 404],
  ['throws a text', () => { throw 'x' }, 500], // eslint-disable-line no-throw-literal
  ['throws an object without prototype', () => { throw Object.create(null) }, 500],
  ['throws an object with a status', () => { throw { statusCode: 404, message: 'x' } }, 404], // eslint-disable-line no-throw-literal
  ['rejects', async () => { throw new Error('x') }, 500],
  ['rejects with an object', async () => { throw { statusCode: 410 } }, 410], // eslint-disable-line no-throw-literal
  ['sends an Error', (_request, reply) => reply.send(new Error('x')), 500],
  ['sends an Error with its own status', (_request, reply) => reply.code(404).send(new Error('x')), 404]
] as [string, Handler, number][]) {
  t.test(`a handler that ${what}: is answered ${status} each time, as without a cache`, async (t) => {
    const { app, runs } = await page(t, {}, handler)
    const without = Fastify()
    t.teardown(() => without.close())
    without.get('/a', (request, reply) => handler(request, reply, 1))
    for (const run of [1, 2]) {
      const answer = await ask(app, '/a')
      t.equal(answer.status, status)
      t.equal(answer.body, (await ask(without, '/a')).body)
      t.equal(runs(), run)
    }
  })
}

for (const [what, handler, isStale] of [
  ['throws an Error', () => { throw new Error('x') }, true],
  ['rejects with a text', async () => { throw 'x' }, true], // eslint-disable-line no-throw-literal
  ['answers 503', (_request, reply) => reply.code(503).headers({ 'content-encoding': 'gzip', 'x-failed': 'yes', 'set-cookie': 'a=1', 'content-length': '99' }).send('x'), true],
  ['throws one of 404', () => { throw Object.assign(new Error('x'), { statusCode: 404 }) }, false],
  ['sends an Error as 410', (_request, reply) => reply.code(410).send(new Error('x')), false]
] as [string, Handler, boolean][]) {
  t.test(`stale-if-error: a handler that ${what} ${isStale ? 'is replaced by the stored response alone' : 'sends its own response'}`, async (t) => {
    const time = new Time(t)
    const { app } = await page(t, { time, cache: { maxAge: 1, staleIfError: 60 } }, (request, reply, run) => run === 1 ? reply.send('kept') : handler(request, reply, run))
    await ask(app, '/a')
    time.advance(2)
    const { status, body, headers } = await ask(app, '/a')
    if (!isStale) {
      t.ok(status === 404 || status === 410)
      return
    }
    t.same([status, body, headers['content-encoding'], headers['x-failed'], headers['set-cookie']], [200, 'kept', undefined, undefined, undefined])
  })
}

t.test('stale-if-error: a handler that hangs is stood in for after staleAfterMs, and the stream that it sends then is ended', async (t) => {
  for (const how of ['returns', 'sends'] as const) {
    const time = new Time(t)
    const late = createReadStream(import.meta.filename)
    let release!: () => void
    const hung = new Promise<void>((resolve) => { release = resolve })
    const { app } = await page(t, { time, cache: { maxAge: 1, staleIfError: 60, staleAfterMs: 20 } }, async (_request, reply, run) => {
      if (run === 1) return 'kept'
      await hung
      return how === 'returns' ? late : reply.send(late)
    })
    await ask(app, '/a')
    time.advance(2)
    t.equal((await ask(app, '/a')).body, 'kept')
    release()
    await until(() => late.destroyed)
    t.ok(late.destroyed, how)
  }
})

t.test('a handler that hangs: who waits runs it after coalesceMs', async (t) => {
  let release!: () => void
  const hung = new Promise<void>((resolve) => { release = resolve })
  const { app } = await page(t, { edge: { coalesceMs: 10 } }, async (_request, _reply, run) => {
    if (run === 1) await hung
    return `run ${run}`
  })
  const first = ask(app, '/a')
  t.match((await ask(app, '/a')).body, 'run 2')
  release()
  t.equal((await first).body, 'run 1')
})

t.test('a handler that hijacks: no response is stored, and no request waits for it', async (t) => {
  const { app, runs } = await page(t, {}, (_request, reply, run) => {
    reply.hijack()
    reply.raw.end(`run ${run}`)
  })
  t.same((await Promise.all([1, 2, 3].map(() => ask(app, '/a')))).map(({ body }) => body).sort(), ['run 1', 'run 2', 'run 3'])
  t.equal(runs(), 3)
})

t.test('a stream that fails midway: nothing is stored, and its file is closed', async (t) => {
  const streams: Readable[] = []
  const { app, runs } = await page(t, {}, (_request, reply, run) => {
    const stream = run > 1 ? Readable.from(['whole']) : Readable.from((async function * () { yield 'half'; await wait(5); throw new Error('x') })())
    streams.push(stream)
    return reply.send(stream)
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  await send(port, 'GET /a HTTP/1.1\r\nHost: localhost:80\r\nConnection: close\r\n\r\n')
  t.ok(streams[0]!.destroyed)
  t.equal((await ask(app, '/a')).body, 'whole')
  t.equal(runs(), 2)
})

t.test('a client that disconnects midway: nothing is stored, and the file is closed', async (t) => {
  const streams: Readable[] = []
  const { app, runs } = await page(t, {}, (_request, reply, run) => {
    const stream = run > 1 ? Readable.from(['whole']) : Readable.from((async function * () { for (;;) { yield big; await wait(1) } })())
    streams.push(stream)
    return reply.send(stream)
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  socket.write('GET /a HTTP/1.1\r\nHost: localhost:80\r\n\r\n')
  await new Promise((resolve) => { socket.once('data', resolve) })
  socket.destroy()
  for (let turns = 0; turns < 200 && !streams[0]!.destroyed; turns++) await wait(5)
  t.ok(streams[0]!.destroyed)
  t.equal((await ask(app, '/a')).body, 'whole')
  t.equal(runs(), 2)
})

for (const [what, body] of Object.entries({ text: () => 'x'.repeat(101), bytes: () => Buffer.alloc(101, 'x'), stream: () => Readable.from(['x'.repeat(60), 'x'.repeat(41)]), JSON: () => ['x'.repeat(101)] })) {
  t.test(`maxBodyBytes: ${what} that is larger is sent whole, and not stored`, async (t) => {
    const { app, runs } = await page(t, { edge: { maxBodyBytes: 100 } }, (_request, reply) => reply.send(body()))
    for (const run of [1, 2]) {
      t.match((await ask(app, '/a')).body, /x{101}/)
      t.equal(runs(), run)
    }
  })
}

/** Makes a memory cache in which one member is replaced by a faulty function. */
function faulty (member: string, fault: () => unknown): Cache {
  const memory = new MemoryCache()
  const own = member === 'capture' || member === 'invalidate' ? { tags: { ...bound(memory.tags, ['capture', 'invalidate']), [member]: fault } } : { [member]: fault }
  return { name: 'faulty', ...bound(memory, ['get', 'set', 'del', 'getEntry', 'lock', 'clear']), tags: memory.tags, ...own } as unknown as Cache
}

function bound (of: object, names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, (of as Record<string, Function>)[name]!.bind(of)]))
}

const faults: Record<string, () => unknown> = {
  'answers with an error': async () => err(unavailable('get')),
  throws: () => { throw new Error('x') },
  rejects: async () => { throw new Error('x') },
  hangs: () => new Promise(() => {}),
  'answers with no Result': async () => 'OK',
  'answers with nothing': async (): Promise<Result<unknown>> => ok(undefined as unknown),
  'answers with a number': async () => ok(7),
  'answers with half an entry': async () => ok({ fresh: true })
}
for (const member of ['getEntry', 'set', 'capture', 'lock', 'invalidate']) {
  for (const [what, fault] of Object.entries(faults)) {
    t.test(`store: ${member} ${what}, and the client has the response of the handler`, async (t) => {
      const implementation = faulty(member, fault)
      const { app } = await page(t, { core: { implementation, readTimeoutMs: 20, writeTimeoutMs: 20 }, cache: { vary: ['accept'] } }, async (request) => `right ${String(request.headers.accept)}`)
      app.log.level = 'silent'
      for (const accept of ['a', 'b', 'a']) {
        const { status, body } = await ask(app, '/a', { accept })
        t.same([status, body], [200, `right ${accept}`])
      }
    })
  }
}

t.test('store: a response that was invalidated while its handler ran is not stored if the tags could not be captured', async (t) => {
  const { app, runs } = await page(t, { core: { implementation: faulty('capture', async () => err(unavailable('capture'))) } }, async (_request, _reply, run) => `run ${run}`)
  await ask(app, '/a')
  await ask(app, '/a')
  t.equal(runs(), 2)
})

for (const [options, named] of [
  [{ maxVariants: 0 }, /maxVariants.*1/], [{ personal: ['account'] }, /personal\.0/], [{ rules: [{ prefix: 'x' }] }, /rules\.0\.prefix/], [{ rules: [{ prefix: '/', maxAge: -1 }] }, /rules\.0\.maxAge/],
  [{ rules: [{ prefix: '/', scope: 'all' }] }, /rules\.0\.scope.*"shared" or "private"/], [{ etag: true }, /etag/], [{ purge: { varnish: [] } }, /purge\.varnish/], [{ unknown: 1 }, /unknown.*rules/],
  [{ name: 'a b' }, /name/], [{ tagHeader: 'X' }, /tagHeader.*"Surrogate-Key"/], [{ coalesceMs: NaN }, /coalesceMs/], [{ ignoreCookies: [''] }, /ignoreCookies\.0/]
] as [object, RegExp][]) {
  t.test(`options: ${JSON.stringify(options)} is refused by name`, async (t) => {
    await t.rejects(buildEdge(t, { edge: options }), { code: 'CACHE_ERR_OPTION_INVALID', message: named })
  })
}

for (const [cache, code, named] of [
  [{ maxAge: '5' }, 'CACHE_ERR_OPTION_INVALID', /maxAge/], [{ vary: ['a b'] }, 'CACHE_ERR_OPTION_INVALID', /vary\.0/], [{ tags: ['a b'] }, 'CACHE_ERR_OPTION_INVALID', /tags/],
  [{ statuses: [500] }, 'CACHE_ERR_OPTION_INVALID', /statuses\.0/], [{ maxage: 5 }, 'CACHE_ERR_OPTION_INVALID', /maxage.*maxAge/],
  [{ scope: 'private', store: true }, 'CACHE_ERR_POLICY_INVALID', /GET \/a.*store/], [{ scope: 'private', sMaxAge: 1 }, 'CACHE_ERR_POLICY_INVALID', /sMaxAge/],
  [{ sMaxAge: 1, staleIfError: 1 }, 'CACHE_ERR_POLICY_INVALID', /sMaxAge/], [{ mustRevalidate: true, staleWhileRevalidate: 1 }, 'CACHE_ERR_POLICY_INVALID', /mustRevalidate/],
  [{ immutable: true }, 'CACHE_ERR_POLICY_INVALID', /maxAge/], [{ store: 'by-response', maxAge: 1 }, 'CACHE_ERR_POLICY_INVALID', /maxAge/], [{ scope: 'private', sameForAll: true }, 'CACHE_ERR_POLICY_INVALID', /sameForAll/]
] as [object, string, RegExp][]) {
  t.test(`policy: ${JSON.stringify(cache)} is refused as the route is declared`, async (t) => {
    const app = await buildEdge(t)
    t.throws(() => app.get('/a', { config: { cache: cache as EdgePolicy } }, async () => 'x'), { code, message: named })
  })
}

t.test('register: @fastify/etag that is there already is refused, unless etag is false', async (t) => {
  for (const options of [{}, { etag: false } as const]) {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(cacheCore)
    await app.register(etag)
    const registered = (async () => { await app.register(cacheEdge, options) })()
    if ('etag' in options) await t.resolves(registered)
    else await t.rejects(registered, { code: 'CACHE_ERR_ETAG_CLASH' })
  }
})

t.test('register: twice is refused', async (t) => {
  const app = await buildEdge(t)
  await t.rejects((async () => { await app.register(cacheEdge) })(), { code: 'CACHE_ERR_EDGE_REGISTERED' })
})
