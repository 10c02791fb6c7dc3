import etag from '@fastify/etag'
import { cacheCore } from '@x/cache-core'
import Fastify, { type FastifyInstance, type RouteOptions } from 'fastify'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { cacheEdge, type CacheEdgeOptions } from '../src/index.js'
import { ask, buildEdge } from './fixtures/edge-app.js'
import { isHit } from './fixtures/page.js'

const places: Record<string, (app: FastifyInstance) => unknown> = {
  'after it': (app) => { app.register(etag) },
  'after it, in a context': (app) => { app.register(async (context) => { await context.register(etag) }) },
  'after it, in a context of a context': (app) => { app.register(async (context) => { context.register(async (inner) => { await inner.register(etag) }) }) }
}
for (const [where, register] of Object.entries(places)) {
  t.test(`@fastify/etag ${where} is refused, unless etag is false`, async (t) => {
    const build = async (options: CacheEdgeOptions): Promise<FastifyInstance> => {
      const app = Fastify()
      t.teardown(() => app.close())
      await app.register(cacheEdge, options)
      register(app)
      return app
    }
    await t.rejects(async () => (await build({})).ready(), { code: 'CACHE_ERR_ETAG_CLASH' })
    await t.resolves(async () => (await build({ etag: false })).ready())
  })
}

t.test('@fastify/etag nowhere: contexts of all kinds are fine', async (t) => {
  const app = await buildEdge(t)
  app.register(async (context) => { context.register(async () => {}) })
  await t.resolves(async () => app.ready())
})

const { peerDependencies: { fastify: peerRange } } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as { peerDependencies: { fastify: string } }
for (const [version, isRefused] of [['5.10.0', true], ['5.11.0', false], ['6.0.0', true]] as const) {
  t.test(`Fastify ${version} is ${isRefused ? 'refused, with both versions in the message' : 'accepted'}`, async (t) => {
    const app = Object.defineProperty(Fastify(), 'version', { value: version })
    t.teardown(() => app.close())
    const registered = (async () => { await app.register(cacheEdge) })()
    if (!isRefused) await t.resolves(registered)
    else await t.rejects(registered, { code: 'FST_ERR_PLUGIN_VERSION_MISMATCH', message: `expected '${peerRange}' fastify version, '${version}' is installed` })
  })
}

/** As `@fastify/websocket` does: a handler marked `websocket` is given a socket and the request; others an upgrade as well. */
function addWebSockets (app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const { websocket, wsHandler, handler } = route as RouteOptions & { websocket?: boolean; wsHandler?: Function }
    const onSocket = websocket === true ? handler as Function : wsHandler
    if (onSocket === undefined) return
    const onRequest = websocket === true ? undefined : handler
    route.handler = function (request, reply) {
      if (request.headers.upgrade === undefined) {
        return onRequest === undefined ? reply.code(404).send() : onRequest.call(this, request, reply)
      }
      return reply.send(onSocket.call(this, { isSocket: true }, request))
    }
  })
}

async function buildSockets (t: Test, order: 'before' | 'after'): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheCore, { implementation: 'memory' })
  if (order === 'before') addWebSockets(app)
  await app.register(cacheEdge, { rules: [{ prefix: '/', store: true, currentTag: () => 'v' }] })
  if (order === 'after') addWebSockets(app)
  const onSocket = (socket: unknown, request: { url: string }): unknown => ({ ...socket as object, url: request.url })
  app.get('/marked', { websocket: true } as object, onSocket as never)
  app.route({ method: 'GET', url: '/both', handler: async () => 'x', wsHandler: onSocket } as RouteOptions)
  app.get('/plain', async () => 'x')
  return app
}

for (const order of ['before', 'after'] as const) {
  t.test(`a WebSocket plugin ${order} it: the handler of a socket is given the socket, each time`, async (t) => {
    const app = await buildSockets(t, order)
    for (let times = 0; times < 2; times++) {
      t.equal((await ask(app, '/both')).body, 'x')
      for (const url of ['/marked', '/both']) t.same(JSON.parse((await ask(app, url, { connection: 'upgrade', upgrade: 'websocket' })).body), { isSocket: true, url }, url)
    }
    t.equal((await ask(app, '/marked')).status, 404)
    await ask(app, '/plain')
    t.ok(isHit(await ask(app, '/plain')), 'others are kept')
  })
}

t.test('plugin: no namespace can be called as the keys and tags of stored responses begin', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(cacheEdge)
  for (const name of ['edge', 'edge-uri']) t.throws(() => app.cache.namespace(name), { code: 'CACHE_ERR_OPTION_INVALID' })
  t.ok(app.cache.namespace('edges'))
})
