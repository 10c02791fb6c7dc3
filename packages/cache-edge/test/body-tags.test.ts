import compress from '@fastify/compress'
import { cacheCore } from '@x/cache-core'
import Fastify, { type FastifyInstance, type FastifyReply, type onSendHookHandler, type RouteOptions } from 'fastify'
import { createHash } from 'node:crypto'
import { Readable, Transform } from 'node:stream'
import t, { type Test } from 'tap'
import { gunzipSync } from 'node:zlib'
import { cacheEdge, type CacheEdgeOptions, type EdgePolicy } from '../src/index.js'
import { ask } from './fixtures/edge-app.js'

/** The version that hooks append to the body. */
let version = 1
const stamp: onSendHookHandler<unknown> = (_request, _reply, payload, done) => {
  if (typeof payload === 'string') done(null, `${payload} v${version}`)
  else if (Buffer.isBuffer(payload)) done(null, Buffer.concat([payload, Buffer.from(` v${version}`)]))
  else done(null, payload)
}

interface Setup { edge?: CacheEdgeOptions; cache?: EdgePolicy; hook?: onSendHookHandler<unknown> }
/** The places in which a hook that changes the body can be registered. */
const orders: Record<string, (
  app: FastifyInstance, setup: Setup, declare: (app: FastifyInstance, route?: Partial<RouteOptions>) => void
) => Promise<void>> = {
  'in front of the edge': async (app, { edge = {}, hook = stamp }, declare) => {
    app.addHook('onSend', hook)
    await app.register(cacheEdge, edge)
    declare(app)
  },
  'behind the edge': async (app, { edge = {}, hook = stamp }, declare) => {
    await app.register(cacheEdge, edge)
    app.addHook('onSend', hook)
    declare(app)
  },
  'in a part of the app': async (app, { edge = {}, hook = stamp }, declare) => {
    await app.register(cacheEdge, edge)
    await app.register(async (part) => {
      declare(part)
      part.addHook('onSend', hook)
    })
  },
  'of the route': async (app, { edge = {}, hook = stamp }, declare) => {
    await app.register(cacheEdge, edge)
    declare(app, { onSend: hook as onSendHookHandler })
  },
  'pushed by an onRoute hook in front of the edge': async (app, { edge = {}, hook = stamp }, declare) => {
    app.addHook('onRoute', (route) => { route.onSend = [route.onSend ?? [], hook].flat() as NonNullable<RouteOptions['onSend']> })
    await app.register(cacheEdge, edge)
    declare(app)
  },
  'pushed by an onRoute hook behind the edge': async (app, { edge = {}, hook = stamp }, declare) => {
    await app.register(cacheEdge, edge)
    app.addHook('onRoute', (route) => { (route.onSend as unknown[]).push(hook) })
    declare(app)
  },
  'set by an onRoute hook behind the edge': async (app, { edge = {}, hook = stamp }, declare) => {
    await app.register(cacheEdge, edge)
    app.addHook('onRoute', (route) => { route.onSend = [hook, route.onSend!].flat() as NonNullable<RouteOptions['onSend']> })
    declare(app)
  }
}

const bodies: Record<string, (reply: FastifyReply) => unknown> = {
  text: () => 'page', object: () => ({ a: 1 }), bytes: () => Buffer.from('page'), empty: () => ''
}

async function build (
  t: Test, order: string, setup: Setup, handler: (reply: FastifyReply) => unknown = bodies.text!
): Promise<{ app: FastifyInstance; runs: () => number }> {
  version = 1
  const app = Fastify() as FastifyInstance
  t.teardown(() => app.close())
  await app.register(cacheCore, { implementation: 'memory' })
  let runs = 0
  await orders[order]!(app, setup, (part, route = {}) => {
    part.get('/', { ...route, ...setup.cache === undefined ? {} : { config: { cache: setup.cache } } }, async (_request, reply) => {
      runs++
      return handler(reply)
    })
  })
  await app.ready()
  return { app, runs: () => runs }
}

const tagOf = (body: string): string => `W/"${createHash('sha1').update(body).digest('base64')}"`

