import cacheCore, { cacheCore as named } from '@x/cache-core'
import Fastify from 'fastify'

const app = Fastify()
await app.register(cacheCore)
await app.register(named)

const user: string = await app.cache.getOrSet<string>('user:1', async () => 'x', { ttl: 60 })

app.get('/', async (request) => {
  const found = await request.cache.get<string>('user:1')
  return found.ok ? found.value ?? user : found.error.code
})
