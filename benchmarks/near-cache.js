// Measures the bytes of a copy in the near cache, without tags and with two tags, and the bytes that the cache counts for it. Rival: an
// entry of MemoryCache. The time of a hit is a row of table.js.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setTimeout as wait } from 'node:timers/promises'
import Fastify from 'fastify'
import { cacheCore } from '@x/cache-core'
import { cacheRedis } from '@x/cache-redis'
import { report } from './measure.js'
import { startRedis } from './apps/redis-server.js'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')
const KEYS = Array.from({ length: 5000 }, (_, id) => `user:${id}`)
const TAGS = ['users', 'team:7']
const user = (id) => ({ id, name: `User ${id}`, email: `user${id}@example.org`, roles: ['admin', 'editor'], team: { id: 7, name: 'Seven' } })
const TAGGED = KEYS.map((each) => `tagged:${each}`)
const hit = async (result) => { if (!(await result).ok) throw new Error('not ok') }

/** Returns the bytes that `fill` adds to the heap and to the memory of Buffers. */
async function bytesOf (fill) {
  const used = () => {
    for (let times = 0; times < 3; times++) gc()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  await wait(200)
  const before = used()
  await fill()
  await wait(200)
  return used() - before
}

async function appWith (plugin, options) {
  const app = Fastify()
  await app.register(plugin, options)
  await app.ready()
  return app
}

/** Reads all keys until the near cache holds a copy of each, since messages about the stores may still arrive and remove copies. */
async function hold (app, keys) {
  const near = () => app.cache.registry.status().near
  for (let tries = 0; tries < 100; tries++) {
    const before = near().hits
    for (const each of keys) await hit(app.cache.get(each))
    if (near().hits - before === keys.length) return
    await wait(50)
  }
  throw new Error('not all keys are held')
}

const server = await startRedis()
// The heartbeat timeout is long. A loop of awaited hits blocks heartbeats, and after the default timeout of a second the copies would not
// be served any more.
const options = { url: server.url, commandTimeoutMs: 5000, socketTimeoutMs: 30_000, heartbeatTimeoutMs: 30_000 }
const writer = await appWith(cacheRedis, options)
for (const [id, each] of KEYS.entries()) {
  await hit(writer.cache.set(each, user(id), 3600))
  await hit(writer.cache.set(TAGGED[id], user(id), { ttl: 3600, tags: TAGS }))
}
const rows = []
for (const isolation of ['freeze', 'clone']) {
  const memory = await appWith(cacheCore, { implementation: 'memory', memory: { isolation, maxEntries: 10_000 } })
  const near = await appWith(cacheRedis, { ...options, near: { isolation, maxEntries: 10_000 } })
  for (const each of KEYS) await hit(near.cache.get(each))
  await hit(near.cache.del('none'))
  const ofMemory = await bytesOf(async () => { for (const [id, each] of KEYS.entries()) await hit(memory.cache.set(each, user(id), 3600)) })
  const fresh = await appWith(cacheRedis, { ...options, near: { isolation, maxEntries: 10_000 } })
  const ofNear = await bytesOf(() => hold(fresh, KEYS))
  const counted = fresh.cache.registry.status().near.bytes
  const ofTagged = await bytesOf(() => hold(fresh, TAGGED))
  rows.push(
    [`MemoryCache, ${isolation}`, `${Math.round(ofMemory / KEYS.length)} bytes per entry`],
    [`near, ${isolation}`, `${Math.round(ofNear / KEYS.length)} bytes per entry, counted as ${Math.round(counted / KEYS.length)}`],
    [`near, ${isolation}, two tags`, `${Math.round(ofTagged / KEYS.length)} bytes per entry, counted as ${Math.round((fresh.cache.registry.status().near.bytes - counted) / KEYS.length)}`]
  )
  await Promise.all([fresh, near, memory].map((app) => app.close()))
}
report('memory', rows)

await writer.close()
await server.stop()
