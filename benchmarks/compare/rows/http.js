// Stored responses over HTTP: CPU time of the server's process per request, the client in another process.
const PATH = '/rows'

async function start (load) {
  const { default: Fastify } = await load('fastify')
  const { cacheCore } = await load('@x/cache-core')
  const { cacheEdge } = await load('@x/cache-edge')
  const app = Fastify()
  await app.register(cacheCore, { implementation: 'memory', memory: { isolation: 'freeze' } })
  await app.register(cacheEdge, { rules: [{ prefix: PATH, store: true }] })
  app.get(PATH, async () => Array.from({ length: 50 }, (_, id) => ({ id, name: `Product ${id}`, price: id * 1.5, stock: id, tags: ['new', 'sale'], category: 'Games' })))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { url: `http://127.0.0.1:${app.server.address().port}${PATH}` }
}

/** Sends a number of requests on 16 connections. Throws if one is answered with another status. */
async function send (url, amount, headers, status) {
  // The server's process reads this file, too, and has no use for a client.
  const { rateOf } = await import('../../measure.js')
  await rateOf(amount, { url, connections: 16, headers, statuses: [status] })
}

async function revalidate (url, amount) {
  const { etagOf } = await import('../../measure.js')
  await send(url, amount, { 'if-none-match': await etagOf(url) }, '304')
}

const row = (client) => ({ calls: 1500, figure: 'cpu', atMost: 1.03, start, client })

export const rows = {
  'http: stored hit': row((url, amount) => send(url, amount, {}, '200')),
  'http: 304 of a stored hit': row(revalidate)
}
