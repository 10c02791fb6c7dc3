// Rows (operations to measure) of `compare.js`: requests for stored responses. The figure is the CPU time of the server's process per
// request; the client runs in another process.
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

/** Sends a number of requests over 16 connections. Throws if a response has another status than the expected one. */
async function send (url, amount, headers, status) {
  // The module is imported here, since the server's process also reads this file and does not need it.
  const { send } = await import('../../measure.js')
  await send(amount, { url, connections: 16, headers, statuses: [status] })
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