for (const order of Object.keys(orders)) {
  for (const [stored, cache] of Object.entries({ 'without a rule': undefined, stored: { store: true }, 'not stored': {} } as Record<string, EdgePolicy | undefined>)) {
    t.test(`a client that has the old page gets no 304 when a hook ${order} changes it, ${stored}`, async (t) => {
      for (const [kind, handler] of Object.entries(bodies)) {
        const { app, runs } = await build(t, order, { ...cache !== undefined && { cache } }, handler)
        const first = await ask(app, '/')
        t.match(first.body, / v1$/)
        t.equal(first.headers.etag, tagOf(first.body), kind)
        for (const condition of [first.headers.etag, `"x", ${String(first.headers.etag)}`]) t.match(await ask(app, '/', { 'if-none-match': condition }), { status: 304, body: '' }, kind)
        t.match(await ask(app, '/', {}, 'HEAD'), { headers: { etag: first.headers.etag } }, kind)
        version = 2
        for (const condition of [first.headers.etag, `"x", ${String(first.headers.etag)}`]) {
          const answer = await ask(app, '/', { 'if-none-match': condition })
          t.match(answer, { status: 200, body: / v2$/ }, kind)
          t.equal(answer.headers.etag, tagOf(answer.body), kind)
          t.match(await ask(app, '/', { 'if-none-match': answer.headers.etag }), { status: 304 }, kind)
        }
        const head = await ask(app, '/', { 'if-none-match': first.headers.etag }, 'HEAD')
        t.ok(head.status === 200 || head.headers.etag !== first.headers.etag, kind)
        if (stored === 'stored') t.equal(runs(), 1, kind)
      }
    })
  }
}

t.test('the stored body is the one in front of all hooks, and they run once on each hit', async (t) => {
  for (const order of Object.keys(orders)) {
    const { app, runs } = await build(t, order, { cache: { store: true } })
    const seen = []
    for (version = 1; version < 4; version++) seen.push((await ask(app, '/')).body)
    t.same(seen, ['page v1', 'page v2', 'page v3'], order)
    t.equal(runs(), 1, order)
  }
})

t.test('a hook that changes the body on a hit for the first time: no 304 by the tag of the stored body', async (t) => {
  let isOn = false
  const { app } = await build(t, 'behind the edge', {
    cache: { store: true }, hook: (_request, _reply, payload, done) => done(null, isOn && typeof payload === 'string' ? 'other' : payload)
  })
  const { headers: { etag } } = await ask(app, '/')
  t.match(await ask(app, '/', { 'if-none-match': etag }), { status: 304, cacheStatus: /hit/ })
  isOn = true
  t.match(await ask(app, '/', { 'if-none-match': etag }), { status: 200, body: 'other', headers: { etag: tagOf('other') } })
})

t.test('a stream has no tag when it leaves the hooks; one that a hook has read has that of the text', async (t) => {
  const upper: onSendHookHandler<unknown> = (_request, _reply, payload, done) => {
    done(null, (payload as Readable | string) instanceof Readable ? payload : Readable.from([String(payload).toUpperCase()]))
  }
  const { app } = await build(t, 'behind the edge', { hook: upper })
  const answer = await ask(app, '/')
  t.match(answer, { status: 200, body: 'PAGE' })
  t.equal(answer.headers.etag, undefined)
  const read = await build(t, 'of the route', {
    hook: (_request, _reply, payload, done) => { (payload as Readable).toArray().then((parts: unknown[]) => done(null, parts.join('')), done) }
  }, () => Readable.from(['a', 'b']))
  t.match(await ask(read.app, '/'), { body: 'ab', headers: { etag: tagOf('ab') } })
  const replaced = await build(t, 'of the route', {
    hook: (_request, _reply, payload, done) => done(null, Readable.from([String(payload)]).pipe(new Transform({ transform: (chunk, _coding, next) => next(null, `${String(chunk)}!`) })))
  })
  t.equal((await ask(replaced.app, '/')).headers.etag, undefined)
})

t.test('a tag of the app\'s own stays, and is taken at its word', async (t) => {
  for (const cache of [{}, { store: true }] as EdgePolicy[]) {
    const { app } = await build(t, 'behind the edge', { cache }, (reply) => reply.header('etag', '"own"').send('page'))
    t.match(await ask(app, '/'), { body: 'page v1', headers: { etag: '"own"' } })
    version = 2
    t.match(await ask(app, '/', { 'if-none-match': '"own"' }), { status: 304, headers: { etag: '"own"' } })
    const hook = await build(t, 'behind the edge', { cache, hook: (_request, reply, payload, done) => { reply.header('etag', `"${version}"`); done(null, payload) } })
    t.match((await ask(hook.app, '/')).headers, { etag: '"1"' })
    version = 2
    t.match(await ask(hook.app, '/', { 'if-none-match': '"1"' }), { status: 200, headers: { etag: '"2"' } })
  }
})

