// Caches of others, behind the calls that the rows of `stores.js` make.
const TTL_MS = 3_600_000
const parse = (text) => {
  if (text === null) throw new Error('no hit')
  return JSON.parse(text)
}
function mustHit (value) {
  if (value === undefined || value === null) throw new Error('no hit')
}

async function lru (load) {
  const { LRUCache } = await load('lru-cache')
  const cache = new LRUCache({ max: 10_000 })
  // The calls are async functions, like the calls of an asynchronous cache.
  return {
    async set (key, value) { cache.set(key, value) },
    async get (key) { mustHit(cache.get(key)) }
  }
}

async function ioredis (load, { url }) {
  const { Redis } = await load('ioredis-6')
  const client = new Redis(url, { keyPrefix: 'raw:' })
  return {
    async set (key, value) { await client.set(key, JSON.stringify(value), 'EX', 3600) },
    async get (key) { parse(await client.get(key)) }
  }
}

function bentoCalls (bento) {
  return {
    async set (key, value, tags) { await bento.set({ key, value, ttl: '1h', tags }) },
    async get (key) { mustHit(await bento.get({ key })) },
    getOrSet: (key, factory) => bento.getOrSet({ key, factory, ttl: '1h' })
  }
}

async function bentoMemory (load, { serialize = false }) {
  const { BentoCache, bentostore } = await load('bentocache')
  const { memoryDriver } = await load('bentocache/drivers/memory')
  return bentoCalls(new BentoCache({ default: 'memory', stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: 10_000, serialize })) } }))
}

async function bentoRedis (load, { url, isTwoTiers = false }) {
  const { BentoCache, bentostore } = await load('bentocache')
  const { memoryDriver } = await load('bentocache/drivers/memory')
  const { redisBusDriver, redisDriver } = await load('bentocache/drivers/redis')
  // The package `ioredis` that BentoCache installs is used for BentoCache, since it may not support another version.
  const { Redis } = await load('ioredis')
  const store = bentostore()
  const { hostname: host, port } = new URL(url)
  if (isTwoTiers) store.useL1Layer(memoryDriver({ maxItems: 10_000 })).useBus(redisBusDriver({ connection: { host, port: Number(port) } }))
  store.useL2Layer(redisDriver({ connection: new Redis(url) }))
  return bentoCalls(new BentoCache({ default: 'redis', prefix: isTwoTiers ? 'tiers' : 'bento', stores: { redis: store } }))
}

/** Makes a cache of cache-manager over the memory store of cacheable, as the documentation of cache-manager combines them. */
async function cacheManager (load) {
  const { createCache } = await load('cache-manager')
  const { createKeyv } = await load('cacheable')
  const cache = createCache({ stores: [createKeyv({ lruSize: 10_000 })] })
  return {
    async set (key, value) { await cache.set(key, value, TTL_MS) },
    async get (key) { mustHit(await cache.get(key)) },
    getOrSet: (key, loader) => cache.wrap(key, loader, TTL_MS)
  }
}

async function cacheable (load) {
  const { Cacheable } = await load('cacheable')
  const cache = new Cacheable()
  return {
    async set (key, value) { await cache.set(key, value, TTL_MS) },
    async get (key) { mustHit(await cache.get(key)) },
    getOrSet: (key, loader) => cache.getOrSet(key, loader, { ttl: TTL_MS })
  }
}

/** async-cache-dedupe has no call `get`: a value is loaded once, and every later call is a hit. */
async function dedupe (load) {
  const { createCache } = await load('async-cache-dedupe')
  const values = new Map()
  const cache = createCache({ ttl: 3600, storage: { type: 'memory', options: { size: 10_000 } } })
  cache.define('value', async (key) => values.get(key))
  return {
    async set (key, value) {
      values.set(key, value)
      await cache.value(key)
      values.delete(key)
    },
    async getOrSet (key) { mustHit(await cache.value(key)) }
  }
}

export const rivals = { lru, ioredis, bentoMemory, bentoRedis, cacheManager, cacheable, dedupe }
