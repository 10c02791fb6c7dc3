import { checkKey, checkLockTtl, checkTags, DONE, err, ok, type CacheLeases } from '@x/cache-core/implementing'
import type { RedisParts } from '../compose.js'
import { RedisLease } from './leases.js'

/** The member `leases` of the contract `Cache`: checks the arguments, and runs the operations while Redis is in service. */
export function redisLeases ({ service, leases, settings }: RedisParts): CacheLeases {
  return {
    take: async (key, options) => {
      const error = checkKey(key) ?? checkLockTtl(options?.ttl) ?? checkTags(options.tags ?? [])
      if (error !== undefined) return err(error)
      const { tags = [], ttl } = options
      return service.run('leases.take', () => leases.take(key, tags, settings.defaultTtl * 1000, ttl * 1000))
    },
    isCurrent: async (lease) => {
      if (!(lease instanceof RedisLease)) return ok(false)
      return service.run('leases.isCurrent', () => leases.isCurrent(lease))
    },
    release: async (lease) => {
      if (!(lease instanceof RedisLease)) return DONE
      return service.run('leases.release', () => leases.release(lease))
    }
  }
}
