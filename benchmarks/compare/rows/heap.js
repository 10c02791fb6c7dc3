// Rows of `compare.js` and `table.js`: the heap that a small entry of MemoryCache takes, and the fraction of it that the property `bytes`
// counts. The mean of several sizes is used, since hash tables double at certain sizes.
const SIZES = [20_000, 27_000, 36_000]
/** Values are parsed from text, as values read from a database are, so that no two entries share a string. */
const product = (id) => JSON.parse(`{"id":${id},"name":"Product ${id}","price":${id}.5,"stock":${id % 100},"category":"Games ${id % 50}","active":true}`)

async function fill (cache, entries, tagsOf) {
  for (let id = 0; id < entries; id++) await cache.set(`product:${id}`, product(id), { ttl: 3600, tags: tagsOf(id) })
  if (cache.size !== entries) throw new Error(`${cache.size} of ${entries} entries are held`)
}

/**
 * Fills one cache; returns the bytes per entry: `heap` as Node measures it, with the tables of the cache, and `bytes` as the cache counts
 * them.
 */
async function measureOne (make, entries, tagsOf) {
  const before = heapUsed()
  const cache = make(entries)
  await fill(cache, entries, tagsOf)
  return { heap: (heapUsed() - before) / entries, bytes: cache.bytes / entries }
}

/** The caches that a row fills, by name. Each function receives `load` and resolves to a function that makes one cache. */
const MAKERS = {
  async clone (load) { return await memoryCache(load, 'clone') },
  async freeze (load) { return await memoryCache(load, 'freeze') },
  /** A Map of JSON texts, without a cache around it. */
  async map () { return () => new TextMap() },
  async BentoCache (load) {
    const { BentoCache, bentostore } = await load('bentocache')
    const { memoryDriver } = await load('bentocache/drivers/memory')
    return (maxItems) => new BentoEntries(new BentoCache({ default: 'memory', stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems })) } }))
  }
}

async function memoryCache (load, isolation) {
  const { MemoryCache } = await load('@x/cache-core')
  return (maxEntries) => new MemoryCache({ maxEntries, maxBytes: 2 ** 30, isolation })
}

class TextMap {
  bytes = 0
  #texts = new Map()
  get size () { return this.#texts.size }
  set (key, value) { this.#texts.set(key, JSON.stringify(value)) }
}

class BentoEntries {
  bytes = 0
  size = 0
  #bento
  constructor (bento) { this.#bento = bento }
  async set (key, value, { tags }) {
    await this.#bento.set({ key, value, ttl: '1h', tags })
    this.size++
  }
}

/** Returns the mean of `measureOne` over all sizes. */
async function measure (load, cache, tagsOf) {
  const make = await MAKERS[cache](load)
  // A first cache is filled and dropped, since the code and the hidden classes that it creates belong to no entry.
  await measureOne(make, 2000, tagsOf)
  const seen = { heap: 0, bytes: 0 }
  for (const entries of SIZES) {
    // The cache is a local variable of another function, since a variable of this function would keep it alive while the next size is
    // measured.
    const { heap, bytes } = await measureOne(make, entries, tagsOf)
    seen.heap += heap / SIZES.length
    seen.bytes += bytes / SIZES.length
  }
  return seen
}

function heapUsed () {
  for (let i = 0; i < 4; i++) globalThis.gc()
  return process.memoryUsage().heapUsed
}

const untagged = () => undefined
const twoTags = (id) => [`product:${id}`, `shop:${id % 20}`]
const NODE_OPTIONS = ['--expose-gc']

const heap = (cache, tagsOf) => ({
  nodeOptions: NODE_OPTIONS,
  figure: 'own',
  atMost: 0.8,
  pairsPerBlock: 1,
  warmUps: 0,
  start: async (load) => ({ run: async () => (await measure(load, cache, tagsOf)).heap })
})

/** Makes the row of the counted bytes divided by the bytes in the heap, for one build. */
const counted = (isolation, tagsOf) => ({
  nodeOptions: NODE_OPTIONS,
  figure: 'own',
  within: [0.85, 1.15],
  start: async (load) => ({
    async run () {
      const { heap, bytes } = await measure(load, isolation, tagsOf)
      return { figure: bytes / heap, note: `${Math.round(bytes)} bytes counted, ${Math.round(heap)} held` }
    }
  }),
  async observe (startSide, context) {
    const side = await startSide(context)
    try {
      return await side.turn()
    } finally {
      await side.stop()
    }
  }
})

/** The rows of `table.js`: the heap per entry of rivals. */
export const rivals = {
  'Map of JSON texts': heap('map', untagged),
  'BentoCache: untagged': heap('BentoCache', untagged),
  'BentoCache: two tags': heap('BentoCache', twoTags)
}

export const rows = {
  'heap per entry: untagged, clone': heap('clone', untagged),
  'heap per entry: two tags, clone': heap('clone', twoTags),
  'heap per entry: untagged, freeze': heap('freeze', untagged),
  'heap per entry: two tags, freeze': heap('freeze', twoTags),
  'bytes counted / held: untagged, clone': counted('clone', untagged),
  'bytes counted / held: two tags, clone': counted('clone', twoTags),
  'bytes counted / held: untagged, freeze': counted('freeze', untagged),
  'bytes counted / held: two tags, freeze': counted('freeze', twoTags)
}
