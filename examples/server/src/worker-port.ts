import { once } from 'node:events'
import { createServer } from 'node:http'
import type { FastifyInstance } from 'fastify'

/**
 * Serves the app on a second port, which this process alone has: workers of node's cluster or of pm2 share the first one, so a scrape of it, or a look at its
 * advice, reaches any of them.
 */
export function addWorkerPort (app: FastifyInstance, options: { host: string; port: number }): void {
  const server = createServer((request, response) => { app.routing(request, response) })
  app.addHook('onReady', async function listenAlone () {
    // Without `exclusive` the cluster would share this port, too.
    server.listen({ ...options, exclusive: true })
    await once(server, 'listening')
  })
  app.addHook('onClose', async function closeAlone () {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    // Scrapers leave connections open.
    server.closeAllConnections()
    await closed
  })
}
