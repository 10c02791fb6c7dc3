// The caches of this repository, behind the calls that the rows of `stores.js` make.
import { redisApp } from '../rows/redis-app.js'

/** Returns the calls on a `fastify.cache` in the form that the rows use. */
function callsOf ({ cache }, onReady = async () => {}) {
  return {
    async set (key, value, tags) {
      if (!(await cache.set(key, value, { ttl: 3600, tags })).ok) throw new Error('not stored')
    },
    async get (key) {
      const { ok, value } = await cache.get(key)
      if (!ok || value === null) throw new Error('no hit')
    },
    getOrSet: (key, loader) => cache.getOrSet(key, loader, { ttl: 3600 }),
    ready: onReady
  }
}

async function memory (load, { isolation = 'freeze', maxEntries = 10_000 }) {
  const { default: Fastify } = await load('fastify')
  const { cacheCore } = await load('@x/cache-core')
  const app = Fastify()
  await app.register(cacheCore, { implementation: 'memory', memory: { isolation, maxEntries, maxBytes: 2 ** 32 } })
  await app.ready()
  return callsOf(app)
}

async function redis (load, { url, keyPrefix = 'ours:' }) {
  return callsOf(await redisApp(load, { url, keyPrefix }))
}

/** Makes a cache with a near cache. It is ready when a copy answers each read: messages about the stores arrive late and remove copies. */
async function near (load, { url, isolation = 'freeze' }) {
  const app = await redisApp(load, { url, keyPrefix: 'near:', near: { isolation, maxEntries: 10_000 } })
  const hits = () => app.cache.registry.status().near.hits
  return callsOf(app, async (keys) => {
    for (let tries = 0; tries < 100; tries++) {
      const before = hits()
      for (const key of keys) await app.cache.get(key)
      if (hits() - before === keys.length) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error('the near cache does not hold all keys')
  })
}

export const ours = { memory, redis, near }
