import cacheRedis, { cacheRedis as named, RedisCache, redisOptionsFromEnv, type CacheRedisOptions } from '@x/cache-redis'
import Fastify from 'fastify'

const options: CacheRedisOptions = { ...redisOptionsFromEnv({}), mode: 'cluster', url: ['redis://127.0.0.1:7000'], rollout: { percent: 10 } }
const app = Fastify()
await app.register(cacheRedis, options)
await app.register(named, { enabled: false })

const cache = new RedisCache({ consistency: 'strong', compression: 'brotli', compressAboveBytes: 1024 })
const result = await cache.get<string>('user:1')
app.log.info(result.ok ? result.value : result.error.code)
