// A row (an operation to measure): a request with one getOrSet on MemoryCache, with and without a canary in its baseline. The figure is the
// CPU time of the server's process. With `hasHooks` the app has an onRequest and an onSend hook of its own, as most plugins add: the first hook
// of each kind costs Fastify more than each further hook.
const PATH = '/users/1'

async function start (load, { canary, hasHooks = false }) {
  const { default: Fastify } = await load('fastify')
  const { cacheCore } = await load('@x/cache-core')
  const app = Fastify()
  if (hasHooks) {
    app.addHook('onRequest', (request, reply, done) => done())
    app.addHook('onSend', (request, reply, payload, done) => done())
  }
  await app.register(cacheCore, { implementation: 'memory', rollout: canary ? { canary: true } : { percent: 0 } })
  const users = new Map(Array.from({ length: 100 }, (_, at) => [String(at), { id: at, name: 'Ada', roles: ['admin', 'editor'] }]))
  app.get('/users/:id', (request) => request.cache.getOrSet(`user:${request.params.id}`, async () => users.get(request.params.id), 60))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return { url: `http://127.0.0.1:${app.server.address().port}${PATH}` }
}

async function client (url, amount) {
  // The module is imported here, since the server's process also reads this file and does not need it.
  const { rateOf } = await import('../../measure.js')
  await rateOf(amount, { url, connections: 16, statuses: ['200'] })
}

export const rows = { 'canary: idle': { calls: 1500, warmUps: 14, pairsPerBlock: 15, figure: 'cpu', atMost: 1.02, start, client } }
