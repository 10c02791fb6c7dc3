// Rows (operations to measure) of `growth.js`: calls on a cache whose entries, tags, values or key patterns a curve varies.
import { redisApp } from './redis-app.js'

/**
 * Returns the index of an entry in an order in which neighbours are far apart, so that entries are not read in the order in which memory
 * holds them.
 */
const scattered = (i, entries) => (i * 7919) % entries

async function mustBeOk (result) {
  const { ok, value } = await result
  if (!ok || value === null) throw new Error('no hit')
}

async function appWith (load, options) {
  const { default: Fastify } = await load('fastify')
  const { cacheCore } = await load('@x/cache-core')
  const app = Fastify()
  await app.register(cacheCore, options)
  return app
}

async function memory (load, { isolation = 'freeze', entries }) {
  const app = await appWith(load, { implementation: 'memory', memory: { isolation, maxEntries: Math.max(entries, 1000), maxBytes: 2 ** 33 } })
  await app.ready()
  return app
}

/** Returns the tags of an entry: each entry has `perEntry` of the `inUse` different tags. */
const tagsOf = (id, perEntry, inUse) => Array.from({ length: perEntry }, (_, at) => `tag:${(id + at) % inUse}`)

/** Makes a value whose JSON has about the given number of bytes and consists of many strings. */
function valueOf (id, bytes) {
  return { id, parts: Array.from({ length: Math.max(1, Math.round(bytes / 100)) }, (_, at) => `${id}-${at}-`.padEnd(96, 'x')) }
}

/** Makes a row. `on` starts the app with its cache; `call` receives the cache, a running number and the context. */
const row = (on, call, more = {}) => ({
  figure: 'cpu',
  async start (load, context) {
    const full = { entries: 1000, perEntry: 0, inUse: 1000, bytes: 100, ...context }
    const { cache } = await on(load, full)
    for (let id = 0; id < full.entries; id++) {
      await mustBeOk(cache.set(`entry:${id}`, valueOf(id, full.bytes), { ttl: 3600, tags: tagsOf(id, full.perEntry, full.inUse) }))
    }
    let next = 0
    return { async run (calls) { for (let i = 0; i < calls; i++) await call(cache, next++, full) } }
  },
  ...more
})

const get = (cache, i, { entries }) => mustBeOk(cache.get(`entry:${scattered(i, entries)}`))
const set = (cache, i, { entries, perEntry, inUse, bytes }) => {
  const id = scattered(i, entries)
  return mustBeOk(cache.set(`entry:${id}`, valueOf(id, bytes), { ttl: 3600, tags: tagsOf(id, perEntry, inUse) }))
}
/** Invalidates a tag and stores a new entry with the tag, so that each invalidation removes one entry. */
async function invalidate (cache, i, { inUse, entries }) {
  const id = scattered(i, Math.min(inUse, entries))
  const { ok } = await cache.tags.invalidate(`tag:${id}`)
  if (!ok) throw new Error('not invalidated')
  await mustBeOk(cache.set(`entry:${id}`, id, { ttl: 3600, tags: [`tag:${id}`] }))
}
const neverLoad = () => { throw new Error('no hit') }

const onRedis = (load, { url, keyPrefix }) => redisApp(load, { url, keyPrefix })

/** An app with metrics on NullCache, so that each call is counted by its key pattern. */
async function patterns (load, { count }) {
  const app = await appWith(load, {})
  const { cacheMetrics } = await load('@x/cache-metrics')
  await app.register(cacheMetrics)
  await app.ready()
  const keys = Array.from({ length: count }, (_, at) => `pattern${at}:`)
  let next = 0
  return {
    async run (calls) {
      for (let i = 0; i < calls; i++) await app.cache.getOrSet(`${keys[next++ % count]}${i % 100}`, () => i, { ttl: 60 })
    }
  }
}

/** Measures the heap per entry; this figure is no time. */
async function heapPerEntry (load, { entries }) {
  const used = () => {
    for (let i = 0; i < 4; i++) globalThis.gc()
    return process.memoryUsage().heapUsed
  }
  const { MemoryCache } = await load('@x/cache-core')
  return {
    async run () {
      const before = used()
      const cache = new MemoryCache({ maxEntries: entries, maxBytes: 2 ** 33 })
      for (let id = 0; id < entries; id++) await cache.set(`entry:${id}`, { id, name: `Entry ${id}`, price: id }, { ttl: 3600 })
      const each = (used() - before) / entries
      if (cache.size !== entries) throw new Error(`${cache.size} of ${entries} entries are held`)
      return each
    }
  }
}

export const rows = {
  'memory get': row(memory, get),
  'memory set': row(memory, set),
  'memory getOrSet hit': row(memory, (cache, i, { entries }) => cache.getOrSet(`entry:${scattered(i, entries)}`, neverLoad, { ttl: 3600 })),
  'memory invalidate': row(memory, invalidate),
  'redis get': row(onRedis, get),
  'redis set': row(onRedis, set),
  'redis invalidate': row(onRedis, invalidate),
  patterns: { figure: 'cpu', start: patterns },
  'heap per entry': { figure: 'own', nodeOptions: ['--expose-gc', '--max-old-space-size=8192'], start: heapPerEntry }
}
