import { cacheRedis } from '@x/cache-redis'
import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import { newPrefix, testContract } from '../fixtures/contract.js'
import { RedisServer } from '../fixtures/redis-server.js'

t.setTimeout(300_000)
const server = await RedisServer.start()
const apps: FastifyInstance[] = []
t.teardown(async () => {
  await Promise.all(apps.map((app) => app.close()))
  await server.close()
})

await testContract('fastify.cache on redis', async () => {
  const app = Fastify()
  apps.push(app)
  await app.register(cacheRedis, { url: server.url, keyPrefix: newPrefix(), commandTimeoutMs: 5000, heartbeatTimeoutMs: 5000 })
  await app.ready()
  return app.cache
})
