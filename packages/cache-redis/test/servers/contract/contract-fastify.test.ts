import { cacheRedis } from '@x/cache-redis'
import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import { newPrefix, testContract } from '../../fixtures/contract.js'
import { PATIENT_REDIS } from '@x/test-kit/patient-redis'
import { RedisServer } from '@x/test-kit/redis-server'

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
  // The limits are long, since an app that does not reach its server in time starts without it. Many apps start at once here, on a busy
  // machine.
  await app.register(cacheRedis, { url: server.url, keyPrefix: newPrefix(), maxTags: 1000, ...PATIENT_REDIS })
  await app.ready()
  return app.cache
})
