import { cacheCore } from '@x/cache-core'
import Fastify from 'fastify'
import t from 'tap'
import { freePort } from '@x/test-kit/servers'
import { cacheEdge } from '../../src/index.js'
import { raw } from '../fixtures/edge-app.js'
import { Proxy } from '@x/test-kit/proxies'

for (const kind of ['nginx', 'varnish'] as const) {
  for (const store of [true, 'by-response', false] as const) {
    t.test(`${kind}, store ${String(store)}: no fragment becomes the query of the plain URL`, async (t) => {
      const port = await freePort()
      const app = Fastify()
      t.teardown(() => app.close())
      await app.register(cacheCore, { implementation: 'memory' })
      await app.register(cacheEdge)
      app.get('/*', { config: { cache: { store } } }, async ({ query }, reply) => reply.header('cache-control', 'public, max-age=60').send(query))
      await app.listen({ port, host: '127.0.0.1' })
      const proxy = await Proxy.start(t, kind, port)
      for (const target of ['/p/x#lang=evil', '/p/y?#lang=evil']) {
        await raw(proxy.port, target)
        t.notMatch((await proxy.ask(target.slice(0, target.indexOf('#')), { headers: { host: 'a.example' } })).body, /evil/, target)
      }
    })
  }
}
