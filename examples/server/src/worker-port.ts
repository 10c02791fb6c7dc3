import { once } from 'node:events'
import { createServer } from 'node:http'
import type { FastifyInstance } from 'fastify'

/**
 * Serves the app on a second port, which this process alone has. Workers of node's cluster or of pm2 share the first port, so that a scrape
 * of it, or a request for the advice, reaches any one of them.
 */
export function addWorkerPort (app: FastifyInstance, options: { host: string; port: number }): void {
  const server = createServer((request, response) => { app.routing(request, response) })
  app.addHook('onReady', async function listenAlone () {
    // With `exclusive` the workers of a cluster do not share this port.
    server.listen({ ...options, exclusive: true })
    await once(server, 'listening')
  })
  app.addHook('onClose', async function closeAlone () {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    // Open connections are closed, since scrapers leave connections open, and the server ends only after its connections have ended.
    server.closeAllConnections()
    await closed
  })
}
