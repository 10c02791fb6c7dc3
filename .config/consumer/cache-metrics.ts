import cacheMetrics, { cacheMetrics as named } from '@x/cache-metrics'
import Fastify from 'fastify'

const app = Fastify()
await app.register(cacheMetrics)
await app.register(named)

const user: string = await app.cache.getOrSet<string>('user:1', async () => 'x', { ttl: 60 })
app.log.info(user)
