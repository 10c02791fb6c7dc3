// A row (an operation to measure): a request with one getOrSet on MemoryCache, with and without a canary in its baseline. The figure is the
// CPU time of the server's process. `beside`: `hooks` gives the app an onRequest and an onSend hook of its own, as most plugins add, since the
// first hook of each kind costs Fastify more than each further hook; `metrics` registers cacheMetrics, which measures the requests already.
const PATH = '/users/1'

async function start (load, { canary, beside = 'nothing' }) {
  const { default: Fastify } = await load('fastify')
  const { cacheCore } = await load('@x/cache-core')
  const app = Fastify()
  if (beside === 'hooks') {
    app.addHook('onRequest', (request, reply, done) => done())
    app.addHook('onSend', (request, reply, payload, done) => done())
  }
  await app.register(cacheCore, { implementation: 'memory', rollout: canary ? { canary: true } : { percent: 0 } })
  if (beside === 'metrics') await app.register((await load('@x/cache-metrics')).cacheMetrics)
  const users = new Map(Array.from({ length: 100 }, (_, at) => [String(at), { id: at, name: 'Ada', roles: ['admin', 'editor'] }]))
  app.get('/users/:id', (request) => request.cache.getOrSet(`user:${request.params.id}`, async () => users.get(request.params.id), 60))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { url: `http://127.0.0.1:${app.server.address().port}${PATH}` }
}

async function client (url, amount) {
  // The module is imported here, since the server's process also reads this file and does not need it.
  const { send } = await import('../../measure.js')
  await send(amount, { url, connections: 16, statuses: ['200'] })
}

export const rows = { 'canary: idle': { calls: 6000, warmUps: 5, pairsPerBlock: 5, figure: 'cpu', atMost: 1.02, start, client } }
