// Heap per small entry of MemoryCache, and how much of it `bytes` counts.
const ENTRIES = 30_000
/** As texts that are read from a database: no two entries share one. */
const product = (id) => JSON.parse(`{"id":${id},"name":"Product ${id}","price":${id}.5,"stock":${id % 100},"category":"Games ${id % 50}","active":true}`)

/** Bytes of heap per entry, and what the cache says that it holds. */
async function fill (load, isolation, tagsOf) {
  const { MemoryCache } = await load('@x/cache-core')
  const cache = new MemoryCache({ maxEntries: 2 * ENTRIES, maxBytes: 2 ** 30, isolation })
  // What a first entry brings with it, code above all, belongs to no entry.
  await cache.set('first', product(0), { ttl: 3600, tags: tagsOf(0) })
  const before = heapUsed()
  const counted = cache.bytes
  for (let id = 0; id < ENTRIES; id++) await cache.set(`product:${id}`, product(id), { ttl: 3600, tags: tagsOf(id) })
  const heap = (heapUsed() - before) / ENTRIES
  const bytes = (cache.bytes - counted) / ENTRIES
  if (cache.size !== ENTRIES + 1) throw new Error(`${cache.size} entries are held`)
  return { heap, bytes }
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
  start: async (load) => ({ run: async () => (await fill(load, isolation, tagsOf)).heap })
})

/** Counted / held of one build. */
const counted = (isolation, tagsOf) => ({
  nodeOptions: NODE_OPTIONS,
  figure: 'own',
  within: [0.85, 1.15],
  start: async (load) => ({
    async run () {
      const { heap, bytes } = await fill(load, isolation, tagsOf)
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
