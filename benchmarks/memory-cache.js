// Measures what fastify.cache.get costs on MemoryCache. Rivals: an awaited get of bare lru-cache, and the in-memory layer of BentoCache,
// once without serialising and once with its defaults. Wanted: 'freeze' at most 3 times bare lru-cache, and at least 10 times faster than
// BentoCache without serialising; 'clone' at least 3 times faster than BentoCache with its defaults.
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import Fastify from 'fastify'
import { LRUCache } from 'lru-cache'
import { cacheCore } from '@x/cache-core'
import { report, time } from './measure.js'

const KEYS = Array.from({ length: 5000 }, (_, id) => `user:${id}`)
const user = (id) => ({ id, name: `User ${id}`, email: `user${id}@example.org`, roles: ['admin', 'editor'], team: { id: 7, name: 'Seven' } })

async function appWith (isolation) {
  const app = Fastify()
  await app.register(cacheCore, { implementation: 'memory', memory: { isolation, maxEntries: 10_000 } })
  await Promise.all(KEYS.map((key, id) => app.cache.set(key, user(id), 3600)))
  return app
}

async function bentoWith (serialize) {
  const bento = new BentoCache({
    default: 'memory',
    stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: 10_000, serialize })) }
  })
  for (const [id, key] of KEYS.entries()) await bento.set({ key, value: user(id), ttl: '1h' })
  return bento
}

const lru = new LRUCache({ max: 10_000 })
for (const [id, key] of KEYS.entries()) lru.set(key, user(id))
const freeze = await appWith('freeze')
const clone = await appWith('clone')
const bare = await bentoWith(false)
const serialising = await bentoWith(true)
const key = (i) => KEYS[i % KEYS.length]

const ns = await time({
  'lru-cache': (i) => lru.get(key(i)),
  freeze: (i) => freeze.cache.get(key(i)),
  clone: (i) => clone.cache.get(key(i)),
  'BentoCache, not serialising': (i) => bare.get({ key: key(i) }),
  'BentoCache, as it comes': (i) => serialising.get({ key: key(i) })
})

report('one awaited get that hits', [
  ...Object.entries(ns).map(([name, each]) => [name, `${each.toFixed(0)} ns`]),
  ['freeze / lru-cache', (ns.freeze / ns['lru-cache']).toFixed(2), 'at most 3'],
  ['BentoCache, not serialising / freeze', (ns['BentoCache, not serialising'] / ns.freeze).toFixed(1), 'at least 10'],
  ['BentoCache, as it comes / clone', (ns['BentoCache, as it comes'] / ns.clone).toFixed(1), 'at least 3']
])
await Promise.all([freeze.close(), clone.close(), bare.disconnectAll(), serialising.disconnectAll()])
