// Measures the cost of a hit of the near cache: a copy of a Redis entry in this process. Rivals: fastify.cache.get on MemoryCache, and
// BentoCache with memory, Redis and its Redis bus. Wanted: with 'freeze' at most 1.5 times the time of MemoryCache, and at least 15 times
// faster than BentoCache with its defaults. Bytes per entry are printed as well.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setTimeout as wait } from 'node:timers/promises'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import Fastify from 'fastify'
// The package `ioredis` that BentoCache installs is used for BentoCache, since it may not support another version.
import { Redis as BentoRedis } from 'ioredis'
import { cacheCore } from '@x/cache-core'
import { cacheRedis } from '@x/cache-redis'
import { cpuTime, report } from './measure.js'
import { startRedis } from './apps/redis-server.js'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc')
const ROUNDS = Number(process.env.ROUNDS ?? 81)
const KEYS = Array.from({ length: 5000 }, (_, id) => `user:${id}`)
const TAGS = ['users', 'team:7']
const user = (id) => ({ id, name: `User ${id}`, email: `user${id}@example.org`, roles: ['admin', 'editor'], team: { id: 7, name: 'Seven' } })
const key = (i) => KEYS[i % KEYS.length]
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

/** Reads all keys until the near cache holds a copy of each: messages about the stores, which remove copies, may still arrive. */
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
// The heartbeat timeout is long: a loop of awaited hits lets no heartbeat through, and after a second the copies would no longer be served.
const options = { url: server.url, commandTimeoutMs: 5000, socketTimeoutMs: 30_000, heartbeatTimeoutMs: 30_000 }
const writer = await appWith(cacheRedis, options)
for (const [id, each] of KEYS.entries()) {
  await hit(writer.cache.set(each, user(id), 3600))
  await hit(writer.cache.set(TAGGED[id], user(id), { ttl: 3600, tags: TAGS }))
}
const rows = []
const apps = {}
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
  await fresh.close()
  await hold(near, [...KEYS, ...TAGGED])
  apps[isolation] = { memory, near }
}
const connection = new BentoRedis(server.url)
const bentoWith = (serialize) => new BentoCache({
  default: 'tiers',
  stores: {
    tiers: bentostore()
      .useL1Layer(memoryDriver({ maxItems: 10_000, serialize }))
      .useL2Layer(redisDriver({ connection }))
      .useBus(redisBusDriver({ connection: { host: '127.0.0.1', port: Number(new URL(server.url).port) } }))
  }
})
const bento = { serialising: bentoWith(true), bare: bentoWith(false) }
for (const each of Object.values(bento)) for (const [id, name] of KEYS.entries()) await each.set({ key: name, value: user(id), ttl: '1h' })

const ns = await cpuTime({
  'MemoryCache, freeze': (i) => apps.freeze.memory.cache.get(key(i)),
  'near, freeze': (i) => apps.freeze.near.cache.get(key(i)),
  'near, freeze, two tags': (i) => apps.freeze.near.cache.get(TAGGED[i % TAGGED.length]),
  'MemoryCache, clone': (i) => apps.clone.memory.cache.get(key(i)),
  'near, clone': (i) => apps.clone.near.cache.get(key(i)),
  'MemoryCache, freeze, getOrSet': (i) => apps.freeze.memory.cache.getOrSet(key(i), () => { throw new Error('a miss') }),
  'near, freeze, getOrSet': (i) => apps.freeze.near.cache.getOrSet(key(i), () => { throw new Error('a miss') }),
  'BentoCache, two tiers and bus': (i) => bento.serialising.get({ key: key(i) }),
  'BentoCache, not serialising': (i) => bento.bare.get({ key: key(i) })
}, { rounds: ROUNDS })

report('one awaited get that hits, CPU time', [
  ...Object.entries(ns).map(([name, each]) => [name, `${each.toFixed(0)} ns`]),
  ['near / MemoryCache, freeze', (ns['near, freeze'] / ns['MemoryCache, freeze']).toFixed(2), 'at most 1.5'],
  ['near / MemoryCache, clone', (ns['near, clone'] / ns['MemoryCache, clone']).toFixed(2)],
  ['near / MemoryCache, getOrSet', (ns['near, freeze, getOrSet'] / ns['MemoryCache, freeze, getOrSet']).toFixed(2)],
  ['BentoCache, two tiers and bus / near, freeze', (ns['BentoCache, two tiers and bus'] / ns['near, freeze']).toFixed(1), 'at least 15'],
  ['BentoCache, not serialising / near, freeze', (ns['BentoCache, not serialising'] / ns['near, freeze']).toFixed(1)]
])
report('memory', rows)

await Promise.all([writer, ...Object.values(apps).flatMap(({ memory, near }) => [memory, near])].map((app) => app.close()))
await Promise.all(Object.values(bento).map((each) => each.disconnectAll()))
connection.disconnect()
await server.stop()
