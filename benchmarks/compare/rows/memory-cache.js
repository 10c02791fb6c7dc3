// Rows (operations to measure) of `compare.js`: reads and writes of fastify.cache on MemoryCache.
const KEYS = Array.from({ length: 5000 }, (_, id) => `user:${id}`)
const user = (id) => ({ id, name: `User ${id}`, email: `user${id}@example.org`, roles: ['admin', 'editor'], team: { id: 7, name: 'Seven' } })
const key = (i) => KEYS[i % KEYS.length]

/** Makes a row that runs one call after the other; `call` receives the cache and a running number. */
function on (isolation, call) {
  return async (load) => {
    const { default: Fastify } = await load('fastify')
    const { cacheCore } = await load('@x/cache-core')
    const app = Fastify()
    await app.register(cacheCore, { implementation: 'memory', memory: { isolation, maxEntries: 10_000 } })
    await app.ready()
    for (const [id, each] of KEYS.entries()) await app.cache.set(each, user(id), 3600)
    let next = 0
    return {
      async run (calls) {
        for (let i = 0; i < calls; i++) await call(app.cache, next++)
      }
    }
  }
}

async function mustHit (result) {
  const { ok, value } = await result
  if (!ok || value === null) throw new Error('no hit')
}
const neverLoad = () => { throw new Error('no hit') }
const row = (calls, isolation, call) => ({ calls, figure: 'cpu', atMost: 1.03, start: on(isolation, call) })
const OPTIONS = { ttl: 3600 }

export const rows = {
  'memory-cache: get, freeze': row(100_000, 'freeze', (cache, i) => mustHit(cache.get(key(i)))),
  'memory-cache: get, clone': row(25_000, 'clone', (cache, i) => mustHit(cache.get(key(i)))),
  'memory-cache: getOrSet hit, freeze': row(50_000, 'freeze', (cache, i) => cache.getOrSet(key(i), neverLoad, OPTIONS)),
  'memory-cache: getOrSet hit, clone': row(25_000, 'clone', (cache, i) => cache.getOrSet(key(i), neverLoad, OPTIONS)),
  'memory-cache: set': row(10_000, 'clone', async (cache, i) => {
    if (!(await cache.set(key(i), user(i), 3600)).ok) throw new Error('not ok')
  })
}
