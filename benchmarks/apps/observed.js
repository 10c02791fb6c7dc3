// One route that reads something quick from its source; with or without the suite in between.
import Fastify from 'fastify'
import { cacheCore } from '@x/cache-core'
import { cacheMetrics } from '@x/cache-metrics'

const app = Fastify()
const users = new Map([['1', { id: '1', name: 'Ada', roles: ['admin', 'editor'] }]])
const load = async (id) => users.get(id)

if (process.argv[2] === 'with') {
  await app.register(cacheCore)
  await app.register(cacheMetrics)
  app.get('/users/:id', (request) => {
    const { id } = request.params
    return request.cache.getOrSet(`user:${id}`, () => load(id), { ttl: 60 })
  })
} else {
  app.get('/users/:id', (request) => load(request.params.id))
}

await app.listen({ port: 0 })
process.send(app.server.address().port)
