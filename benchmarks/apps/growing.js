// A server for the curves of `growth.js`, which vary its number of routes and the size of its stored response. `start` returns the port.
import Fastify from 'fastify'
import { cacheCore } from '@x/cache-core'
import { cacheEdge } from '@x/cache-edge'
import { cacheMetrics } from '@x/cache-metrics'

/** Starts the app. The responses of all routes `/route/0`, `/route/1`, … are stored. */
export async function start ({ routes = 1, bytes = 1000 }) {
  const app = Fastify()
  const text = 'x'.repeat(bytes)
  await app.register(cacheCore, { implementation: 'memory', memory: { isolation: 'freeze' } })
  await app.register(cacheMetrics, { advisor: false })
  await app.register(cacheEdge, { rules: [{ prefix: '/route', store: true, maxAge: 3600 }] })
  for (let at = 0; at < routes; at++) app.get(`/route/${at}`, async () => text)
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server.address().port
}
