/** Returns a small value of typical size. */
export const user = (id) => ({ id, name: `User ${id}`, email: `user${id}@example.org`, roles: ['admin', 'editor'], team: { id: 7, name: 'Seven' } })

/** Starts an app of one build with its cache on Redis. The builds share a Redis server and have different key prefixes. */
export async function redisApp (load, { url, keyPrefix, near }) {
  const { default: Fastify } = await load('fastify')
  const { cacheRedis } = await load('@x/cache-redis')
  const app = Fastify()
  // The heartbeat timeout is long: on a busy machine a late heartbeat makes a process read every token, which is not the measured path.
  const PATIENCE_MS = 30_000
  await app.register(cacheRedis, { url, keyPrefix, commandTimeoutMs: 5000, socketTimeoutMs: PATIENCE_MS, heartbeatTimeoutMs: PATIENCE_MS, ...near === undefined ? {} : { near } })
  await app.ready()
  // The loop waits until the cache is in service, since before that every read is a miss.
  for (let id = 0; ; id++) {
    const { ok } = await app.cache.set('probe', id, 60)
    const read = await app.cache.get('probe')
    const isTracked = app.cache.registry.status().tracking !== 'in doubt'
    if (ok && read.ok && read.value === id && isTracked) return app
    if (id === 400) throw new Error('the cache on Redis does not come into service')
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