for (const compression of ['in front of', 'behind'] as const) {
  t.test(`compression ${compression} the edge: a coded body has a weak tag, and a changed one another`, async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    version = 1
    await app.register(cacheCore, { implementation: 'memory' })
    if (compression === 'in front of') await app.register(compress, { threshold: 0 })
    await app.register(cacheEdge, { etag: { weak: false } })
    if (compression === 'behind') await app.register(compress, { threshold: 0 })
    app.addHook('onSend', stamp)
    for (const [url, store] of [['/kept', true], ['/not', false]] as const) app.get(url, { config: { cache: { store } } }, async () => 'page '.repeat(500))
    for (const url of ['/kept', '/not']) {
      version = 1
      for (let times = 0; times < 2; times++) {
        const plain = await app.inject({ url })
        const coded = await app.inject({ url, headers: { 'accept-encoding': 'gzip' } })
        t.equal(gunzipSync(coded.rawPayload).toString(), plain.body)
        t.match(plain.headers.etag, /^"/)
        t.equal(coded.headers.etag, `W/${String(plain.headers.etag)}`)
        for (const encoding of ['gzip', 'br', 'identity']) {
          for (const tag of [plain, coded]) {
            const again = await app.inject({ url, headers: { 'accept-encoding': encoding, 'if-none-match': tag.headers.etag as string } })
            t.equal(again.statusCode, 304)
            t.equal(again.headers['content-encoding'], undefined)
          }
        }
        version++
        t.equal((await app.inject({ url, headers: { 'accept-encoding': 'gzip', 'if-none-match': coded.headers.etag as string } })).statusCode, 200)
      }
    }
  })
}

t.test('a client with a coded page gets no 304 when a hook of the route has changed the page in front of compression', async (t) => {
  for (const isBehind of [false, true]) {
    for (const store of [true, false]) {
      version = 1
      const app = Fastify()
      t.teardown(() => app.close())
      await app.register(cacheCore, { implementation: 'memory' })
      if (!isBehind) await app.register(compress, { threshold: 0 })
      await app.register(cacheEdge)
      if (isBehind) await app.register(compress, { threshold: 0 })
      app.get('/', { onSend: stamp as onSendHookHandler, config: { cache: { store } } }, async (_request, reply) => reply.type('text/plain').send('page'))
      const coded = (etag?: unknown, method: 'GET' | 'HEAD' = 'GET') => app.inject({ method, url: '/', headers: { 'accept-encoding': 'gzip', ...typeof etag === 'string' ? { 'if-none-match': etag } : {} } })
      const first = await coded()
      t.match(first.headers, { 'content-encoding': 'gzip', etag: tagOf('page v1') })
      t.equal((await coded(first.headers.etag)).statusCode, 304)
      version = 2
      const second = await coded(first.headers.etag)
      t.equal(second.statusCode, 200)
      t.equal(gunzipSync(second.rawPayload).toString(), 'page v2')
      t.equal(second.headers.etag, tagOf('page v2'))
      t.equal((await coded(second.headers.etag)).statusCode, 304)
    }
  }
})

t.test('a route that was declared before the plugin had loaded: no tag and no 304 where a later hook may change the body', async (t) => {
  for (const isBehind of [true, false]) {
    version = 1
    const app = Fastify()
    t.teardown(() => app.close())
    if (!isBehind) app.addHook('onSend', stamp)
    app.register(cacheEdge)
    app.get('/', async () => 'page')
    if (isBehind) await app.register(async (part) => { app.addHook('onSend', stamp) })
    await app.ready()
    const { headers: { etag } } = await ask(app, '/')
    t.equal(etag, isBehind ? undefined : tagOf('page v1'))
    if (etag !== undefined) t.match(await ask(app, '/', { 'if-none-match': etag }), { status: 304 })
    version = 2
    t.match(await ask(app, '/', { 'if-none-match': tagOf('page v1') }), { status: 200, body: 'page v2' })
  }
})
