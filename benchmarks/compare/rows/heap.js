// Heap per small entry of MemoryCache, and how much of it `bytes` counts.
// Hash tables double now and then: the mean of several sizes depends less on when.
const SIZES = [20_000, 27_000, 36_000]
/** As texts that are read from a database: no two entries share one. */
const product = (id) => JSON.parse(`{"id":${id},"name":"Product ${id}","price":${id}.5,"stock":${id % 100},"category":"Games ${id % 50}","active":true}`)

async function fill (cache, entries, tagsOf) {
  for (let id = 0; id < entries; id++) await cache.set(`product:${id}`, product(id), { ttl: 3600, tags: tagsOf(id) })
  if (cache.size !== entries) throw new Error(`${cache.size} of ${entries} entries are held`)
}

/** Bytes per entry: `heap` that is held, with the tables of a cache of this size, and `bytes` that the cache counts. */
async function measureOne (make, entries, tagsOf) {
  const before = heapUsed()
  const cache = make(entries)
  await fill(cache, entries, tagsOf)
  return { heap: (heapUsed() - before) / entries, bytes: cache.bytes / entries }
}

/** The same, the mean of all sizes. */
async function measure (load, isolation, tagsOf) {
  const { MemoryCache } = await load('@x/cache-core')
  const make = (maxEntries) => new MemoryCache({ maxEntries, maxBytes: 2 ** 30, isolation })
  // Code and hidden classes, which a first cache brings, belong to no entry.
  await measureOne(make, 2000, tagsOf)
  const seen = { heap: 0, bytes: 0 }
  for (const entries of SIZES) {
    // A function of its own: a cache that a variable still names would be collected during the next size.
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

const heap = (isolation, tagsOf) => ({
  nodeOptions: NODE_OPTIONS,
  figure: 'own',
  atMost: 0.8,
  pairsPerBlock: 1,
  warmUps: 0,
  start: async (load) => ({ run: async () => (await measure(load, isolation, tagsOf)).heap })
})

/** Counted / held of one build. */
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
